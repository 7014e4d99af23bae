"""Money that had been final and went away after all: a debit that fails days after it was called paid.

What the payer's bank takes back by a dispute is told by the same event, and booked in `domain/disputes/`.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.fold import reversed_minor
from core.money import Money, asset
from core.purposes import TO_WALLET
from core.states import Escrow, lifecycle
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, events, pending
from domain.books import accounts, ledger
from domain.books.accounts import Account
from domain.books.ledger import Movement
from domain.cases import cases
from domain.cases.cases import Finding
from domain.effects import entitlement
from domain.inbox import workset
from domain.orders import order_progress, release_holds
from domain.payments import receipts
from domain.transitions import Why, move_together
from models.payments import Payment

REASON = "late_failure"
# What was given back or used before the money behind it failed is a loss of ours.
LOSSES = accounts.REVERSALS_LOST


def hear(session: Session, payment: Payment, *, why: Why) -> str | None:
    """Take back what a payment's facts say has failed after it was final. Gives a sentence, or None.

    Whatever the order in which its facts come: first it counts as paid, then as taken back, once.
    Writes: payments, orders, journal, release_holds, entitlements, exception_cases, event_log, audit_log.
    Emits: payment.reversed, entitlement.revoked, exception.opened. Transaction: caller's, with the
    payment locked.
    """
    facts = [known.fact for known in workset.facts_of(session, payment).values()]
    gone = min(reversed_minor(facts), payment.received_minor) - payment.reversed_minor
    if gone <= 0:
        return None
    pending.write_rows(session)
    amount, before = Money(gone, asset(payment.asset)), payment.status
    _book(session, payment, amount, why)
    counted = payment.status == Status.COMPLETED
    moves = {"payment": Status.FAILED.value} if counted else {}
    values: dict[str, object] = {"reversed_minor": payment.reversed_minor + gone}
    if counted:
        values |= {"failure_reason": REASON, "check_due_at": None}
        if payment.escrow_state == Escrow.FUNDED:
            moves["escrow"] = Escrow.UNFUNDED.value
        order_progress.lose(session, payment, why=why)
    values["updated_at"] = clock.now()
    move_together(session, payment, moves=moves, values=values, why=why)
    tell(session, payment, amount, cause=REASON, before=before, why=why)
    _see(session, payment, amount, why)
    pending.write_rows(session)
    if counted:
        events.append(session, entitlement.follow_refund(session, payment, why=why))
    return f"{amount.major()} {amount.asset.code} that had been final was taken back"


def tell(
    session: Session, payment: Payment, amount: Money, *, cause: str, before: str, why: Why
) -> None:
    """Tell that confirmed money went away. before: the status in which it stood.

    Writes: payments.event_sequence, event_log. Emits: payment.reversed. Transaction: caller's, with
    the payment locked.
    """
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    body: dict[str, Json] = {
        "cause": cause,
        "amount": amount.major(),
        "currency": amount.asset.code,
        "lifecycle": lifecycle(payment.status, payment.failure_reason).value,
        "previousLifecycle": lifecycle(before, None).value,
    }
    row = events.row(
        "payment.reversed",
        events.about_payment(payment),
        source=why.source,
        sequence=sequence,
        status=payment.status,
        body=body,
        is_replay=why.is_replay,
    )
    events.append(session, [row])


def _book(session: Session, payment: Payment, amount: Money, why: Why) -> None:
    """Post the mirror of what came in: from where it is held, and from our own where it is not any more."""
    clearing = accounts.clearing(payment.provider)
    held = min(amount.minor, _held_minor(payment))
    movements = _from_hold(payment, Money(held, amount.asset), clearing) if held else []
    if held < amount.minor:
        movements.append(Movement(LOSSES, clearing, Money(amount.minor - held, amount.asset)))
    ledger.post(
        session,
        REASON,
        movements=movements,
        source_key=f"{REASON}:{payment.id}:{payment.reversed_minor + amount.minor}",
        source=why.source,
        ties=receipts.ties(payment),
        note="Failed after it had been final",
    )


def _held_minor(payment: Payment) -> int:
    """Say how much of a payment still lies where it was booked; a wallet's balance is its owner's."""
    if payment.purpose in TO_WALLET:
        return 0
    return max(0, payment.received_minor - payment.refunded_minor - payment.credited_minor)


def _from_hold(payment: Payment, held: Money, clearing: Account) -> list[Movement]:
    if payment.status in (Status.FAILED, Status.CANCELLED):
        return [Movement(accounts.unapplied(payment.id), clearing, held)]
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    movements = [Movement(funds, clearing, held)]
    if payment.order_id:
        hold = accounts.escrow_hold(payment.order_id, payment.merchant_id)
        movements.insert(0, Movement(hold, funds, held))
    return movements


def _see(session: Session, payment: Payment, amount: Money, why: Why) -> None:
    """Open a case, hold what the order would release, and write it down."""
    said = f"{amount.major()} {amount.asset.code}"
    sentence = (
        f"{said} had been paid for good and was taken back by the payer's bank."
        " Its booking is reversed; what was delivered for it is unpaid."
    )
    name = f"{payment.id}:{payment.reversed_minor}"
    finding = Finding("LATE_FAILURE", name, sentence, at_risk=amount, payment=payment)
    case_id = cases.open_case(session, finding, why=why)
    hold = release_holds.Wanted(
        release_holds.LATE_FAILURE,
        name,
        f"{said} of it was taken back after it was final.",
        case_id,
    )
    release_holds.place(session, payment, hold, is_on=True, why=why)
    audit.write(
        session,
        "payment.reverse",
        actor=why.actor,
        object_kind="payment",
        object_id=payment.id,
        source=why.source,
        reason=why.reason,
        after={"cause": REASON, "amountMinor": amount.minor, "status": payment.status},
    )
