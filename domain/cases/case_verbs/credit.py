"""Credit: what nobody asked for goes from where settlement booked it to the buyer's own funds."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.case_kinds import Verb
from core.errors import Conflict
from core.money import Money
from core.purposes import TO_WALLET
from domain import events
from domain.books import accounts, ledger
from domain.books.accounts import Account
from domain.books.ledger import Movement
from domain.cases.case_subjects import CREDIT, Subject, excess, unapplied
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal
from domain.effects import invoice
from domain.payments import receipts, wallet_events
from domain.refunds import promises
from domain.transitions import move_together
from models.payments import Payment


def _plan(subject: Subject) -> Answer:
    payment, order = subject.payment, subject.order
    if payment is None:
        return Refusal("This case has no payment.")
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    if subject.is_ended:
        amount, held = unapplied(subject), accounts.unapplied(payment.id)
        if not amount.minor:
            return Refusal("Nothing of this payment lies unapplied any more.")
        if (wallet := _wallet(payment)) is not None:
            said = f"{amount.major()} {amount.asset.code} is credited to the payer's wallet."
            effects = [said, "Nothing leaves Paydesk; they may spend it at once."]
            return Plan(effects, [Movement(held, wallet, amount)], amount)
        return _planned(amount, Movement(held, funds, amount))
    amount = excess(subject)
    if order is None:
        return Refusal("Without an order, all of it is the payer's own already.")
    if subject.open_attempts:
        return Refusal("The order has an open payment that counts on this money. End it first.")
    if not amount.minor:
        return Refusal("Nothing of it is too much any more.")
    hold = accounts.escrow_hold(order.id, order.merchant_id)
    return _planned(amount, Movement(hold, funds, amount))


def _wallet(payment: Payment) -> Account | None:
    """Give the wallet that late money was meant for, if it was meant for one."""
    is_meant = payment.purpose in TO_WALLET and payment.buyer_id is not None
    return accounts.wallet(str(payment.buyer_id)) if is_meant else None


def _planned(amount: Money, movement: Movement) -> Plan:
    said = f"{amount.major()} {amount.asset.code} becomes the buyer's own funds with us."
    effects = [said, "Nothing leaves Paydesk; the order no longer counts this sum."]
    return Plan(effects, [movement], amount)


def _do(session: Session, doing: Doing) -> Deed:
    """Post the credit; the order counts so much less.

    Writes: journal, payments, orders, event_log. Emits: wallet.credited. Raises: Conflict.
    Transaction: caller's, payment and order locked.
    """
    subject, amount = doing.subject, doing.plan.amount
    assert subject.payment is not None and amount is not None  # the plan was made of them
    (movement,) = doing.plan.movements
    promised = promises.of_account(session, movement.debit.address, amount.asset)
    held = -ledger.balance(session, movement.debit.address, str(amount.asset))
    if held - promised.minor < amount.minor:
        raise Conflict("The books hold less of this money than that. Ask finance to look at them.")
    entry_id = ledger.post(
        session,
        CREDIT,
        movements=[movement],
        source_key=f"credit:{subject.case.id}",
        source=doing.why.source,
        ties=receipts.ties(subject.payment),
        note=doing.wanted.note,
    )
    payment = subject.payment
    credited: dict[str, object] = {"credited_minor": payment.credited_minor + amount.minor}
    move_together(session, payment, moves={}, values=credited, why=doing.why)
    if _wallet(payment) is not None:
        told = wallet_events.credited(session, payment, amount, why=doing.why)
        events.append(session, [told])
    if subject.order is not None and not subject.is_ended:
        left = {"paid_minor": subject.order.paid_minor - amount.minor, "updated_at": clock.now()}
        move_together(session, subject.order, moves={}, values=left, why=doing.why)
        invoice.follow(session, payment, why=doing.why)
    return Deed({"entryId": entry_id, "amount": amount.major(), "currency": amount.asset.code})


KINDS = {
    Verb.CREDIT: Kind("Credit", "Give the excess to the buyer's funds with us.", _plan, _do),
}
