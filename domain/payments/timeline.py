"""The three-lane timeline: what the provider says, what we say, what the books say, on one axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core import rail_words
from core.fold import REFUND_SUCCEEDED, VALIDATED
from core.money import Money, asset
from core.permissions import Permission
from core.states import ON_DESK, PaymentSub
from domain.actors import Actor
from domain.delays import deadline_moves
from domain.naming import actor_names
from domain.payments import check_words, fact_words, operation_words, timeline_people
from domain.payments.timeline_items import Item
from domain.reconciliation import booking_entries
from models.disputes import Dispute
from models.inbound import InboundAttempt, InboundEvent
from models.invoices import CreditNote, Invoice
from models.ledger import JournalEntry, Posting
from models.operations import Operation
from models.orders import Order
from models.payments import Payment, PaymentFact, StateChange
from models.refunds import Refund


@dataclass(frozen=True)
class Lags:
    """Seconds between the lanes for the payment's money, or None where a lane has not spoken."""

    provider_to_us_seconds: float | None
    us_to_books_seconds: float | None


def payment_timeline(session: Session, payment: Payment, *, actor: Actor) -> list[Item]:
    """Join everything known of one payment, oldest first; who is not staff sees a redacted view."""
    rails = {payment.id: payment.rail}
    items = _changes(session, StateChange.payment_id == payment.id, rails)
    items += _postings(session, JournalEntry.payment_id == payment.id, actor)
    items += _facts(session, rails, check_words.facts(payment))
    items += _created(payment) + _refunds(session, payment) + _disputes(session, payment)
    if actor.is_staff:
        items += _inbound(session, payment) + _operations(session, payment)
        items += timeline_people.told(session, payment, actor=actor)
    return _named(session, items, actor)


def order_timeline(session: Session, order: Order, *, actor: Actor) -> list[Item]:
    """Join everything known of one order and its payments, oldest first."""
    payments = list(session.scalars(select(Payment).where(Payment.order_id == order.id)))
    rails = {payment.id: payment.rail for payment in payments}
    items = [Item(order.created_at, "us", "created", "Order placed")]
    items += _changes(session, StateChange.order_id == order.id, rails)
    for row in deadline_moves.of_order(session, order.id):
        items.append(
            Item(row.at, "us", "deadline", deadline_moves.words(row), row.actor, row.reason)
        )
    items += _invoices(session, order, actor)
    items += _postings(session, JournalEntry.order_id == order.id, actor)
    items += _facts(session, rails)
    for payment in payments:
        items += _created(payment)
    if not actor.may(Permission.INVOICES_STATUS):
        items = [item for item in items if item.kind != "invoice"]
    return _named(session, items, actor)


def lags(session: Session, payment: Payment) -> Lags:
    """Measure how long the money's fact took to us, and from us to the books."""
    fact = session.scalars(
        select(PaymentFact)
        .where(PaymentFact.payment_id == payment.id, PaymentFact.kind == "succeeded")
        .order_by(PaymentFact.seen_at)
        .limit(1)
    ).first()
    if fact is None:
        return Lags(None, None)
    posted = session.scalar(
        select(JournalEntry.posted_at).where(JournalEntry.source_key == fact.fact_key)
    )
    # The provider tells whole seconds, so the difference can come out just below zero.
    to_us = max(0.0, (fact.seen_at - fact.said_at).total_seconds())
    to_books = None if posted is None else max(0.0, (posted - fact.seen_at).total_seconds())
    return Lags(round(to_us, 1), None if to_books is None else round(to_books, 3))


def _named(session: Session, items: list[Item], actor: Actor) -> list[Item]:
    ids = {item.actor for item in items if item.actor}
    names = actor_names(session, ids, for_staff=actor.is_staff)
    shown = [
        Item(**{**item.__dict__, "actor": names.get(item.actor) if item.actor else None})
        for item in items
    ]
    if not actor.is_staff:
        shown = [Item(**{**item.__dict__, "reason": None}) for item in shown]
    return sorted(shown, key=lambda item: (item.at, _LANES[item.lane], item.kind))


_LANES = {"provider": 0, "us": 1, "books": 2}


def _created(payment: Payment) -> list[Item]:
    amount = Money(payment.amount_minor, asset(payment.asset))
    plain = f"Payment started: {amount.major()} {amount.asset.code} for the {payment.purpose}"
    text = check_words.started(payment) or plain
    references = {"payment": payment.id}
    return [Item(payment.created_at, "us", "created", text, None, None, references, payment.id)]


