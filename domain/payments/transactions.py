"""Transactions: payments without an order, each written down before its provider is asked (source 002)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, NotFound
from core.money import Money
from core.purposes import Purpose
from core.states import MAPPING_VERSION, Escrow, PaymentSub
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.orders.orders import house_merchant
from domain.payments import operations, payment_events
from domain.payments.intents import Begun
from domain.transitions import Why
from models.operations import Operation
from models.payments import Payment
from models.people import User
from providers import registry


@dataclass(frozen=True)
class TransactionWanted:
    """What a person, or a merchant for one, asks for.

    kind: the operation to run; request: what it needs beside the payment; amount: zero of an asset for a
    card setup; key: the payer's own name for it, used once for ever; open_key: what may be under way only
    once when there is no such name; method_id: the kept card.
    """

    purpose: Purpose
    user_id: str
    kind: str
    amount: Money
    open_key: str
    request: dict[str, Json] = field(default_factory=dict)
    key: str | None = None
    method_id: str | None = None
    provider: str = "stripe"
    livemode: bool = False
    demo: bool = False


def begin(session: Session, wanted: TransactionWanted, *, actor: Actor, source: str) -> Begun:
    """Write a transaction and its operation down, or take up the one that has this key.

    The person's row is locked, and unique keys stand behind the check. An ended transaction of the same
    `key` is given back as it ended, with nothing to run.
    Writes: payments, operations, event_log, audit_log. Emits: payment.created, transaction.created.
    Raises: NotFound, Conflict IDEMPOTENCY_KEY_REUSED, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    rail = registry.configured(wanted.provider, livemode=wanted.livemode)
    _lock_person(session, wanted.user_id)
    if (payment := _known(session, wanted)) is not None:
        return _take_up(session, payment, wanted)
    payment = _row(session, wanted, rail.rail, actor)
    session.add(payment)
    session.flush()
    asked = operations.Wanted(wanted.kind, f"create:{payment.id}", payment, wanted.request)
    operation = operations.prepare(session, asked, actor=actor)
    _announce(session, payment, actor=actor, source=source)
    return Begun(payment, operation, operation.fence, is_new=True)


def _lock_person(session: Session, user_id: str) -> None:
    statement = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    if session.scalar(statement) is None:
        raise NotFound


def _known(session: Session, wanted: TransactionWanted) -> Payment | None:
    statement = select(Payment).where(Payment.order_id.is_(None))
    if wanted.key is not None:
        return session.scalars(
            statement.where(
                Payment.buyer_id == wanted.user_id,
                Payment.purpose == wanted.purpose.value,
                Payment.reference == wanted.key,
            )
        ).first()
    return session.scalars(statement.where(Payment.open_key == wanted.open_key)).first()


def _take_up(session: Session, payment: Payment, wanted: TransactionWanted) -> Begun:
    same = (wanted.amount.minor, str(wanted.amount.asset), wanted.method_id)
    if (payment.amount_minor, payment.asset, payment.method_id) != same:
        raise Conflict(
            "This key was used for another amount or card.",
            code="IDEMPOTENCY_KEY_REUSED",
            details={"transactionId": payment.id},
        )
    operation = session.scalars(
        select(Operation).where(Operation.business_key == f"create:{payment.id}")
    ).one()
    if operation.state in operations.UNFINISHED:
        return Begun(payment, operation, operations.take(session, operation), is_new=False)
    return Begun(payment, operation, None, is_new=False)


def _row(session: Session, wanted: TransactionWanted, rail: str, actor: Actor) -> Payment:
    now = clock.now()
    return Payment(
        id=ids.new("pay"),
        order_id=None,
        purpose=wanted.purpose.value,
        status=Status.PENDING.value,
        sub_state=PaymentSub.NONE.value,
        escrow_state=Escrow.UNFUNDED.value,
        mapping_version=MAPPING_VERSION,
        asset=str(wanted.amount.asset),
        amount_minor=wanted.amount.minor,
        rail=rail,
        provider=wanted.provider,
        method="intent",
        direction="in",
        public_id=ids.new("pp"),
        open_key=None if wanted.key is not None else wanted.open_key,
        buyer_id=wanted.user_id,
        merchant_id=actor.merchant_id or house_merchant(session).id,
        method_id=wanted.method_id,
        effect_state="none",
        reference=wanted.key,
        meta={},
        received_minor=0,
        capturable_minor=0,
        refunded_minor=0,
        refunding_minor=0,
        credited_minor=0,
        event_sequence=1,
        check_count=0,
        fence=0,
        livemode=wanted.livemode,
        demo=wanted.demo,
        created_at=now,
        updated_at=now,
    )


def _announce(session: Session, payment: Payment, *, actor: Actor, source: str) -> None:
    told = [
        payment_events.created_row(payment, source=source),
        payment_events.transaction_row(
            session, payment, "transaction.created", why=Why(actor, source)
        ),
    ]
    events.append(session, told)
    audit.write(
        session,
        "payment.create",
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=source,
        after={
            "amountMinor": payment.amount_minor,
            "asset": payment.asset,
            "purpose": payment.purpose,
            "userId": payment.buyer_id,
        },
    )
