"""What happened: as a stream that stays open, as a feed to pull, one by one, and what types there are."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from pydantic import ConfigDict, Field

from api.contract import (
    Answer,
    Call,
    NoBody,
    NoQuery,
    Open,
    Out,
    Query,
    Several,
    endpoint,
)
from core import ids
from core.permissions import Permission
from domain import event_types, events, feed, topics
from domain.database import reading, transaction
from domain.events import About
from domain.topics import Topic
from web import identity, self_test
from web.origins import origin_of
from web.stream import Wish, asked_after, open_stream

blueprint = Blueprint("events", __name__)
MOST = 500


class StreamQuery(Query):
    """What to stream; without topics, everything the caller may see."""

    topics: str | None = Field(default=None, max_length=4000)
    after: str | None = Field(default=None, max_length=64)


class FeedQuery(StreamQuery):
    """What to pull, oldest first; `after` is the id of the last event seen."""

    types: Several = ()
    limit: int = Field(default=50, ge=1, le=MOST)


class EventOut(Out):
    """One event. Beside these it has the fields of its type: see `GET /api/events/types`."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    at: str
    sequence: int
    payment_id: str | None
    order_id: str | None
    status: str | None
    merchant_id: str | None
    is_replay: bool
    demo: bool
    alias: str | None = None
    alias_type: str | None = None


class FeedOut(Out):
    """A page of the feed; ask again with `after=nextCursor`, also when it was empty."""

    items: list[EventOut]
    next_cursor: str | None


class EventTypeOut(Out):
    """One event type with its JSON Schema and an example."""

    type: str
    alias: str | None
    alias_type: str | None
    meaning: str
    staff: bool
    outbound: bool
    json_schema: dict[str, Any] = Field(alias="schema")
    example: dict[str, Any]


class EventTypesOut(Out):
    """All event types."""

    items: list[EventTypeOut]


class SelfTestOut(Out):
    """What a client would have seen."""

    ok: bool
    first_frame_ms: int | None
    round_trip_ms: int | None
    buffered: bool
    cors: str
    notes: list[str]


def _allowed(call: Call[NoBody, Any]) -> tuple[Topic, ...]:
    asked = topics.parse(call.query.topics)
    if asked:
        with reading() as session:
            topics.assert_allowed(session, asked, actor=call.actor)
    return asked


@endpoint(
    blueprint,
    "GET",
    "/api/events/stream",
    access=Permission.EVENTS_READ,
    query=StreamQuery,
    answers={200: None},
    errors=["NOT_FOUND", "STREAM_LIMIT"],
    summary="Follow what happens, live. Resumes after `Last-Event-ID` without gap or duplicate.",
    requirement="S25",
    media="text/event-stream",
)
def stream(call: Call[NoBody, StreamQuery]) -> Response:
    caller = identity.require()
    wish = Wish(call.actor, _allowed(call), after=asked_after(), look_again=caller.look_again)
    return open_stream(wish)


@endpoint(
    blueprint,
    "GET",
    "/api/events",
    access=Permission.EVENTS_READ,
    query=FeedQuery,
    answers={200: FeedOut},
    errors=["NOT_FOUND", "GONE"],
    summary="Pull what happened, oldest first.",
    requirement="S25",
)
def index(call: Call[NoBody, FeedQuery]) -> Answer:
    asked, after = _allowed(call), call.query.after
    with reading() as session:
        place = events.position_of(session, after) if after else 0
        rows = feed.list_page(
            session,
            place,
            actor=call.actor,
            asked=asked,
            types=call.query.types,
            limit=call.query.limit,
        )
        items = [events.wire(row) for row in rows]
    return Answer(200, {"items": items, "nextCursor": rows[-1].id if rows else after})


@endpoint(
    blueprint,
    "GET",
    "/api/events/types",
    access=Open("documentation"),
    answers={200: EventTypesOut},
    summary="Which events are there, with their schemas and examples?",
)
def types(_: Call[NoBody, NoQuery]) -> Answer:
    return Answer(200, {"items": [event_types.wire(kind) for kind in event_types.TYPES]})


@endpoint(
    blueprint,
    "GET",
    "/api/events/{eventId}",
    access=Permission.EVENTS_READ,
    answers={200: EventOut},
    errors=["NOT_FOUND"],
    summary="Read one event.",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        event = feed.get_event(session, call.path["eventId"], actor=call.actor)
        return Answer(200, events.wire(event))


@endpoint(
    blueprint,
    "POST",
    "/api/events/self-test",
    access=Permission.STREAM_SELF_TEST,
    answers={200: SelfTestOut},
    events=["ops.probe"],
    summary="Measure the stream through the public URL, as a client would see it.",
)
def probe(call: Call[NoBody, NoQuery]) -> Answer:
    settings, actor = identity.settings(), call.actor
    given = ("Authorization", "Cookie")
    headers = {name: request.headers[name] for name in given if name in request.headers}

    def send(nonce: str) -> None:
        about = About(object_id=actor.id, audience="staff", livemode=bool(actor.livemode))
        told = events.row("ops.probe", about, source=f"user:{actor.id}", body={"nonce": nonce})
        with transaction() as session:
            events.append(session, [told])

    origin = origin_of(settings.cors_origins[0]) if settings.cors_origins else None
    found = self_test.run(
        self_test.Visit(
            public_url=settings.public_url,
            headers=headers,
            origin=origin if actor.kind == "user" else None,
            nonce=ids.token(12),
            probe=send,
        )
    )
    return Answer(
        200,
        {
            "ok": found.ok,
            "firstFrameMs": found.first_frame_ms,
            "roundTripMs": found.round_trip_ms,
            "buffered": found.buffered,
            "cors": found.cors,
            "notes": found.notes,
        },
    )