# What reads alike on every rail; the rest is in `core/rail_words.py`.
_SUB_WORDS: Mapping[str, str] = {
    PaymentSub.NONE: "nothing more is needed",
    PaymentSub.REQUIRES_CAPTURE: "held, waiting for capture",
    PaymentSub.AWAITING_CONFIRMATIONS: "waiting for confirmations",
    PaymentSub.UNKNOWN_OUTCOME: "the provider's answer is not known",
}


def _change_text(change: StateChange, rail: str) -> tuple[str, str]:
    if change.object_kind == "payment_sub":
        said = rail_words.of(rail).sub_states.get(change.new) or _SUB_WORDS[change.new]
        return "progress", said.capitalize()
    if change.object_kind == "escrow":
        return "escrow", f"Escrow {change.old} → {change.new}"
    if change.object_kind == "operation":
        return "operation", f"Request to the provider: {change.new}"
    if change.object_kind == "dispute":
        return "dispute", f"Dispute {change.old} → {change.new}".replace("_", " ")
    if change.object_kind == "refund":
        return "refund", f"Refund {change.old} → {change.new}".replace("_", " ")
    if change.object_kind == "invoice":
        return "invoice", f"Invoice {change.old} → {change.new}".replace("_", " ")
    words = ON_DESK[change.object_kind]
    kind = change.object_kind.capitalize()
    return "state", f"{kind} {words[change.old].lower()} → {words[change.new].lower()}"


def _changes(session: Session, condition: object, rails: Mapping[str, str]) -> list[Item]:
    """List what changed. rails: of each payment that may be among it."""
    kinds = ("payment", "payment_sub", "escrow", "order", "refund", "dispute", "invoice")
    statement = select(StateChange).where(condition, StateChange.object_kind.in_(kinds))  # type: ignore[arg-type]
    items = []
    for change in session.scalars(statement):
        if change.object_kind == "payment_sub" and change.new == PaymentSub.NONE:
            continue
        kind, text = _change_text(change, rails.get(change.payment_id or "", ""))
        references = {"mapping": str(change.mapping_version), "source": change.source}
        level = "strong" if kind == "state" else "plain"
        items.append(
            Item(
                change.at,
                "us",
                kind,
                text,
                change.actor,
                change.reason,
                references,
                change.payment_id,
                level,
            )
        )
    return items


def _facts(
    session: Session, rails: Mapping[str, str], own: Mapping[str, str] | None = None
) -> list[Item]:
    """List what was said of payments. rails: by payment; own: words by kind, where one has its own."""
    statement = select(PaymentFact).where(PaymentFact.payment_id.in_(rails))
    items = []
    for fact in session.scalars(statement):
        text = (own or {}).get(fact.kind) or fact_words.of(fact, rails[fact.payment_id])
        # That a hold which proved its card was let go is no failure, so it has no reason.
        if fact.code and not (own and fact.kind == "cancelled"):
            text += f" ({fact.code})"
        references = {"heard": fact.source, "fact": fact.fact_key}
        level = "strong" if fact.kind in ("succeeded", VALIDATED, REFUND_SUCCEEDED) else "plain"
        level = "bad" if fact.kind in fact_words.BAD else level
        items.append(
            Item(
                fact.said_at,
                "us" if fact.kind in fact_words.BY_HAND else "provider",
                "mark" if fact.kind in fact_words.BY_HAND else "fact",
                text,
                None,
                fact.message,
                references,
                fact.payment_id,
                level,
            )
        )
    return items


def _inbound(session: Session, payment: Payment) -> list[Item]:
    items = []
    rows = session.scalars(select(InboundEvent).where(InboundEvent.payment_id == payment.id))
    for row in rows:
        text = f"Webhook {row.type} received"
        if row.duplicates:
            text += f", {row.duplicates} more times"
        references = {"event": row.provider_event_id or "", "inbound": row.id}
        items.append(
            Item(row.received_at, "provider", "webhook", text, None, None, references, payment.id)
        )
    statement = (
        select(InboundAttempt, InboundEvent.type)
        .join(InboundEvent, InboundEvent.id == InboundAttempt.inbound_id)
        .where(
            InboundEvent.payment_id == payment.id,
            or_(InboundAttempt.is_replay, InboundAttempt.outcome.in_(("failed", "dead"))),
        )
    )
    for attempt, kind in session.execute(statement):
        act = "Replayed" if attempt.is_replay else "Applied"
        text = f"{act} {kind}: {attempt.outcome.replace('_', ' ')}"
        level = "bad" if attempt.outcome in ("failed", "dead") else "plain"
        references = {"inbound": attempt.inbound_id}
        reason = attempt.reason or attempt.error
        items.append(
            Item(
                attempt.at,
                "us",
                "attempt",
                text,
                attempt.actor,
                reason,
                references,
                payment.id,
                level,
            )
        )
    return items


