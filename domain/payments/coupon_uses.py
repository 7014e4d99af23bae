"""Which coupons people have applied: one use at a time, tied to the invoice that credits it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.purposes import Purpose
from core.states import Payment as Status
from models.effects import CouponUse
from models.payments import Payment

_ENDED = (Status.FAILED, Status.CANCELLED)


def open_key(user_id: str, provider: str, coupon_id: str, *, livemode: bool) -> str:
    """Name what one person may do only once: spend this coupon, whichever code led to it."""
    return f"{'live' if livemode else 'test'}:{provider}:{user_id}:{coupon_id}"


def find_open(session: Session, user_id: str, text: str, *, livemode: bool) -> CouponUse | None:
    """Find a person's use of a coupon that counts, by what they typed: a code or the coupon's id.

    Transaction: caller's, reads only.
    """
    statement = (
        select(CouponUse)
        .join(Payment, Payment.id == CouponUse.payment_id)
        .where(
            CouponUse.user_id == user_id,
            CouponUse.open_key.is_not(None),
            Payment.livemode.is_(livemode),
            or_(CouponUse.coupon_id == text, CouponUse.code == text),
        )
    )
    return session.scalars(statement.order_by(CouponUse.created_at)).first()


def find_by_key(session: Session, key: str) -> CouponUse | None:
    """Find the use that holds an open key. Transaction: caller's, reads only."""
    statement = select(CouponUse).where(CouponUse.open_key == key)
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def note_invoice(session: Session, payment: Payment, reference: str) -> None:
    """Remember the invoice that credits a coupon; of any other payment there is nothing to remember.

    Writes: coupon_uses. Transaction: caller's, with the payment locked.
    """
    if payment.purpose != Purpose.COUPON:
        return
    session.execute(
        update(CouponUse)
        .where(CouponUse.payment_id == payment.id, CouponUse.invoice_reference.is_(None))
        .values(invoice_reference=reference)
    )


def free_if_ended(session: Session, payment: Payment) -> None:
    """Let a coupon be applied again when its transaction ended without money.

    Writes: coupon_uses. Transaction: caller's, with the payment locked.
    """
    if payment.purpose != Purpose.COUPON or payment.status not in _ENDED:
        return
    session.execute(
        update(CouponUse).where(CouponUse.payment_id == payment.id).values(open_key=None)
    )


def of_payments(session: Session, payment_ids: Collection[str]) -> Mapping[str, CouponUse]:
    """Give the coupons behind several payments. Transaction: caller's, reads only."""
    if not payment_ids:
        return {}
    found = session.scalars(select(CouponUse).where(CouponUse.payment_id.in_(payment_ids)))
    return {row.payment_id: row for row in found}
