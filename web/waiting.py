"""A request that is held until its transaction has moved: its place, its wake-up, its end."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, request

from config import Settings
from core import ids
from core.errors import Unauthenticated, Unavailable
from core.transaction_words import TransactionWord
from domain.actors import Actor
from domain.database import reading
from domain.payments import transaction_queries
from domain.payments.transaction_queries import TransactionSeen
from web import waiting_figures
from web.keeper import Kept, keeper
from web.slots import UNLIMITED, Limits, Slots
from web.subscriber import Ending
from web.waiters import Waiter, board

RETRY_SECONDS = 1
# Those who are sent away together come back within so many seconds, not in the same instant.
RETURN_SECONDS = 3.0
CROWDED_SECONDS = 5


def waiters_limit(what: str) -> Unavailable:
    """Make the refusal of one held request too many."""
    return Unavailable(
        f"As many calls wait as {what} may have waiting. Let one end, or ask without awaitStatus.",
        code="WAITERS_LIMIT",
        retry_after=CROWDED_SECONDS,
    )


@dataclass(frozen=True)
class Wish:
    """What a request waits for. ends: the words at which it is answered.

    look_again: gives the principal as it is now, None when it is no more.
    """

    actor: Actor
    transaction_id: str
    ends: Collection[TransactionWord]
    look_again: Callable[[], Actor | None] | None = None


@dataclass(frozen=True)
class Waited:
    """How the wait ended. retry_after: None when what was waited for came, else when to ask again."""

    seen: TransactionSeen
    retry_after: int | None = None


def slots_of(app: Flask) -> Slots:
    """Give the places for waiters of this application, made at the first one."""
    found = app.extensions.get("paydesk_waiters")
    if found is None:
        settings: Settings = app.config["PAYDESK"]
        limits = Limits(settings.wait_per_principal, UNLIMITED, settings.wait_total)
        made = Slots(settings.instance / "waiters.lock", limits, refuse=waiters_limit)
        found = app.extensions.setdefault("paydesk_waiters", made)
    return cast("Slots", found)


def wait(wish: Wish) -> Waited:
    """Hold the present request until its transaction is where the wish ends, or the time is over.

    1. take a place; 2. join the board; 3. only then read the state, so that nothing falls between.
    No connection to the database is held meanwhile.
    Raises: Unavailable with code WAITERS_LIMIT, or when the database does not answer;
    Unauthenticated when the caller's rights end meanwhile.
    """
    settings: Settings = current_app.config["PAYDESK"]
    slot = slots_of(current_app).take(wish.actor.id, request.remote_addr or "")
    try:
        waiter = Waiter(wish.actor, wish.transaction_id, wish.ends)
        with _joined(waiter, wish):
            if not waiter.look(_read(wish)):
                waiter.sleep(settings.wait_seconds)
        return _outcome(waiter, wish)
    finally:
        slot.give()


@contextmanager
def _joined(waiter: Waiter, wish: Wish) -> Iterator[None]:
    board.join(waiter)
    try:
        peer = request.environ.get("gunicorn.socket")
        known = peer if isinstance(peer, socket.socket) else None
        keeper.keep(Kept(waiter, wish.look_again, known))
        yield
    finally:
        keeper.release(waiter)
        board.leave(waiter)


def _read(wish: Wish) -> TransactionSeen:
    with reading() as session:
        return transaction_queries.get_transaction(session, wish.transaction_id, actor=wish.actor)


def _outcome(waiter: Waiter, wish: Wish) -> Waited:
    if waiter.seen is not None:
        return Waited(waiter.seen)
    if waiter.ending is Ending.ACCESS:
        raise Unauthenticated
    # What happened in the last instant is worth one look more than a lie.
    seen = _read(wish)
    if seen.word in wish.ends:
        return Waited(seen)
    if waiter.ending is Ending.RESTART:
        return Waited(seen, math.ceil(ids.jittered(RETURN_SECONDS / 2)))
    return Waited(seen, RETRY_SECONDS)


waiting_figures.register()
