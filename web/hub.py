"""One fan-out per process: follows the numbered log, writes each frame once, hands it to every stream.

Streams that may see the same and ask for the same share one group, so filtering and joining happen once
per group; per stream there is one append and one wake-up. Others may have it followed for them alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from core.errors import Unavailable
from domain import events, feed, topics
from domain.actors import Actor
from domain.listening import BACKSTOP_SECONDS, waker
from domain.topics import Topic
from models.events import EventLog
from web.frames import Frame, frame, parcel
from web.recent import Recent
from web.subscriber import Ending, Reach, Subscriber, reach

# After so many streams others have their turn: the writes to them take the process some 4 ms under gevent.
BURST, REST_SECONDS = 128, 0.0015
# How many of the newest events are loaded when the first stream comes.
WARM = 2000
EVERYBODY = "*"
log = structlog.get_logger()


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


class Hub:
    """Follows the log while anybody streams or has it followed; the last to leave stops it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Reach, _Group] = {}
        self._at: dict[str, dict[Reach, _Group]] = {}
        self._personal: dict[str, set[Subscriber]] = {}
        self._count = 0
        self._cursor = 0
        self._recent, self._is_warm = Recent(), False
        self._thread: threading.Thread | None = None
        self._watchers: list[Callable[[EventLog], None]] = []
        self._followers: list[Callable[[], None]] = []
        self.delivered = 0
        self.let_go = 0

    @property
    def count(self) -> int:
        """How many streams are open in this process."""
        return self._count

    def watch(self, watcher: Callable[[EventLog], None]) -> None:
        """Also show every event to `watcher`, while the log is followed."""
        self._watchers.append(watcher)

    def follow(self, broken: Callable[[], None]) -> Callable[[], None]:
        """Have the log followed for the watchers though nobody streams. Gives what ends it.

        broken: called when following has broken off; nothing is shown any more until `follow` is asked
        for again.
        Raises: Unavailable
        """
        with self._lock:
            self._start()
            self._followers.append(broken)

        def end() -> None:
            with self._lock:
                if broken in self._followers:
                    self._followers.remove(broken)
            if not self._is_wanted():
                waker.wake("events")

        return end

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
        if not self._is_wanted():
            waker.wake("events")

    def place_of(self, event_id: str) -> int | None:
        """Give the place of an event that a client saw lately; None when only the database knows."""
        with self._lock:
            return self._recent.place_of(event_id)

    def backlog(self, subscriber: Subscriber, after: int) -> tuple[list[Frame], int] | None:
        """List a page of what a stream missed between a place and its joining, and the place it reaches.

        Gives None when only the database knows.
        """
        with self._lock:
            frames = self._recent.after(after, feed.PAGE)
        if frames is None:
            return None
        group = _Group(subscriber.actor, subscriber.topics)
        missed = [
            each
            for each in frames
            if each.seq <= subscriber.since
            and group.carries(each.event)
            and topics.may_receive(subscriber.actor, each.event)
        ]
        return missed, frames[-1].seq if frames else subscriber.since

    def _start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        self._cursor, self._is_warm = feed.head(), False
        self._recent.clear()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._thread.start()

    def _is_wanted(self) -> bool:
        return self._count > 0 or bool(self._followers)

    def _is_over(self) -> bool:
        with self._lock:
            if self._is_wanted():
                return False
            self._thread = None
            self._recent.clear()
            return True

    def _run(self) -> None:
        follower, is_over = feed.Follower(), False
        try:
            while not (is_over := self._is_over()):
                seen = waker.count("events")
                self._look(follower)
                waker.wait(BACKSTOP_SECONDS, since=seen, kind="events")
        finally:
            follower.close()
            if not is_over:
                self._break_off()

    def _break_off(self) -> None:
        """Whatever broke this thread, those who listen come back and go on where they were."""
        with self._lock:
            # The thread is alive still; whoever comes back at once must get another one.
            self._thread = None
            followers, self._followers = self._followers, []
        for broken in followers:
            broken()
        for member in self.members():
            member.end(Ending.RESTART)

    def _look(self, follower: feed.Follower) -> None:
        try:
            # What happened lately is only for streams that come back.
            self._is_warm = self._is_warm or (self._count > 0 and self._warm_up(follower))
            self._catch_up(follower)
        except Unavailable as error:
            log.warning("hub.cannot_read", error=type(error.__cause__).__name__)
            threading.Event().wait(BACKSTOP_SECONDS / 2)

    def _warm_up(self, follower: feed.Follower) -> bool:
        """Load what happened lately: whoever comes back after a restart missed just that."""
        found = follower.read_before(self._cursor, WARM)
        frames = [frame(event) for event in found]
        with self._lock:
            self._recent.put_before(frames)
        return True

    def _catch_up(self, follower: feed.Follower) -> None:
        while self._is_wanted():
            frames = [frame(event) for event in follower.read_after(self._cursor)]
            if frames:
                self._fan_out(frames)
            if len(frames) < feed.PAGE:
                return

    def _fan_out(self, frames: list[Frame]) -> None:
        with self._lock:
            deliveries = self._sort(frames)
            if self._is_warm:
                self._recent.add(frames)
            self._cursor = frames[-1].seq
        for watcher in self._watchers:
            for each in frames:
                watcher(each.event)
        given = 0
        for members, told in deliveries:
            made = parcel(told)
            for member in members:
                member.offer(made)
                given += 1
                if given % BURST == 0:
                    # Events that come meanwhile are carried by the next fan-out, in one write per client.
                    threading.Event().wait(REST_SECONDS)
            self.delivered += len(members) * len(told)

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
        if event.audience == "held":
            return [group for group in self._groups.values() if group.carries(event)]
        places = {EVERYBODY, event.merchant_id, event.buyer_id, event.seller_id}
        found: dict[Reach, _Group] = {}
        for place in places:
            if place is not None:
                found |= self._at.get(place, {})
        return [group for group in found.values() if group.carries(event)]


hub = Hub()
