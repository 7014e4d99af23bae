"""What giving money back does to the wallet it had been paid into: taken out of it, put back when that failed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from core.errors import Conflict
from core.money import Money, asset
from core.purposes import CHECKS, TO_WALLET, Purpose
from core.states import Payment as Status
from core.states import Refund as RefundState
from domain import events
from domain.books import accounts
from domain.books.ledger import Movement
from domain.payments import wallet_events
from domain.transitions import Why
from models.ledger import JournalEntry, LedgerAccount, Posting
from models.payments import Payment
from models.refunds import Refund

PURPOSES = sorted(purpose.value for purpose in TO_WALLET)
# Money that came after the end of its payment was never credited, and is given back from where it lies.
LATE = (Status.FAILED, Status.CANCELLED)
_CODE = "NOT_REFUNDABLE"
_OPEN_REFUNDS = (
    RefundState.PENDING_APPROVAL.value,
    RefundState.PENDING.value,
    RefundState.UNKNOWN.value,
)


def assert_given(payment: Payment) -> None:
    """Check that somebody paid this in: a coupon or a check of a card brought nothing to give back.

    Raises: Conflict NOT_REFUNDABLE
    """
    if payment.purpose == Purpose.COUPON:
        raise Conflict("Nobody paid for a coupon; there is nothing to refund.", code=_CODE)
    if payment.purpose in CHECKS and not payment.received_minor:
        raise Conflict("A check of a card takes no money; there is nothing to refund.", code=_CODE)


def is_from_wallet(payment: Payment) -> bool:
    """Tell whether giving a payment back takes it out of its payer's wallet."""
    is_credited = payment.purpose in TO_WALLET and not is_late(payment)
    return is_credited and payment.buyer_id is not None


def is_late(payment: Payment) -> bool:
    """Tell whether a payment's money came after its end, and so was never credited by itself.

    One that was taken back after it had been final has ended too, but its wallet was credited before.
    """
    return payment.status in LATE and not payment.reversed_minor


def was_credited() -> ColumnElement[bool]:
    """Give the condition of payments whose money was credited to a wallet, as `is_late` denies it."""
    return or_(Payment.status.not_in(LATE), Payment.reversed_minor > 0)


def held(session: Session, conditions: Sequence[ColumnElement[bool]]) -> dict[str, int]:
    """Sum what is asked back of some wallets' payments and not over yet, per asset, in minor units.

    Transaction: caller's, reads only.
    """
    statement = (
        select(Refund.asset, func.sum(Refund.amount_minor))
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            *conditions,
            Payment.purpose.in_(PURPOSES),
            was_credited(),
            Refund.state.in_(_OPEN_REFUNDS),
        )
        .group_by(Refund.asset)
    )
    return {name: int(minor) for name, minor in session.execute(statement)}


def assert_holds(
    session: Session, payment: Payment, amount: Money, *, besides: str | None = None
) -> None:
    """Check that a payment's wallet holds what shall be taken out of it, beside what others hold of it.

    The wallet's account is locked until the commit, so that two who ask at once are counted one after
    the other. besides: a refund that is counted already.
    Raises: Conflict WALLET_TOO_LOW. Transaction: caller's, with the payment locked.
    """
    if not is_from_wallet(payment) or payment.buyer_id is None:
        return
    address = accounts.wallet(payment.buyer_id).address
    row = select(LedgerAccount).where(
        LedgerAccount.address == address, LedgerAccount.asset == payment.asset
    )
    # Who posts to an account only reads its row; who takes from a wallet waits for others who do.
    session.execute(row.with_for_update(key_share=True))
    booked = (
        select(func.coalesce(func.sum(Posting.amount_minor), 0))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(
            Posting.address == address,
            Posting.asset == payment.asset,
            JournalEntry.livemode.is_(payment.livemode),
        )
    )
    own = [Payment.buyer_id == payment.buyer_id, Payment.livemode.is_(payment.livemode)]
    if besides is not None:
        own.append(Refund.id != besides)
    waiting = held(session, own).get(payment.asset, 0)
    left = max(0, -int(session.scalar(booked) or 0) - waiting)
    if left < amount.minor:
        free = Money(left, amount.asset)
        raise Conflict(
            f"The wallet holds {free.major()} {free.asset.code} that could be given back.",
            code="WALLET_TOO_LOW",
            details={"available": {"amount": free.major(), "currency": free.asset.code}},
        )


def movements(payment: Payment, amount: Money) -> list[Movement]:
    """Give what a refund moves before it leaves: out of the wallet, if it was paid into one."""
    if not is_from_wallet(payment) or payment.buyer_id is None:
        return []
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    return [Movement(accounts.wallet(payment.buyer_id), funds, amount)]


def tell_taken(session: Session, payment: Payment, refund: Refund, *, why: Why) -> None:
    """Tell that a wallet holds less.

    Writes: payments.event_sequence, event_log. Emits: wallet.debited. Transaction: caller's, with the payment locked.
    """
    if is_from_wallet(payment):
        told = wallet_events.debited(session, payment, _amount(refund), why=why)
        events.append(session, [told])


def tell_put_back(session: Session, payment: Payment, refund: Refund, *, why: Why) -> None:
    """Tell that a wallet holds again what its refund took, since the payer never got it.

    Writes: payments.event_sequence, event_log. Emits: wallet.credited. Transaction: caller's, with the payment locked.
    """
    if is_from_wallet(payment):
        told = wallet_events.credited(session, payment, _amount(refund), why=why)
        events.append(session, [told])


def _amount(refund: Refund) -> Money:
    return Money(refund.amount_minor, asset(refund.asset))
