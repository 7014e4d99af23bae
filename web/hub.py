"""One fan-out per process: follows the numbered log, writes each frame once, hands it to every stream.

Streams that may see the same and ask for the same share one group, so filtering and joining happen once
per group; per stream there is one append and one wake-up.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import structlog

from core import clock
from core.errors import Unavailable
from domain import events, feed, topics
from domain.actors import Actor
from domain.listening import BACKSTOP_SECONDS, waker
from domain.topics import Topic
from models.events import EventLog

# Bytes that may wait for one client before it is too slow. The parcels themselves are shared.
MOST_WAITING = 1_048_576
# Rest after a fan-out, per stream: writing to one costs about as much, so requests keep half the time.
REST_SECONDS = 25e-6
EVERYBODY = "*"
PING = b": ping\n\n"
log = structlog.get_logger()


class Ending(Enum):
    """Why a stream ends. Only the first is told to the client; the others just close."""

    RESTART = "restart"
    ACCESS = "access"
    SLOW = "slow"
    GONE = "gone"


@dataclass(frozen=True)
class Frame:
    """One event, detached from its session, and the bytes that tell it."""

    seq: int
    event: EventLog
    payload: bytes


@dataclass(frozen=True)
class Parcel:
    """The frames of one fan-out to one group, in order."""

    frames: tuple[Frame, ...]
    payload: bytes


Reach = tuple[bool, str | None, str | None, bool | None, tuple[Topic, ...]]


def reach(actor: Actor, asked: tuple[Topic, ...]) -> Reach:
    """Name what a stream carries; streams of equal reach receive the same, except personal events."""
    if actor.is_staff:
        return (True, None, None, None, asked)
    return (
        False,
        actor.merchant_id,
        actor.id if actor.kind == "user" else None,
        actor.livemode,
        asked,
    )


@dataclass(eq=False)
class Subscriber:
    """One stream. since: events up to here are not handed to it; they are its backlog."""

    actor: Actor
    topics: tuple[Topic, ...]
    since: int = 0
    ending: Ending | None = None
    last_told_at: float = field(default_factory=clock.monotonic)
    on_end: Callable[[Ending], None] | None = None
    _parcels: queue.SimpleQueue[Parcel | bytes | None] = field(default_factory=queue.SimpleQueue)
    # Two counters with one writer each, since `+=` of two threads on one would lose bytes.
    _offered: int = 0
    _taken: int = 0

    def offer(self, parcel: Parcel) -> None:
        """Append a parcel and wake the stream; a client that does not keep up is let go."""
        if self.ending is not None:
            return
        self._offered += len(parcel.payload)
        if self._offered - self._taken > MOST_WAITING:
            self.end(Ending.SLOW)
            return
        self._parcels.put(parcel)

    def ping(self) -> None:
        """Have the stream say that it lives, unless something waits to be written anyway."""
        if self._offered == self._taken:
            self._parcels.put(PING)

    def end(self, why: Ending) -> None:
        """End the stream; the first reason stays."""
        if self.ending is None:
            self.ending = why
            self._parcels.put(None)
            if self.on_end is not None:
                self.on_end(why)

    def take(self, timeout: float | None = None) -> list[Parcel | bytes]:
        """Wait for what is next and take all of it; empty when the time is over or the stream ends."""
        taken: list[Parcel | bytes] = []
        try:
            found = self._parcels.get(timeout=timeout)
        except queue.Empty:
            return taken
        while found is not None:
            taken.append(found)
            if isinstance(found, Parcel):
                self._taken += len(found.payload)
            # This stream is the only one that takes, so what is there stays there.
            found = None if self._parcels.empty() else self._parcels.get_nowait()
        self.last_told_at = clock.monotonic()
        return taken


@dataclass(eq=False)
class _Group:
    actor: Actor
    topics: tuple[Topic, ...]
    members: set[Subscriber] = field(default_factory=set)

    def carries(self, event: EventLog) -> bool:
        if not events.may_see(self.actor, event):
            return False
        return not self.topics or any(topics.holds(topic, event) for topic in self.topics)

    def addresses(self) -> Iterable[str]:
        if self.actor.is_staff:
            return (EVERYBODY,)
        own = (self.actor.merchant_id, self.actor.id if self.actor.kind == "user" else None)
        return [part for part in own if part]


def frame(event: EventLog) -> Frame:
    """Write one event as the stream tells it.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    told = json.dumps(events.wire(event), ensure_ascii=False, separators=(",", ":"))
    payload = f"id: {event.id}\nevent: {event.type}\ndata: {told}\n\n".encode()
    return Frame(seq=event.seq or 0, event=event, payload=payload)


def parcel(frames: Sequence[Frame]) -> Parcel:
    """Put frames together for one write."""
    return Parcel(tuple(frames), b"".join(each.payload for each in frames))


