"""Who waits for a transaction, woken by the process's one follower of the event log.

A waiter joins the board before it reads where its transaction stands. An event that names a waited-for
transaction wakes the board, which reads all that were named at once and hands each waiter its answer: one
query per wake-up, however many wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from core import clock
from core.errors import Unavailable
from core.transaction_words import TransactionWord
from domain import feed
from domain.actors import Actor
from domain.payments import transaction_queries
from domain.payments.transaction_queries import TransactionSeen
from models.events import EventLog
from web.hub import Hub, hub
from web.subscriber import Ending

READ_AGAIN_SECONDS = 0.5
log = structlog.get_logger()


@dataclass(eq=False)
class Waiter:
    """One held request. ends: the words at which it is answered; seen: what it is answered with."""

    actor: Actor
    transaction_id: str
    ends: Collection[TransactionWord]
    seen: TransactionSeen | None = None
    ending: Ending | None = None
    last_told_at: float = field(default_factory=clock.monotonic)
    _woken: threading.Event = field(default_factory=threading.Event)

    def look(self, seen: TransactionSeen) -> bool:
        """Take what was read of its transaction; wakes it and gives True when that is what it waits for."""
        if seen.word not in self.ends:
            return False
        self.seen = seen
        self._woken.set()
        return True

    def ping(self) -> None:
        """Stay silent: an answer that has not begun has no place for a sign of life."""

    def end(self, why: Ending) -> None:
        """Send it away without what it waits for; the first reason stays."""
        if self.ending is None and self.seen is None:
            self.ending = why
            self._woken.set()

    def sleep(self, seconds: float) -> None:
        """Sleep until it is woken, or the time is over."""
        self._woken.wait(seconds)


class Board:
    """All waiters of this process, by what they wait for; it follows the log while there are any."""

    def __init__(self, follows: Hub) -> None:
        self._hub = follows
        self._changed = threading.Condition()
        self._waiting: dict[str, set[Waiter]] = {}
        self._named: set[str] = set()
        self._leave: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self.count = 0
        self.reads = 0
        follows.watch(self.hear)

    def join(self, waiter: Waiter) -> None:
        """Have a waiter woken by whatever is numbered from now on.

        Raises: Unavailable
        """
        with self._changed:
            if self._leave is None:
                self._leave = self._hub.follow(self.break_off)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waiting", daemon=True)
                self._thread.start()
            self._waiting.setdefault(waiter.transaction_id, set()).add(waiter)
            self.count += 1

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter; leaving twice changes nothing."""
        with self._changed:
            others = self._waiting.get(waiter.transaction_id, set())
            if waiter not in others:
                return
            others.discard(waiter)
            self.count -= 1
            if not others:
                del self._waiting[waiter.transaction_id]
            if not self._waiting:
                self._let_go()

    def hear(self, event: EventLog) -> None:
        """Note that something happened to a transaction that somebody waits for."""
        if event.payment_id not in self._waiting:
            return
        with self._changed:
            self._named.add(event.payment_id)
            self._changed.notify_all()

    def break_off(self) -> None:
        """Send everybody away: nothing is heard any more, until somebody joins again."""
        with self._changed:
            everybody = [waiter for those in self._waiting.values() for waiter in those]
            self._let_go()
        for waiter in everybody:
            waiter.end(Ending.RESTART)

    def _let_go(self) -> None:
        leave, self._leave = self._leave, None
        self._changed.notify_all()
        if leave is not None:
            leave()

    def _run(self) -> None:
        follower, is_over = feed.Follower(), False
        try:
            while named := self._next():
                self._look(follower, named)
            is_over = True
        finally:
            follower.close()
            if not is_over:
                with self._changed:
                    self._thread = None
                self.break_off()

    def _next(self) -> set[str]:
        """Sleep until transactions were named, and give them; nothing when nobody waits any more."""
        with self._changed:
            while self._waiting:
                named, self._named = self._named & self._waiting.keys(), set()
                if named:
                    return named
                self._changed.wait()
            self._named.clear()
            self._thread = None
            return set()

    def _look(self, follower: feed.Follower, named: set[str]) -> None:
        try:
            with follower.reading() as session:
                found = transaction_queries.see(session, named)
        except Unavailable as error:
            log.warning("waiting.cannot_read", error=type(error.__cause__).__name__)
            threading.Event().wait(READ_AGAIN_SECONDS)
            with self._changed:
                self._named |= named
            return
        self.reads += 1
        for transaction_id, seen in found.items():
            with self._changed:
                those = list(self._waiting.get(transaction_id, ()))
            for waiter in those:
                waiter.look(seen)


board = Board(hub)
