"""The answer that does not end: an SSE response fed by the hub, resumed without gap or duplicate."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import structlog
from flask import Flask, Response, current_app, request

from config import Settings
from core import ids
from core.errors import Gone, Unavailable
from domain import feed
from domain.actors import Actor
from domain.topics import Topic
from web import stream_figures
from web.frames import Frame, Parcel, frame
from web.hub import hub
from web.keeper import Kept, keeper
from web.slots import Limits, Slot, Slots
from web.subscriber import Ending, Subscriber

RETRY = b"retry: 3000\n\n"
RETURN_MILLISECONDS = 2500
# So far behind, reading the present state anew is cheaper for both sides than the way here.
LONGEST_BACKLOG = 100_000
SEND_BUFFER_BYTES = 65_536
UNREAD_MILLISECONDS = 30_000
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
Tell = Callable[[Sequence[Frame]], bytes]
Reset = Callable[[str | None], bytes]
# However many come back from far away at once, requests keep their share of the connections.
_reading_far_back = threading.BoundedSemaphore(3)
log = structlog.get_logger()


def reset_frame(newest: str | None) -> bytes:
    """Tell a client that its place is lost, and where the log stands now."""
    # The id makes a browser that reconnects ask from here, not from the lost place again.
    named = f"id: {newest}\n" if newest else ""
    return f"{named}event: reset\ndata: {json.dumps({'after': newest})}\n\n".encode()


@dataclass(frozen=True)
class Wish:
    """What a client asks of a stream. after: the id of the event it saw last.

    look_again: gives the principal as it is now; tell: writes frames another way than one by one;
    pace_seconds: shortest time between two writes, so that changes come together;
    reset: what a client is told whose place is lost, or lies further back than `longest_backlog` events.
    """

    actor: Actor
    topics: tuple[Topic, ...] = ()
    after: str | None = None
    look_again: Callable[[], Actor | None] | None = None
    tell: Tell | None = None
    pace_seconds: float = 0.0
    reset: Reset = reset_frame
    longest_backlog: int = LONGEST_BACKLOG


def slots_of(app: Flask) -> Slots:
    """Give the slots of this application, made at the first stream."""
    found = app.extensions.get("paydesk_slots")
    if found is None:
        settings: Settings = app.config["PAYDESK"]
        limits = Limits(settings.sse_per_principal, settings.sse_per_address, settings.sse_total)
        found = app.extensions.setdefault(
            "paydesk_slots", Slots(settings.instance / "streams.lock", limits)
        )
    return cast("Slots", found)


def asked_after() -> str | None:
    """Read where the client wants to go on: a reconnecting browser's header is newer than its URL."""
    return request.headers.get("Last-Event-ID") or request.args.get("after") or None


def open_stream(wish: Wish) -> Response:
    """Answer the present request with a stream.

    1. take a slot; 2. join the fan-out; 3. only then find the backlog, so that nothing falls between.
    Raises: Unavailable with code STREAM_LIMIT, or when the database does not answer
    """
    slot = slots_of(current_app).take(wish.actor.id, request.remote_addr or "")
    subscriber = None
    try:
        subscriber = hub.subscribe(wish.actor, wish.topics)
        start = _find_start(wish, subscriber.since)
    except BaseException:
        if subscriber is not None:
            hub.unsubscribe(subscriber)
        slot.give()
        raise
    peer = _prepare_peer()
    subscriber.on_end = lambda why: _cut(peer, why)
    response = Response(_told(wish, subscriber, start), headers=HEADERS)
    response.call_on_close(lambda: _close(subscriber, slot, peer))
    keeper.keep(Kept(subscriber, wish.look_again, peer))
    return response


@dataclass(frozen=True)
class _Start:
    """Where a stream begins; reset: what tells the client that its place is lost."""

    place: int
    reset: bytes = b""


