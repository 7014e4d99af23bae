"""Transactions: payments without an order, each written down before its provider is asked (source 002)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Forbidden, IdempotencyMismatch, NotFound
from core.money import Money
from core.purposes import Purpose
from core.states import MAPPING_VERSION, Escrow, Kyc, PaymentSub
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
    once when there is no such name; method_id: the kept card, with how its brand and end are shown;
    open_seconds: how long its payer has, None: no limit of ours; method: what it is made of at its provider.
    """

    purpose: Purpose
    user_id: str
    kind: str
    amount: Money
    open_key: str
    request: dict[str, Json] = field(default_factory=dict)
    key: str | None = None
    method_id: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    open_seconds: int | None = None
    method: str = "intent"
    provider: str = "stripe"
    livemode: bool = False
    demo: bool = False


def begin(session: Session, wanted: TransactionWanted, *, actor: Actor, source: str) -> Begun:
    """Write a transaction and its operation down, or take up the one that has this key.

    The person's row is locked, and unique keys stand behind the check. An ended transaction of the same
    `key` is given back as it ended, with nothing to run.
    Writes: payments, operations, event_log, audit_log. Emits: payment.created, transaction.created.
    Raises: NotFound, IdempotencyMismatch, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    rail = registry.configured(wanted.provider, livemode=wanted.livemode)
    is_demo = lock_person(session, wanted.user_id)
    if (payment := _known(session, wanted)) is not None:
        return _take_up(session, payment, wanted)
    payment = _row(session, wanted, rail.rail, actor)
    # Whatever the demo traffic's people do is demo data.
    payment.demo = wanted.demo or is_demo
    session.add(payment)
    session.flush()
    asked = operations.Wanted(wanted.kind, f"create:{payment.id}", payment, wanted.request)
    operation = operations.prepare(session, asked, actor=actor)
    _announce(session, payment, actor=actor, source=source)
    return Begun(payment, operation, operation.fence, is_new=True)


def lock_person(session: Session, user_id: str) -> bool:
    """Lock a person's row; their transactions begin one after the other. Gives whether it is a demo's.

    Raises: NotFound. Transaction: caller's.
    """
    statement = select(User.demo).where(User.id == user_id).with_for_update(key_share=True)
    is_demo = session.scalar(statement)
    if is_demo is None:
        raise NotFound
    return is_demo


def assert_verified(session: Session, user_id: str) -> None:
    """Refuse money for somebody whose identity is not verified, whoever acts for them.

    Raises: Forbidden KYC_REQUIRED. Transaction: caller's, reads only.
    """
    if session.get_one(User, user_id).kyc != Kyc.APPROVED:
        raise Forbidden("Their identity is not verified yet.", code="KYC_REQUIRED")


def _known(session: Session, wanted: TransactionWanted) -> Payment | None:
    statement = select(Payment).where(Payment.order_id.is_(None))
    if wanted.key is not None:
        return find_by_key(session, wanted.user_id, wanted.purpose, wanted.key)
    return session.scalars(statement.where(Payment.open_key == wanted.open_key)).first()


def find_by_key(session: Session, user_id: str, purpose: Purpose, key: str) -> Payment | None:
    """Find the transaction that a person's own name for it was used for, whatever became of it."""
    statement = select(Payment).where(
        Payment.order_id.is_(None),
        Payment.buyer_id == user_id,
        Payment.purpose == purpose.value,
        Payment.reference == key,
    )
    return session.scalars(statement).first()


def _take_up(session: Session, payment: Payment, wanted: TransactionWanted) -> Begun:
    same = (wanted.amount.minor, str(wanted.amount.asset), wanted.method_id)
    if (payment.amount_minor, payment.asset, payment.method_id) != same:
        raise IdempotencyMismatch("This key was used for another amount or card. Use a new key.")
    return go_on(session, payment)


def go_on(session: Session, payment: Payment) -> Begun:
    """Go on with a transaction whose creation has not finished; fence None: it has.

    Writes: operations. Raises: LostRace when the provider is being asked right now. Transaction: caller's.
    """
    operation = session.scalars(
        select(Operation).where(Operation.business_key == f"create:{payment.id}")
    ).one()
    if operation.state in operations.UNFINISHED:
        fence = operations.take(session, operation)
        # Whoever was asking meanwhile may have finished; then there is nothing left to ask.
        if operation.state in operations.UNFINISHED:
            # It is asked again now, so that it was absent before says nothing any more.
            operation.request = _without(operation.request, "absentSince")
            session.flush()
            session.refresh(payment)
            return Begun(payment, operation, fence, is_new=False)
        operation.lease_until = None
        session.flush()
    # It was read before its operation, and both were settled together.
    session.refresh(payment)
    return Begun(payment, operation, None, is_new=False)


def _without(said: dict[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in said.items() if key != name}


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
        method=wanted.method,
        direction="in",
        public_id=ids.new("pp"),
        open_key=None if wanted.key is not None else wanted.open_key,
        buyer_id=wanted.user_id,
        merchant_id=actor.merchant_id or house_merchant(session).id,
        method_id=wanted.method_id,
        card_brand=wanted.card_brand,
        card_last4=wanted.card_last4,
        expires_at=clock.after(wanted.open_seconds) if wanted.open_seconds else None,
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
