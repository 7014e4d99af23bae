"""What an account must keep for refunds that are on their way: nothing else takes it, by hand or by a case.

A refund leaves an order's hold, or its payer's wallet, only when its provider has sent it. Until then it is
counted here, so that whoever takes of the same account meanwhile leaves enough.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import chart
from core.errors import Conflict
from core.money import Asset, Money, asset
from core.states import Refund as State
from domain import pending
from domain.books import accounts, balances
from domain.refunds import wallet_debits
from models.ledger import LedgerAccount
from models.payments import Payment
from models.refunds import Refund

_OPEN = (State.PENDING_APPROVAL.value, State.PENDING.value, State.UNKNOWN.value)


def of_account(session: Session, address: str, of: Asset, *, besides: str | None = None) -> Money:
    """Say how much of an account goes back by refunds that are not over, one of them left out.

    The account is locked until the commit: who promises of it and who takes of it wait for each other.
    Who only posts to it waits for nobody.
    Transaction: caller's, writing.
    """
    pattern = chart.find(address)
    parts = (pattern.parts_of(address) if pattern else None) or {}
    if pattern not in (chart.ESCROW_HOLD, chart.WALLET):
        return Money(0, of)
    own = (LedgerAccount.address == address, LedgerAccount.asset == str(of))
    session.execute(select(LedgerAccount.address).where(*own).with_for_update(key_share=True))
    if pattern is chart.WALLET:
        held = wallet_debits.held(session, [Payment.buyer_id == parts["user"]])
        return Money(held.get(str(of), 0), of)
    return _of_order(session, parts["order"], of, besides=besides)


def _of_order(session: Session, order_id: str, of: Asset, *, besides: str | None = None) -> Money:
    statement = (
        select(func.coalesce(func.sum(Refund.amount_minor), 0))
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.order_id == order_id,
            Refund.asset == str(of),
            Refund.state.in_(_OPEN),
            Refund.id != (besides or ""),
            # Money that came after the end lies apart, and goes back from there.
            Payment.status.not_in(wallet_debits.LATE),
        )
    )
    return Money(int(session.scalar(statement) or 0), of)


def free_of_hold(session: Session, payment: Payment) -> Money | None:
    """Say what a payment's order still holds beside what goes back of it already; None: it has no hold.

    As `assert_hold_covers` decides, for whoever only shows it. Transaction: caller's, reads only.
    """
    if payment.order_id is None or payment.status in wallet_debits.LATE:
        return None
    of = asset(payment.asset)
    hold = accounts.escrow_hold(payment.order_id, payment.merchant_id).address
    promised = _of_order(session, payment.order_id, of)
    return Money(max(0, balances.held_minor(session, hold, str(of)) - promised.minor), of)


def assert_hold_covers(
    session: Session, payment: Payment, amount: Money, *, besides: str | None = None
) -> None:
    """Check that an order still holds what shall be given back, beside what goes back of it already.

    It holds less than its payments brought only when people moved some of it by an entry of theirs.
    besides: a refund that is counted already. Raises: Conflict AMOUNT_EXCEEDED.
    Transaction: caller's, with the payment locked.
    """
    if payment.order_id is None or payment.status in wallet_debits.LATE:
        return
    hold = accounts.escrow_hold(payment.order_id, payment.merchant_id).address
    promised = of_account(session, hold, amount.asset, besides=besides)
    pending.write_rows(session)
    left = max(0, balances.held_minor(session, hold, str(amount.asset)) - promised.minor)
    if left < amount.minor:
        free = Money(left, amount.asset)
        raise Conflict(
            f"The order holds {free.major()} {free.asset.code} that could be given back; the rest was"
            " moved by an entry by hand. Reverse it first.",
            code="AMOUNT_EXCEEDED",
            details={"refundable": {"amount": free.major(), "currency": free.asset.code}},
        )
