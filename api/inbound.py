"""The inbox of provider events: listed, read redacted, previewed, replayed, set aside."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint
from pydantic import Field

from api import steps
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoBody,
    NoQuery,
    Out,
    RangeQuery,
    Session,
    Several,
    Text,
    endpoint,
    finish,
    place_of,
    run_once,
    start,
)
from api.contract.paging import cursor
from core import clock
from core.errors import invalid
from core.money import Money, asset
from core.permissions import Permission
from core.states import Inbound
from domain.database import reading, transaction
from domain.inbox import inbox_acts, inbox_queries, replays
from domain.inbox.inbox_queries import Effect, InboundFilter
from domain.inbox.replays import Preview
from domain.payments.payments import Page
from models.inbound import InboundAttempt, InboundEvent

blueprint = Blueprint("inbound", __name__)
# An event is applied in one transaction: nobody ever reads one that is half done.
_NEVER_SEEN = "processing"
_STATES = (*(word.value for word in Inbound), _NEVER_SEEN)
Verdict = Literal["would_apply", "no_op", "superseded", "unsafe"]


class InboundOut(Out):
    """One event as a provider delivered it; a redelivery only raises `duplicates`."""

    inbound_id: str
    provider: str
    mode: str
    provider_event_id: str | None
    type: str
    state: str
    payment_id: str | None
    secret_version: int | None
    signature_scheme: str
    duplicates: int
    attempts: int
    received_at: str
    processed_at: str | None
    sha256: str


class AttemptOut(Out):
    """One run of the event: by the worker, or by a person with a reason."""

    no: int
    at: str
    outcome: str
    error: str | None
    actor: str
    reason: str | None


class EffectOut(Out):
    """One thing that the event did."""

    kind: str
    id: str
    at: str
    text: str
    object_id: str | None


class InboundDetailOut(InboundOut):
    """One event with its redacted content, its attempts and what it did."""

    payload: Any
    headers: dict[str, Any]
    attempt_list: list[AttemptOut]
    effects: list[EffectOut]
    verdict: str | None
    last_error: str | None
    next_attempt_at: str | None


class DiffOut(Out):
    """One field before and after."""

    object: str
    field: str
    before: Any
    after: Any


class PostingOut(Out):
    """One movement in the books."""

    entry: str
    debit: str
    credit: str
    amount: dict[str, str]


class PreviewOut(Out):
    """What applying the event again would do; nothing was kept."""

    verdict: Verdict
    why: str
    diff: list[DiffOut]
    effects: list[str]
    postings: list[PostingOut]
    events: list[str]
    hash: str


class ReplayedOut(Out):
    """What applying the event again did."""

    attempt_no: int
    verdict: Verdict
    why: str
    diff: list[DiffOut]


class InboundQuery(RangeQuery):
    """Which events. `q` searches ids of ours and of the provider."""

    provider: Several = ()
    type: Several = ()
    state: Several = ()
    payment_id: Several = ()
    q: str | None = Field(default=None, max_length=255)


class ReasonIn(In):
    """Why."""

    reason: Text


class ReplayIn(ReasonIn):
    """Why, and what the preview said; another outcome is then refused."""

    preview_hash: str | None = Field(default=None, max_length=64)


def _row(row: InboundEvent, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "inboundId": row.id,
        "provider": row.provider,
        "mode": row.mode,
        "providerEventId": row.provider_event_id,
        "type": row.type,
        "state": row.state,
        "paymentId": row.payment_id,
        "secretVersion": numbers.get(row.secret_version_id or ""),
        "signatureScheme": row.signature_scheme,
        "duplicates": row.duplicates,
        "attempts": row.attempts,
        "receivedAt": clock.rfc3339(row.received_at),
        "processedAt": clock.rfc3339(row.processed_at),
        "sha256": row.body_sha256,
    }


def _attempt(row: InboundAttempt) -> dict[str, Any]:
    return {
        "no": row.no,
        "at": clock.rfc3339(row.at),
        "outcome": row.outcome,
        "error": row.error,
        "actor": row.actor,
        "reason": row.reason,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "kind": effect.kind,
        "id": effect.id,
        "at": clock.rfc3339(effect.at),
        "text": effect.text,
        "objectId": effect.object_id,
    }


def _detail(session: Session, row: InboundEvent) -> dict[str, Any]:
    waits = row.state in (Inbound.RECEIVED, Inbound.FAILED, Inbound.UNMATCHED)
    return _row(row, inbox_queries.secret_numbers(session)) | {
        "payload": inbox_queries.content_of(row),
        "headers": inbox_queries.headers_of(row),
        "attemptList": [_attempt(each) for each in inbox_queries.attempts_of(session, row.id)],
        "effects": [_effect(each) for each in inbox_queries.effects_of(session, row.id)],
        "verdict": row.verdict,
        "lastError": row.last_error,
        "nextAttemptAt": clock.rfc3339(row.due_at) if waits else None,
    }


@endpoint(
    blueprint,
    "GET",
    "/api/inbound-events",
    access=Permission.INBOUND_READ,
    query=InboundQuery,
    answers={200: Listed[InboundOut]},
    summary="List what providers delivered, newest first.",
    requirement="S33",
)
def index(call: Call[NoBody, InboundQuery]) -> Answer:
    asked, place = call.query, place_of(call.query)
    if unknown := [word for word in asked.state if word not in _STATES]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(_STATES)}."
        raise invalid("state", sentence, code="unknown_value")
    wanted = InboundFilter(
        provider=asked.provider,
        type=asked.type,
        state=asked.state,
        payment_id=asked.payment_id,
        q=asked.q,
        received_from=asked.since,
        received_to=asked.until,
    )
    page = Page(place.limit, place.before)
    with reading() as session:
        rows, more = inbox_queries.list_inbound(session, wanted, page=page)
        numbers = inbox_queries.secret_numbers(session)
    items = [_row(row, numbers) for row in rows]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/inbound-events/{inboundId}",
    access=Permission.INBOUND_READ,
    answers={200: InboundDetailOut},
    summary="Read one event: redacted content, attempts, effects.",
    requirement="S33",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = inbox_queries.get_inbound(session, call.path["inboundId"])
        return Answer(200, _detail(session, row))


def _posting(line: dict[str, Any]) -> dict[str, Any]:
    of = asset(line["asset"])
    amount = Money(line["amountMinor"], of)
    written = {"amount": amount.major(), "currency": of.code}
    return {name: line[name] for name in ("entry", "debit", "credit")} | {"amount": written}


def _preview(found: Preview) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "why": found.why,
        "diff": found.diff,
        "effects": found.effects,
        "postings": [_posting(dict(line)) for line in found.postings],
        "events": found.events,
        "hash": found.hash,
    }


@endpoint(
    blueprint,
    "POST",
    "/api/inbound-events/{inboundId}/preview",
    access=Permission.INBOUND_REPLAY,
    answers={200: PreviewOut},
    errors=("GONE",),
    summary="Show what replaying an event would do, from a run that is rolled back.",
    requirement="S5",
)
def preview(call: Call[NoBody, NoQuery]) -> Answer:
    return Answer(200, _preview(replays.preview(call.path["inboundId"], actor=call.actor)))


@endpoint(
    blueprint,
    "POST",
    "/api/inbound-events/{inboundId}/replay",
    access=Permission.INBOUND_REPLAY,
    body=ReplayIn,
    answers={200: ReplayedOut},
    key="R",
    errors=("PREVIEW_STALE", "UNSAFE_REPLAY", "GONE"),
    events=("inbound.processed",),
    summary="Apply a stored event again, as a new attempt with a reason; its effects stay once.",
    requirement="S5",
)
def replay(call: Call[ReplayIn, NoQuery]) -> Answer:
    with start(call):
        pass
    with steps.letting_go(call):
        done = replays.replay(
            call.path["inboundId"],
            actor=call.actor,
            reason=call.body.reason,
            preview_hash=call.body.preview_hash,
            once_key=f"{call.actor.id}:{call.claim.key}" if call.claim else None,
        )
    found = done.preview
    body = {"attemptNo": done.attempt_no, "verdict": found.verdict, "why": found.why}
    with transaction() as session:
        return finish(session, call, Answer(200, body | {"diff": found.diff}))


@endpoint(
    blueprint,
    "POST",
    "/api/inbound-events/{inboundId}/ignore",
    access=Permission.INBOUND_IGNORE,
    body=ReasonIn,
    answers={200: InboundOut},
    key="O",
    errors=("INVALID_TRANSITION",),
    events=("inbound.ignored",),
    summary="Set an event aside for good, with a reason.",
    requirement="S33",
)
def ignore(call: Call[ReasonIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        row = inbox_acts.ignore(
            session, call.path["inboundId"], actor=call.actor, reason=call.body.reason
        )
        return Answer(200, _row(row, inbox_queries.secret_numbers(session)))

    return run_once(call, work)