def _find_start(wish: Wish, newest: int) -> _Start:
    if wish.after is None:
        return _Start(newest)
    place = hub.place_of(wish.after)
    if place is None:
        place = _far_back(wish.after)
    if place is None or newest - place > wish.longest_backlog:
        return _Start(newest, wish.reset(feed.id_at(newest)))
    return _Start(place)


def _far_back(event_id: str) -> int | None:
    with _reading_far_back:
        try:
            return feed.place_of(event_id)
        except Gone:
            return None


def _prepare_peer() -> socket.socket | None:
    """Take the connection from gunicorn; other servers do not show it, and are for development."""
    peer = request.environ.get("gunicorn.socket")
    if not isinstance(peer, socket.socket):
        return None
    with suppress(OSError):  # a UNIX socket has none of these
        # A client that does not read must show soon, and not in megabytes of the kernel's memory.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    return peer


def _told(wish: Wish, subscriber: Subscriber, start: _Start) -> Iterator[bytes]:
    yield RETRY + start.reset
    try:
        yield from _backlog(wish, subscriber, start.place)
    except Unavailable:
        log.warning("stream.backlog_unavailable")
        return
    while subscriber.ending is None:
        taken = subscriber.take()
        if wish.pace_seconds and subscriber.ending is None:
            threading.Event().wait(wish.pace_seconds)
            taken += subscriber.take(timeout=0)
        if subscriber.ending in (None, Ending.RESTART):
            told = _write(wish, taken, start.place)
            if told:
                yield told
    if subscriber.ending is Ending.RESTART:
        yield _bye()


def _bye() -> bytes:
    # All of them must not come back in the same instant.
    milliseconds = round(ids.jittered(RETURN_MILLISECONDS))
    return f'event: bye\nretry: {milliseconds}\ndata: {{"reason": "restart"}}\n\n'.encode()


def _backlog(wish: Wish, subscriber: Subscriber, place: int) -> Iterator[bytes]:
    while place < subscriber.since and subscriber.ending is None:
        frames, place = hub.backlog(subscriber, place) or _page_far_back(wish, subscriber, place)
        if frames:
            yield _render(wish, frames)


def _page_far_back(wish: Wish, subscriber: Subscriber, place: int) -> tuple[list[Frame], int]:
    """Read a page of what a client missed long ago, and the place that it reaches."""
    until = subscriber.since
    with _reading_far_back:
        found = feed.read_backlog(place, until, actor=wish.actor, asked=wish.topics)
    frames = [frame(event) for event in found]
    return frames, frames[-1].seq if len(frames) == feed.PAGE else until


def _write(wish: Wish, taken: Sequence[Parcel | bytes], place: int) -> bytes:
    """Join what was taken into one write, without what the client had seen before it came."""
    parts: list[bytes] = []
    frames: list[Frame] = []
    for part in taken:
        if isinstance(part, bytes):
            parts.append(part)
        elif wish.tell is not None or part.frames[0].seq <= place:
            frames += [each for each in part.frames if each.seq > place]
        else:
            parts.append(part.payload)
    if frames:
        # What was seen elsewhere is older than everything else taken.
        parts.insert(0, _render(wish, frames))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _render(wish: Wish, frames: Sequence[Frame]) -> bytes:
    if wish.tell is not None:
        return wish.tell(frames)
    return b"".join(each.payload for each in frames)


def _cut(peer: socket.socket | None, why: Ending) -> None:
    """End a write that hangs because the client does not read."""
    if peer is None or why is not Ending.SLOW:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(peer.fileno())) as twin:
        # By its twin: gevent's own socket would break the waiting write as if by a bug of ours.
        twin.shutdown(socket.SHUT_RDWR)


def _close(subscriber: Subscriber, slot: Slot, peer: socket.socket | None) -> None:
    keeper.release(subscriber)
    hub.unsubscribe(subscriber)
    slot.give()
    if peer is not None:
        with suppress(OSError):
            # Nothing more is read from it, so the server closes it now and not after its keep-alive.
            peer.shutdown(socket.SHUT_RD)


hub.watch(keeper.suspect)
stream_figures.register()
