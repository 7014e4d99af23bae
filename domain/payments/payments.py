"""Payments: read within one's own tenancy, found by one search box, noted on, asked about, cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock, hashing, ids, rail_words
from core.errors import Conflict, IllegalTransition, NotFound
from core.states import OPEN_PAYMENT, Case, Lifecycle, PaymentSub, Role
from core.states import Payment as Status
from domain import audit, database, events
from domain.actors import Actor
from domain.orders.orders import visible
from domain.payments import captures, operations
from models.cases import ExceptionCase
from models.operations import Operation
from models.payments import Payment, PaymentNote

LONGEST_PAGE = 200


@dataclass(frozen=True)
class Page:
    """Where a list goes on: at most `limit` rows older than `before` (created at, id)."""

    limit: int = 50
    before: tuple[datetime, str] | None = None


@dataclass(frozen=True)
class PaymentFilter:
    """What to list. Empty means all; `q` is the one search box."""

    status: Sequence[str] = ()
    lifecycle: Sequence[str] = ()
    rail: Sequence[str] = ()
    provider: Sequence[str] = ()
    order_id: Sequence[str] = ()
    exception: Sequence[str] = ()
    escrow_state: Sequence[str] = ()
    subscription_ref: Sequence[str] = ()
    demo: bool | None = None
    q: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    ids: Sequence[str] = field(default_factory=tuple)


def _in(column: InstrumentedAttribute[str], values: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(values)] if values else []


def _in_lifecycle(words: Sequence[str]) -> ColumnElement[bool]:
    """Turn source 004's words back into the stored columns."""
    parts: list[ColumnElement[bool]] = []
    statuses = {
        Lifecycle.PENDING: Status.PENDING,
        Lifecycle.PAID: Status.PROCESSING,
        Lifecycle.CONFIRMED: Status.COMPLETED,
        Lifecycle.CANCELLED: Status.CANCELLED,
        Lifecycle.RELEASED: Status.RELEASED,
        Lifecycle.REFUNDED: Status.REFUNDED,
    }
    for word in words:
        if word in (Lifecycle.EXPIRED, Lifecycle.FAILED):
            expired = Payment.failure_reason == "expired"
            which = (
                expired
                if word == Lifecycle.EXPIRED
                else or_(~expired, Payment.failure_reason.is_(None))
            )
            parts.append(and_(Payment.status == Status.FAILED, which))
        elif word in statuses:
            parts.append(Payment.status == statuses[Lifecycle(word)])
    return or_(*parts)


def _open_case_payments(kinds: Sequence[str]) -> ColumnElement[bool]:
    open_states = (Case.OPEN.value, Case.ASSIGNED.value)
    cases = select(ExceptionCase.payment_id).where(ExceptionCase.state.in_(open_states))
    return Payment.id.in_(cases.where(ExceptionCase.kind.in_(kinds)))


