"""The effect that grants a period of a subscription: once per period, only when it is paid for in full.

Source: requirements S212 to S214
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.money import Money, asset
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, database, events
from domain.cases import cases
from domain.cases.cases import Finding
from domain.effects.kinds import Wanted
from domain.orders.order_progress import lock_order
from domain.transitions import Why, move_together
from models.effects import Entitlement
from models.orders import Order
from models.payments import Payment

GRANTED, REVOKED = "granted", "revoked"


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Grant the period that a locked payment pays for, once its order is paid. Gives the event rows.

    A period that another payment has paid for already is not granted twice: a case says so.
    Writes: entitlements, orders, payments.event_sequence, audit_log, exception_cases.
    Emits: entitlement.granted, exception.opened. Transaction: caller's, with the payment locked.
    """
    del wanted  # What arrived now matters less than whether all has.
    order = lock_order(session, payment.order_id) if payment.order_id else None
    if payment.status != Status.COMPLETED or not _is_paid(payment, order):
        return []
    if not _grant(session, payment):
        _see_double(session, payment, why)
        return []
    return _told(session, payment, order, GRANTED, why)


def _is_paid(payment: Payment, order: Order | None) -> bool:
    if order is None:
        return payment.received_minor >= payment.amount_minor
    return order.paid_minor >= order.total_minor


def period_of(payment: Payment) -> str:
    """Name the period a payment pays for: the consumer's own name, or the order when it gave none."""
    return payment.subscription_period or payment.order_id or payment.id


def _grant(session: Session, payment: Payment) -> bool:
    """Take the period for this payment. Gives False when it is granted already; the database decides."""
    now = clock.now()
    values = {
        "id": ids.new("ent"),
        "merchant_id": payment.merchant_id,
        "subscription_ref": payment.subscription_ref,
        "period": period_of(payment),
        "livemode": payment.livemode,
        "state": GRANTED,
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "granted_at": now,
        "updated_at": now,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    insert = dialect.insert(Entitlement).values(values)
    # Given back and paid for again, a period is granted again.
    statement = insert.on_conflict_do_update(
        index_elements=["merchant_id", "livemode", "subscription_ref", "period"],
        set_={
            "state": GRANTED,
            "payment_id": payment.id,
            "order_id": payment.order_id,
            "granted_at": now,
            "revoked_at": None,
            "updated_at": now,
        },
        where=Entitlement.state == REVOKED,
    )
    return session.execute(statement.returning(Entitlement.id)).first() is not None


def _see_double(session: Session, payment: Payment, why: Why) -> None:
    """Open a case when another payment than this order's paid for the same period before."""
    granted = session.scalars(
        select(Entitlement).where(
            Entitlement.merchant_id == payment.merchant_id,
            Entitlement.livemode.is_(payment.livemode),
            Entitlement.subscription_ref == payment.subscription_ref,
            Entitlement.period == period_of(payment),
        )
    ).one()
    same = granted.payment_id == payment.id or (
        granted.order_id is not None and granted.order_id == payment.order_id
    )
    if same:
        return
    amount = Money(payment.received_minor, asset(payment.asset))
    sentence = (
        f"Period {granted.period} of subscription {granted.subscription_ref} was paid for already by"
        f" {granted.payment_id}. Nothing was granted for this payment: refund it, or keep it with a reason."
    )
    finding = Finding(
        "DUPLICATE_PAYMENT",
        f"entitlement:{payment.id}",
        sentence,
        expected=granted.payment_id,
        found=payment.id,
        at_risk=amount,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)


def _told(
    session: Session, payment: Payment, order: Order | None, state: str, why: Why
) -> list[dict[str, object]]:
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    if order is not None:
        move_together(session, order, moves={}, values={"entitlement": state}, why=why)
    body: dict[str, Json] = {
        "subscriptionRef": payment.subscription_ref,
        "period": period_of(payment),
    }
    audit.write(
        session,
        f"entitlement.{state}",
        actor=why.actor,
        object_kind="payment",
        object_id=payment.id,
        source=why.source,
        reason=why.reason,
        after=body | {"orderId": payment.order_id},
    )
    about = events.about_payment(payment)
    if state == GRANTED:
        return [_row("entitlement.granted", about, payment, body, why)]
    return [_row("entitlement.revoked", about, payment, body, why)]


def _row(
    kind: str, about: events.About, payment: Payment, body: dict[str, Json], why: Why
) -> dict[str, object]:
    return events.row(
        kind,
        about,
        source=why.source,
        sequence=payment.event_sequence,
        status=payment.status,
        body=body,
        is_replay=why.is_replay,
    )


def follow_refund(session: Session, payment: Payment, *, why: Why) -> list[dict[str, object]]:
    """Take back what a payment granted when all of it was given back; grant it again when that failed.

    Gives the event rows to append. Writes: entitlements, orders, payments.event_sequence, audit_log.
    Emits: entitlement.revoked, entitlement.granted.
    Transaction: caller's, with the payment locked and nothing kept back.
    """
    if payment.subscription_ref is None:
        return []
    granted = session.scalars(
        select(Entitlement)
        .where(Entitlement.payment_id == payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    is_gone = payment.status in (Status.REFUNDED, Status.FAILED)
    to = REVOKED if is_gone else GRANTED
    if granted is None or granted.state == to:
        return []
    granted.state, granted.updated_at = to, clock.now()
    granted.revoked_at = clock.now() if to == REVOKED else None
    session.flush()
    order = lock_order(session, payment.order_id) if payment.order_id else None
    return _told(session, payment, order, to, why)
