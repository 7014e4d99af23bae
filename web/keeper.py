"""Looks after the open streams and held requests of this process: pings, gone clients, lost rights, farewell."""

from __future__ import annotations

import array
import fcntl
import itertools
import selectors
import socket
import termios
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field

import structlog

from core import clock
from core.errors import AppError, Unavailable
from domain import feed
from domain.actors import Actor
from models.events import EventLog
from web.subscriber import Ending, Listener, reach

PING_SECONDS = 14.0
# Together with the few seconds for which identities are remembered, below the 15 that are promised.
RECHECK_SECONDS = 12.0
SUSPECT_SECONDS, SUSPECT_PAUSE = 4.0, 0.5
ROUND_SECONDS = 0.25
# After one of these, the rights of whom it names are looked at again at once; after a secret was
# revoked, everybody's.
REVOKING = ("session.", "user.", "api_key.", "secret.revoked")
log = structlog.get_logger()
_opened = itertools.count(1)


def _first_look() -> float:
    # Streams that came together must not be looked at together: the golden ratio spreads them evenly.
    return clock.monotonic() + RECHECK_SECONDS * (next(_opened) * 0.618034 % 1)


@dataclass(eq=False)
class Kept:
    """One stream under care. look_again: gives the principal as it is now, None when it is no more."""

    subscriber: Listener
    look_again: Callable[[], Actor | None] | None
    peer: socket.socket | None
    due_at: float = field(default_factory=_first_look)
    suspect_until: float = 0.0


class Keeper:
    """One thread per process, alive while streams are open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Listener, Kept] = {}
        self._selector: selectors.BaseSelector | None = None
        self._thread: threading.Thread | None = None
        self._is_stopping: Callable[[], bool] = lambda: False

    def stop_when(self, is_stopping: Callable[[], bool]) -> None:
        """Say farewell to all streams as soon as `is_stopping` tells that this process must end."""
        self._is_stopping = is_stopping

    def keep(self, kept: Kept) -> None:
        """Take a stream into care."""
        with self._lock:
            self._kept[kept.subscriber] = kept
            if self._thread is None or self._selector is None or not self._thread.is_alive():
                self._selector = selectors.DefaultSelector()
                self._thread = threading.Thread(
                    target=self._run, args=(self._selector,), name="keeper", daemon=True
                )
                self._thread.start()
            if kept.peer is not None and not _watch(self._selector, kept.peer, kept):
                kept.peer = None

    def release(self, subscriber: Listener) -> None:
        """End the care for a stream, before its connection is closed."""
        with self._lock:
            kept = self._kept.pop(subscriber, None)
            if kept is not None:
                self._forget(kept)

    def suspect(self, event: EventLog) -> None:
        """Look again at once at the streams of a principal whose rights an event changed."""
        if not event.type.startswith(REVOKING):
            return
        named = {event.object_id, event.body.get("userId"), event.body.get("keyId")}
        is_for_all = event.type.startswith("secret.")
        now = clock.monotonic()
        with self._lock:
            for kept in self._kept.values():
                if is_for_all or kept.subscriber.actor.id in named:
                    kept.due_at, kept.suspect_until = now, now + SUSPECT_SECONDS

    def farewell(self) -> None:
        """Tell every stream that this process ends."""
        for kept in self._all():
            kept.subscriber.end(Ending.RESTART)

    def _all(self) -> list[Kept]:
        with self._lock:
            return list(self._kept.values())

    def _is_over(self) -> bool:
        with self._lock:
            if self._kept:
                return False
            self._thread = self._selector = None
            return True

    def _run(self, selector: selectors.BaseSelector) -> None:
        with closing(selector):
            while not self._is_over():
                self._go_round(selector)

    def _go_round(self, selector: selectors.BaseSelector) -> None:
        self._find_gone(selector)
        if self._is_stopping():
            self.farewell()
        now = clock.monotonic()
        for kept in self._all():
            if now - kept.subscriber.last_told_at >= PING_SECONDS:
                kept.subscriber.last_told_at = now
                kept.subscriber.ping()
            if now >= kept.due_at:
                self._look_again(kept)

    def _find_gone(self, selector: selectors.BaseSelector) -> None:
        if not selector.get_map():
            threading.Event().wait(ROUND_SECONDS)
            return
        for key, _ in selector.select(ROUND_SECONDS):
            kept: Kept = key.data
            gone = _has_hung_up(kept.peer)
            with self._lock:
                # A client that talks while it listens is not gone; it is only not watched any longer.
                self._forget(kept)
            if gone:
                kept.subscriber.end(Ending.GONE)

    def _look_again(self, kept: Kept) -> None:
        now = clock.monotonic()
        kept.due_at = now + (SUSPECT_PAUSE if now < kept.suspect_until else RECHECK_SECONDS)
        if kept.look_again is None:
            return
        subscriber = kept.subscriber
        try:
            with feed.outages_told():
                actor = kept.look_again()
        except Unavailable:
            return
        except AppError:
            actor = None
        if actor is None or reach(actor, ()) != reach(subscriber.actor, ()):
            subscriber.end(Ending.ACCESS)

    def _forget(self, kept: Kept) -> None:
        peer, kept.peer = kept.peer, None
        if peer is not None and self._selector is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(peer)


def _watch(selector: selectors.BaseSelector, peer: socket.socket, kept: Kept) -> bool:
    try:
        selector.register(peer, selectors.EVENT_READ, kept)
    except (ValueError, KeyError, OSError):
        return False  # closed already: the first write tells
    return True


def _has_hung_up(peer: socket.socket | None) -> bool:
    """Tell whether a readable connection has nothing to read, which is its end. Never blocks.

    A peek would do the same, but waits under gevent when the wake-up was a false one.
    """
    if peer is None:
        return False
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(peer.fileno(), termios.FIONREAD, waiting)
    except OSError:
        return True
    return waiting[0] == 0


keeper = Keeper()