def conditions_of(wanted: PaymentFilter, *, actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions of a list: tenancy first, then the filters; `q` is resolved by its reader."""
    found = visible(actor, Payment)
    found += _in(Payment.status, wanted.status) + _in(Payment.rail, wanted.rail)
    found += _in(Payment.provider, wanted.provider) + _in(Payment.escrow_state, wanted.escrow_state)
    found += [Payment.order_id.in_(wanted.order_id)] if wanted.order_id else []
    found += (
        [Payment.subscription_ref.in_(wanted.subscription_ref)] if wanted.subscription_ref else []
    )
    found += [Payment.id.in_(wanted.ids)] if wanted.ids else []
    if wanted.lifecycle:
        found.append(_in_lifecycle(wanted.lifecycle))
    if wanted.exception:
        found.append(_open_case_payments(wanted.exception))
    if wanted.demo is not None:
        found.append(Payment.demo.is_(wanted.demo))
    if wanted.created_from:
        found.append(Payment.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(Payment.created_at < wanted.created_to)
    return found


def get_payment(session: Session, payment_id: str, *, actor: Actor) -> Payment:
    """Fetch a payment that the actor may see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = select(Payment).where(Payment.id == payment_id, *visible(actor, Payment))
    payment = session.scalars(statement).first()
    if payment is None:
        raise NotFound
    return payment


def get_by_public_id(session: Session, public_id: str) -> Payment:
    """Fetch a payment by the unguessable id of its pay page.

    Raises: NotFound
    """
    payment = session.scalars(select(Payment).where(Payment.public_id == public_id)).first()
    if payment is None:
        raise NotFound
    return payment


def get_by_reference(session: Session, provider: str, reference: str) -> Payment:
    """Fetch a payment by its provider's own name of it.

    Raises: NotFound
    """
    is_meant = (Payment.provider == provider, Payment.provider_reference == reference)
    payment = session.scalars(select(Payment).where(*is_meant)).first() if reference else None
    if payment is None:
        raise NotFound
    return payment


def open_cases_of(session: Session, payment_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Give the kinds of the open cases of several payments."""
    found: dict[str, list[str]] = {payment_id: [] for payment_id in payment_ids}
    states = (Case.OPEN.value, Case.ASSIGNED.value)
    statement = select(ExceptionCase.payment_id, ExceptionCase.kind).where(
        ExceptionCase.payment_id.in_(payment_ids), ExceptionCase.state.in_(states)
    )
    for payment_id, kind in session.execute(statement.order_by(ExceptionCase.opened_at)):
        if payment_id is not None and kind not in found[payment_id]:
            found[payment_id].append(kind)
    return found


def add_note(session: Session, payment: Payment, note: str, *, actor: Actor, source: str) -> str:
    """Write a person's note on a payment; the same text by the same person is kept once.

    Gives the note's id. Writes: payment_notes, event_log, audit_log. Emits: payment.noted.
    Transaction: caller's.
    """
    text_hash = hashing.sha256(note.encode())
    values = {
        "id": ids.new("not"),
        "payment_id": payment.id,
        "actor": actor.id,
        "note": note,
        "text_hash": text_hash,
        "at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(PaymentNote).values(values).on_conflict_do_nothing()
    written = session.execute(statement.returning(PaymentNote.id)).scalar()
    if written is None:
        same = select(PaymentNote.id).where(
            PaymentNote.payment_id == payment.id,
            PaymentNote.actor == actor.id,
            PaymentNote.text_hash == text_hash,
        )
        return str(session.scalar(same))
    about = events.about_payment(payment, audience="staff")
    body = {"noteId": written, "actor": actor.id}
    told = events.row("payment.noted", about, source=source, status=payment.status, body=body)
    events.append(session, [told])
    audit.write(
        session,
        "payment.note",
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=source,
        after={"noteId": written},
    )
    return str(written)


_SENT = "The payer's bank has the order already, and nobody can call it back. Refund it once it has arrived."


def why_beyond_recall(payment: Payment, actor: Actor) -> str | None:
    """Say why somebody cannot end a payment that is still open; None when they can.

    What a bank was told to send arrives or fails by itself. A hold is the merchant's or staff's to give up.
    """
    if actor.role == Role.BUYER and payment.status == Status.PROCESSING:
        return rail_words.of(payment.rail).buyer_waits
    return _SENT if payment.sub_state == PaymentSub.AWAITING_BANK else None


def begin_cancel(
    session: Session, payment_id: str, *, actor: Actor, reason: str
) -> tuple[Payment, Operation | None, int | None]:
    """Write down that an open payment shall end; the provider is asked after the commit.

    Gives the payment with its operation and fencing token, or no operation when it has ended so.
    Writes: operations, audit_log. Raises: NotFound, IllegalTransition, LostRace.
    Transaction: caller's.
    """
    payment = get_payment(session, payment_id, actor=actor)
    statement = select(Payment).where(Payment.id == payment.id).with_for_update(key_share=True)
    payment = session.scalars(statement.execution_options(populate_existing=True)).one()
    if payment.status == Status.CANCELLED:
        return payment, None, None
    if payment.status not in OPEN_PAYMENT or payment.provider_reference is None:
        raise IllegalTransition("payment", payment.status, "cancelled")
    if (said := why_beyond_recall(payment, actor)) is not None:
        raise Conflict(said, code=IllegalTransition.code)
    if (known := captures.under_way(session, payment)) is not None:
        if known.kind != "cancel":
            raise captures.already_asked(known)
        return payment, known, operations.take(session, known)
    # A cancel that the provider refused may be asked for again: it moves no money.
    before = operations.find_by_key(session, f"cancel:{payment.id}")
    key = f"cancel:{payment.id}" if before is None else f"cancel:{payment.id}:{ids.new('try')}"
    wanted = operations.Wanted("cancel", key, payment, {"reason": reason})
    operation = operations.prepare(session, wanted, actor=actor)
    audit.write(
        session,
        "payment.cancel",
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=f"operation:{operation.id}",
        reason=reason,
    )
    return payment, operation, operation.fence