class Hub:
    """Follows the log while anybody streams; `subscribe` starts it and the last to leave stops it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Reach, _Group] = {}
        self._at: dict[str, dict[Reach, _Group]] = {}
        self._personal: dict[str, set[Subscriber]] = {}
        self._count = 0
        self._cursor = 0
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self._watchers: list[Callable[[EventLog], None]] = []
        self.delivered = 0
        self.let_go = 0

    @property
    def count(self) -> int:
        """How many streams are open in this process."""
        return self._count

    def watch(self, watcher: Callable[[EventLog], None]) -> None:
        """Also show every event to `watcher`, while anybody streams."""
        self._watchers.append(watcher)

    def members(self) -> list[Subscriber]:
        """List the open streams."""
        with self._lock:
            return [member for group in self._groups.values() for member in group.members]

    def subscribe(self, actor: Actor, asked: tuple[Topic, ...] = ()) -> Subscriber:
        """Join the fan-out; whatever is numbered from now on arrives."""
        subscriber = Subscriber(actor, asked)
        key = reach(actor, asked)
        with self._lock:
            self._start()
            subscriber.since = self._cursor
            group = self._groups.setdefault(key, _Group(actor, asked))
            for address in group.addresses():
                self._at.setdefault(address, {})[key] = group
            group.members.add(subscriber)
            self._personal.setdefault(actor.id, set()).add(subscriber)
            self._count += 1
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Leave; leaving twice changes nothing."""
        key = reach(subscriber.actor, subscriber.topics)
        with self._lock:
            group = self._groups.get(key)
            if group is None or subscriber not in group.members:
                return
            group.members.discard(subscriber)
            self._count -= 1
            self.let_go += subscriber.ending is Ending.SLOW
            self._personal[subscriber.actor.id].discard(subscriber)
            if not self._personal[subscriber.actor.id]:
                del self._personal[subscriber.actor.id]
            if not group.members:
                del self._groups[key]
                for address in group.addresses():
                    self._at[address].pop(key, None)
                    if not self._at[address]:
                        del self._at[address]
        if not self._count:
            self._awake.set()

    def wait_for(
        self,
        condition: Callable[[], bool],
        timeout: float,
        *,
        actor: Actor,
        asked: tuple[Topic, ...],
    ) -> bool:
        """Wait until a condition holds, looking again at each event of the topics. False after `timeout` seconds.

        condition: reads the database itself and must be cheap; it is asked once at the start.
        """
        until = clock.monotonic() + timeout
        subscriber = self.subscribe(actor, asked)
        try:
            while not condition():
                left = until - clock.monotonic()
                if left <= 0 or subscriber.ending is not None:
                    return False
                subscriber.take(timeout=left)
            return True
        finally:
            self.unsubscribe(subscriber)

    def _start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        self._cursor = feed.head()
        self._awake.set()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._thread.start()

    def _is_over(self) -> bool:
        with self._lock:
            if self._count:
                return False
            self._thread = None
            return True

    def _run(self) -> None:
        end = waker.subscribe(self._awake.set, kind="events")
        try:
            while not self._is_over():
                self._awake.wait(BACKSTOP_SECONDS)
                self._awake.clear()
                try:
                    self._catch_up()
                except Unavailable as error:
                    log.warning("hub.cannot_read", error=type(error.__cause__).__name__)
                    threading.Event().wait(BACKSTOP_SECONDS / 2)
        finally:
            end()

    def _catch_up(self) -> None:
        while self._count:
            frames = [frame(event) for event in feed.read_after(self._cursor)]
            if frames:
                self._fan_out(frames)
            if len(frames) < feed.PAGE:
                return

    def _fan_out(self, frames: list[Frame]) -> None:
        with self._lock:
            deliveries = self._sort(frames)
            self._cursor = frames[-1].seq
        for watcher in self._watchers:
            for each in frames:
                watcher(each.event)
        for members, told in deliveries:
            made = parcel(told)
            for member in members:
                member.offer(made)
            self.delivered += len(members) * len(told)
        # Events that come meanwhile are carried by the next fan-out, in one write per client.
        threading.Event().wait(REST_SECONDS * sum(len(members) for members, _ in deliveries))

    def _sort(self, frames: list[Frame]) -> list[tuple[list[Subscriber], list[Frame]]]:
        per_group: dict[_Group, list[Frame]] = {}
        apart: dict[Subscriber, list[Frame]] = {}
        for each in frames:
            if each.event.type in topics.PERSONAL:
                for member in self._personal.get(each.event.object_id or "", ()):
                    apart.setdefault(member, [])
        for each in frames:
            if each.event.type in topics.PERSONAL:
                for member in self._personal.get(each.event.object_id or "", ()):
                    apart[member].append(each)
                continue
            for group in self._groups_for(each.event):
                per_group.setdefault(group, []).append(each)
                for member in group.members & apart.keys():
                    apart[member].append(each)
        sorted_out = [
            ([*(group.members - apart.keys())], told) for group, told in per_group.items()
        ]
        return sorted_out + [([member], told) for member, told in apart.items()]

    def _groups_for(self, event: EventLog) -> list[_Group]:
        places = {EVERYBODY, event.merchant_id, event.buyer_id, event.seller_id}
        found: dict[Reach, _Group] = {}
        for place in places:
            if place is not None:
                found |= self._at.get(place, {})
        return [group for group in found.values() if group.carries(event)]


hub = Hub()
