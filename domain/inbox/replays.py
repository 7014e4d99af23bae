"""Replay with a preview: the same code in a transaction that is rolled back shows what it would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import hashing
from core.errors import AppError, Conflict, Gone, NotFound, UnmappedProviderValue
from core.states import Inbound
from core.strictjson import Json
from domain import database, pending
from domain.actors import Actor
from domain.inbox import inbox
from domain.transitions import Why
from models.events import EventLog
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment, StateChange
from models.refunds import Refund
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.said import Reading

Row = Mapping[str, object]
_NUMBERS = {
    "payment": (
        *("received_minor", "capturable_minor", "refunded_minor", "refunding_minor"),
        *("card_brand", "card_last4"),
    ),
    "order": ("paid_minor", "request_status"),
}


@dataclass(frozen=True)
class Preview:
    """What a replay would do. verdict: would_apply, no_op, superseded or unsafe.

    diff: object, field, before, after; postings: debit, credit, amountMinor, asset.
    """

    verdict: str
    why: str
    diff: list[dict[str, Json]]
    effects: list[str]
    postings: list[dict[str, Json]]
    events: list[str]

    @property
    def hash(self) -> str:
        """What the preview says, so that applying it can refuse when it has changed."""
        said = [self.verdict, self.diff, self.postings, sorted(self.events)]
        return hashing.sha256(repr(said).encode())


@dataclass(frozen=True)
class Replayed:
    """What a replay did."""

    attempt_no: int
    preview: Preview


def _unsafe(why: str) -> Preview:
    return Preview("unsafe", why, [], [], [], [])


def _find(session: Session, inbound_id: str) -> InboundEvent:
    row = session.get(InboundEvent, inbound_id)
    if row is None:
        raise NotFound
    if row.body_sealed is None:
        raise Gone("The body of this event is kept no longer. Backfill from the provider instead.")
    return row


def _reading(inbound_id: str) -> Reading | Preview:
    """Read the stored bytes; ask the provider first where its snapshot does not suffice."""
    with database.reading() as session:
        row = _find(session, inbound_id)
    if row.state == Inbound.QUARANTINED and row.type == "unreadable":
        return _unsafe(row.verdict or "the body cannot be read")
    if row.account or row.mode != registry.get(row.provider).mode:
        return _unsafe(row.verdict or "the event is of another account or mode")
    try:
        reading = inbox.read(row)
        if reading.fetch is None:
            return reading
        return registry.configured(row.provider).fetch(reading.references[0])
    except (UnreadableDelivery, UnmappedProviderValue, AppError) as error:
        return _unsafe(str(error))


def preview(inbound_id: str, *, actor: Actor) -> Preview:
    """Show what applying an event again would do; nothing is kept.

    Calls: the provider, where the event is only a hint. Raises: NotFound, Gone.
    Transaction: opens its own and rolls it back.
    """
    reading = _reading(inbound_id)
    if isinstance(reading, Preview):
        return reading
    why = Why(actor, f"inbound:{inbound_id}", "preview", is_replay=True)
    try:
        with database.rehearsal() as session:
            _run(session, inbound_id, reading, why)
            found = _collect(session)
    except (AppError, IntegrityError) as error:
        return _unsafe(error.message if isinstance(error, AppError) else "a unique key refuses it")
    return found


def replay(
    inbound_id: str,
    *,
    actor: Actor,
    reason: str,
    preview_hash: str | None = None,
    once_key: str | None = None,
) -> Replayed:
    """Apply an event again, as a new attempt with actor and reason; processed effects stay once.

    preview_hash: what the actor saw; another outcome is refused. once_key: a second call with the
    same key changes nothing and gives the first one's attempt.
    Writes, Emits: as the event's effects. Raises: NotFound, Gone, Conflict (PREVIEW_STALE,
    UNSAFE_REPLAY). Calls: the provider, where the event is only a hint. Transaction: opens its own.
    """
    reading = _reading(inbound_id)
    if isinstance(reading, Preview):
        raise Conflict(f"This event cannot be replayed: {reading.why}.", code="UNSAFE_REPLAY")
    why = Why(actor, f"inbound:{inbound_id}", reason, is_replay=True, once_key=once_key)
    try:
        with database.transaction() as session:
            row = _run(session, inbound_id, reading, why)
            done = _collect(session)
            if preview_hash is not None and preview_hash != done.hash:
                raise Conflict("The outcome has changed since the preview.", code="PREVIEW_STALE")
            return Replayed(row.attempts, done)
    except IntegrityError:
        first = _first_with(once_key)
        if first is None:
            raise
        return Replayed(first, Preview("no_op", "this replay was done already", [], [], [], []))


def _first_with(once_key: str | None) -> int | None:
    if once_key is None:
        return None
    with database.reading() as session:
        statement = select(InboundAttempt.no).where(InboundAttempt.replay_key == once_key)
        return session.scalar(statement)


def _run(session: Session, inbound_id: str, reading: Reading, why: Why) -> InboundEvent:
    statement = select(InboundEvent).where(InboundEvent.id == inbound_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).one()
    inbox.apply(session, row, reading, why=why, waits=True)
    pending.write_rows(session)
    return row


def _collect(session: Session) -> Preview:
    """Say what the running transaction has changed so far."""
    moved = [
        row for row in pending.kept_rows(session, StateChange) if row["object_kind"] != "inbound"
    ]
    postings = _postings(session)
    told = [
        str(row["type"])
        for row in pending.kept_rows(session, EventLog)
        if not str(row["type"]).startswith("inbound.")
    ]
    attempt = pending.kept_rows(session, InboundAttempt)[-1]
    row = session.get_one(InboundEvent, str(attempt["inbound_id"]))
    new = _new_refunds(moved)
    diff = [_change(change, new) for change in moved] + _numbers(session, row)
    effects = _effects(session, diff, postings)
    return Preview(
        _verdict(str(attempt["outcome"]), diff, effects),
        str(row.verdict),
        diff,
        effects,
        postings,
        told,
    )


def _new_refunds(moved: Sequence[Row]) -> set[str]:
    """Find the refunds that this transaction makes: their ids are other ones each time it is tried."""
    names = {str(row["object_id"]) for row in moved if row["object_kind"] == "refund"}
    if not names:
        return names
    with Session(database.engine()) as committed:
        known = set(committed.scalars(select(Refund.id).where(Refund.id.in_(names))))
        committed.rollback()
    return names - known


def _change(row: Row, new: Collection[str]) -> dict[str, Json]:
    name = str(row["object_id"])
    return {
        "object": "new refund" if name in new else name,
        "field": {"payment_sub": "sub_state", "escrow": "escrow_state"}.get(
            str(row["object_kind"]), "status"
        ),
        "before": str(row["old"]),
        "after": str(row["new"]),
    }


def _numbers(session: Session, row: InboundEvent) -> list[dict[str, Json]]:
    """Compare the plain columns with what is committed."""
    if row.payment_id is None:
        return []
    found: list[dict[str, Json]] = []
    payment = session.get_one(Payment, row.payment_id)
    with Session(database.engine()) as committed:
        before = committed.get(Payment, payment.id)
        found += _compare(before, payment, "payment")
        if payment.order_id is not None:
            order = session.get_one(Order, payment.order_id)
            found += _compare(committed.get(Order, order.id), order, "order")
        committed.rollback()
    return found


def _compare(
    before: Payment | Order | None, after: Payment | Order, kind: str
) -> list[dict[str, Json]]:
    return [
        {
            "object": after.id,
            "field": name,
            "before": getattr(before, name, None),
            "after": getattr(after, name),
        }
        for name in _NUMBERS[kind]
        if getattr(before, name, None) != getattr(after, name)
    ]


def _postings(session: Session) -> list[dict[str, Json]]:
    lines = pending.kept_rows(session, Posting)
    entries = {row["id"]: row for row in pending.kept_rows(session, JournalEntry)}
    return [
        {
            "entry": str(entries[debit["entry_id"]]["kind"]),
            "debit": str(debit["address"]),
            "credit": str(credit["address"]),
            "amountMinor": int(str(debit["amount_minor"])),
            "asset": str(debit["asset"]),
        }
        for debit, credit in zip(lines[::2], lines[1::2], strict=True)
    ]


def _effects(
    session: Session, diff: list[dict[str, Json]], postings: list[dict[str, Json]]
) -> list[str]:
    effects = [
        f"{row['field']} of {row['object']}: {row['before']} → {row['after']}" for row in diff
    ]
    if postings:
        effects.append(f"posts {len(postings)} movements")
    opened = [
        str(row["body"].get("kind"))
        for row in pending.kept_rows(session, EventLog)
        if row["type"] == "exception.opened" and isinstance(row["body"], dict)
    ]
    return effects + [f"opens a case: {kind}" for kind in opened]


def _verdict(outcome: str, diff: list[dict[str, Json]], effects: list[str]) -> str:
    if diff or effects:
        return "would_apply"
    return "superseded" if outcome == Inbound.PROCESSED else "no_op"