def _refunds(session: Session, payment: Payment) -> list[Item]:
    items = []
    for row in session.scalars(select(Refund).where(Refund.payment_id == payment.id)):
        amount = Money(row.amount_minor, asset(row.asset))
        text = f"Refund of {amount.major()} {amount.asset.code} asked for"
        if row.requested_kind == "provider":
            text = f"{amount.major()} {amount.asset.code} given back outside Paydesk"
        references = {"refund": row.id, "approval": row.approval_id or ""}
        by = row.requested_by if row.requested_kind in ("user", "key") else None
        items.append(
            Item(row.created_at, "us", "refund", text, by, row.reason, references, payment.id)
        )
    return items


def _disputes(session: Session, payment: Payment) -> list[Item]:
    items = []
    for row in session.scalars(select(Dispute).where(Dispute.payment_id == payment.id)):
        amount = Money(row.amount_minor, asset(row.asset))
        said = (row.reason or "no reason given").replace("_", " ")
        text = f"Dispute of {amount.major()} {amount.asset.code} opened ({said})"
        references = {"dispute": row.id, "reference": row.provider_reference}
        items.append(
            Item(
                *(row.opened_at, "provider", "dispute", text),
                references=references,
                payment_id=payment.id,
                level="bad",
            )
        )
    return items


def _invoices(session: Session, order: Order, actor: Actor) -> list[Item]:
    """Tell which invoices and credit notes were issued; what became of them is told by their states.

    Who may only know how they stand reads no amount.
    """
    items, shows_sums = [], actor.may(Permission.INVOICES_READ)
    for row in session.scalars(select(Invoice).where(Invoice.order_id == order.id)):
        total = Money(row.total_minor, asset(row.asset))
        over = f" over {total.major()} {total.asset.code}" if shows_sums else ""
        text = f"Invoice {row.number}{over} opened"
        items.append(Item(row.created_at, "us", "invoice", text, references={"invoice": row.id}))
    for note in session.scalars(select(CreditNote).where(CreditNote.order_id == order.id)):
        amount = Money(note.amount_minor, asset(note.asset))
        over = f" over {amount.major()} {amount.asset.code}" if shows_sums else ""
        text = f"Credit note {note.number}{over} issued"
        named = {"creditNote": note.id, "invoice": note.invoice_id}
        items.append(Item(note.created_at, "us", "invoice", text, references=named))
    return items


def _operations(session: Session, payment: Payment) -> list[Item]:
    items = []
    for row in session.scalars(select(Operation).where(Operation.payment_id == payment.id)):
        said, names = operation_words.sentence(row), {"operation": row.id}
        names["reference"] = row.provider_reference or ""
        level = "bad" if row.state in ("failed", "unknown") else "plain"
        why, at = row.error_message or row.last_error, row.created_at
        items.append(Item(at, "us", "operation", said, row.actor, why, names, payment.id, level))
    return items


def _postings(session: Session, condition: ColumnElement[bool], actor: Actor) -> list[Item]:
    """List what was booked; what a provider keeps of it is between the provider and the house."""
    shown = () if actor.is_staff else (JournalEntry.kind.not_in(booking_entries.KINDS),)
    statement = (
        select(JournalEntry, Posting)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(condition, Posting.amount_minor < 0, *shown)
        .order_by(JournalEntry.posted_at, Posting.line)
    )
    items = []
    for entry, line in session.execute(statement):
        amount = Money(-line.amount_minor, asset(line.asset))
        text = f"{amount.major()} {amount.asset.code} credited to {line.address}"
        references = {"entry": entry.id}
        items.append(
            Item(
                entry.posted_at,
                "books",
                entry.kind,
                text,
                None,
                entry.note,
                references,
                entry.payment_id,
                "strong",
            )
        )
    return items
