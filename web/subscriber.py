"""One open stream: who listens to what, what waits to be written to it, and why it ends."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from core import clock
from domain.actors import Actor
from domain.topics import Topic
from web.frames import PING, Parcel

# Bytes that may wait for one client before it is too slow. The parcels themselves are shared.
MOST_WAITING = 1_048_576


class Ending(Enum):
    """Why a stream ends. Only the first is told to the client; the others just close."""

    RESTART = "restart"
    ACCESS = "access"
    SLOW = "slow"
    GONE = "gone"


class Listener(Protocol):
    """Whoever waits for news over a connection that must be looked after."""

    last_told_at: float

    @property
    def actor(self) -> Actor:
        """For whom it listens."""

    def ping(self) -> None:
        """Show the client that the connection lives, where it can be shown."""

    def end(self, why: Ending) -> None:
        """End it; the first reason stays."""


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
