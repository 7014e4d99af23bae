"""Reading the inbox: lists, one event with its attempts, what it did, its redacted content; no writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.orm import Session, defer

from core import redaction, strictjson
from core.errors import NotFound
from core.strictjson import Json
from domain.inbox import inbox
from domain.payments.payments import LONGEST_PAGE, Page
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry
from models.payments import Payment, StateChange
from models.secrets import SecretVersion

# What identifies the row itself is not an effect of it.
_OWN_EVENTS = "inbound."
LARGEST_EXPONENT = 30


@dataclass(frozen=True)
class InboundFilter:
    """What to list. Empty means all; `q` is the one search box."""

    provider: Sequence[str] = ()
    type: Sequence[str] = ()
    state: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    q: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None


@dataclass(frozen=True)
class Effect:
    """One thing that an inbound event did. kind: change, entry, event or case."""

    kind: str
    id: str
    at: datetime
    text: str
    object_id: str | None


def matching(session: Session, text: str) -> ColumnElement[bool]:
    """Turn the search box's text into a condition: each name an event may be known by is indexed."""
    text = text.strip()
    of_order = select(Payment.id).where(Payment.order_id == text)
    payments = [text, *session.scalars(of_order.limit(LONGEST_PAGE))]
    return or_(
        InboundEvent.id == text,
        InboundEvent.provider_event_id == text,
        InboundEvent.object_reference == text,
        InboundEvent.payment_id.in_(payments),
    )


def _conditions(session: Session, wanted: InboundFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.provider:
        # Not the bare column: SQLite would collect and sort every event of the provider by its
        # unique key, where the list's own order finds one page at once.
        found.append(InboundEvent.provider.concat("").in_(wanted.provider))
    if wanted.type:
        found.append(InboundEvent.type.in_(wanted.type))
    if wanted.state:
        found.append(InboundEvent.state.in_(wanted.state))
    if wanted.payment_id:
        found.append(InboundEvent.payment_id.in_(wanted.payment_id))
    if wanted.received_from:
        found.append(InboundEvent.received_at >= wanted.received_from)
    if wanted.received_to:
        found.append(InboundEvent.received_at < wanted.received_to)
    if wanted.q and wanted.q.strip():
        found.append(matching(session, wanted.q))
    return found


def list_inbound(
    session: Session, wanted: InboundFilter, *, page: Page
) -> tuple[list[InboundEvent], tuple[datetime, str] | None]:
    """List inbound events, newest first, with where the next page begins; sealed bodies stay out.

    Transaction: caller's, reads only.
    """
    statement = select(InboundEvent).where(*_conditions(session, wanted))
    statement = statement.options(defer(InboundEvent.body_sealed, raiseload=True))
    if page.before:
        place = tuple_(InboundEvent.received_at, InboundEvent.id)
        statement = statement.where(place < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (InboundEvent.received_at.desc(), InboundEvent.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.received_at, more.id) if more else None


def get_inbound(session: Session, inbound_id: str) -> InboundEvent:
    """Fetch one inbound event; who may see any of them may see all.

    Raises: NotFound
    """
    row = session.get(InboundEvent, inbound_id)
    if row is None:
        raise NotFound
    return row


def secret_numbers(session: Session) -> dict[str, int]:
    """Give the number of each secret version by its id, for saying which one verified a delivery."""
    rows = session.execute(select(SecretVersion.id, SecretVersion.version))
    return {row.id: row.version for row in rows}


def attempts_of(session: Session, inbound_id: str) -> list[InboundAttempt]:
    """List the attempts on one event, first to last."""
    statement = select(InboundAttempt).where(InboundAttempt.inbound_id == inbound_id)
    return list(session.scalars(statement.order_by(InboundAttempt.no)))


def content_of(row: InboundEvent) -> Json:
    """Give what an event says with personal, secret and card fields masked; None when it was purged.

    A body that is no JSON document is told by its length only: nothing in it can be masked by name.
    """
    try:
        body = inbox.stored_body(row)
    except NotFound:
        return None
    try:
        return _writable(redaction.redacted(strictjson.loads(body)))
    except strictjson.Unreadable as error:
        return {"unreadable": str(error), "bytes": len(body)}


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _writable(value: Json) -> Json:
    """Make a foreign value one that can be written again.

    A number with a huge exponent becomes its text: spelled out it would fill the memory. Half of a
    surrogate pair becomes a question mark: it has no bytes.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return (
            value if isinstance(exponent, int) and abs(exponent) <= LARGEST_EXPONENT else str(value)
        )
    return value


def headers_of(row: InboundEvent) -> dict[str, Json]:
    """Give the kept headers with signatures shortened to what tells the scheme."""
    shown: dict[str, Json] = {}
    for name, value in row.headers.items():
        text = redaction.mask_text(str(value))
        is_signature = "signature" in name.lower()
        shown[name] = f"{text[:24]}{redaction.MASK}" if is_signature and len(text) > 24 else text
    return shown


def effects_of(session: Session, inbound_id: str) -> list[Effect]:
    """List what an event did: state changes, entries, events told, cases opened, in their order.

    Transaction: caller's, reads only.
    """
    source = f"inbound:{inbound_id}"
    found = [
        Effect("change", row.id, row.at, f"{row.object_kind} {row.old} → {row.new}", row.object_id)
        for row in session.scalars(select(StateChange).where(StateChange.source == source))
    ]
    found += [
        Effect("entry", row.id, row.posted_at, f"journal entry {row.kind}", row.payment_id)
        for row in session.scalars(select(JournalEntry).where(JournalEntry.source == source))
    ]
    found += [
        Effect("event", row.id, row.at, row.type, row.object_id)
        for row in session.scalars(select(EventLog).where(EventLog.source == source))
        if not row.type.startswith(_OWN_EVENTS)
    ]
    found += [
        Effect("case", row.id, row.opened_at, f"{row.kind}: {row.sentence}", row.payment_id)
        for row in session.scalars(select(ExceptionCase).where(ExceptionCase.source == source))
    ]
    return sorted(found, key=lambda effect: (effect.at, effect.id))
