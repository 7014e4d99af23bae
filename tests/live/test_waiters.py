"""The board wakes whoever waits by one query per wake-up, loses no wake-up, and lets nobody wait in vain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

import config
from core.errors import Unavailable
from core.states import Role
from core.transaction_words import ENDS, TransactionWord
from domain import database, feed, sequencer
from domain.actors import Actor
from domain.payments import transaction_queries
from models.events import EventLog
from models.payments import Payment
from tests.domain import transacting, world
from tests.domain.world import World
from tests.live.conftest import hush
from web import waiters
from web.hub import Hub
from web.subscriber import Ending
from web.waiters import Board, Waiter

BO = Actor("usr_bo", "user", Role.BUYER, "Bo")
PATIENCE = 15.0


@pytest.fixture
def paying(engine: Engine, environ: dict[str, str]) -> World:
    del engine
    return world.build(config.load(environ))


@pytest.fixture
def hub(paying: World) -> Iterator[Hub]:
    del paying
    made = Hub()
    yield made
    hush(made)


@pytest.fixture
def board(hub: Hub) -> Iterator[Board]:
    made = Board(hub)
    yield made
    made.break_off()
    settled(lambda: made._thread is None)


def settled(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not (found := is_so()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def waiter(payment: Payment, *more: TransactionWord) -> Waiter:
    return Waiter(BO, payment.id, ENDS | set(more))


def made() -> Payment:
    payment = transacting.begin("usr_bo").payment
    number()
    return payment


def number() -> None:
    """Number what was committed, as a process of ours does, and ring."""
    sequencer.number_events(ring=True)


def moved(payment: Payment, kind: str = "succeeded") -> None:
    transacting.says(payment.id, kind)
    number()


def read(payment: Payment) -> transaction_queries.TransactionSeen:
    with database.reading() as session:
        return transaction_queries.see(session, [payment.id])[payment.id]


def wait(board: Board, payment: Payment, *more: TransactionWord) -> Waiter:
    """Do as a held request does. Gives the waiter as it was when it woke."""
    one = waiter(payment, *more)
    board.join(one)
    try:
        if not one.look(read(payment)):
            one.sleep(PATIENCE)
    finally:
        board.leave(one)
    return one


def test_one_event_wakes_each_of_a_hundred_by_few_queries(board: Board) -> None:
    payments = [transacting.begin("usr_bo").payment for _ in range(25)]
    number()
    with ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(wait, board, payment) for payment in payments * 4]
        assert settled(lambda: board.count == 100)
        # All of them move in one batch of the log.
        for payment in payments:
            transacting.says(payment.id, "succeeded")
        number()
        seen = [each.result().seen for each in waiting]
    assert [one.payment.id for one in seen if one] == [one.id for one in payments] * 4
    assert {one.word for one in seen if one} == {TransactionWord.SUCCEEDED}
    # Whoever committed may have numbered some of them early; never one query a waiter.
    assert 1 <= board.reads <= 25
    assert board.count == 0


def test_only_those_concerned_are_read_for(board: Board) -> None:
    mine, other = made(), made()
    one = waiter(mine)
    board.join(one)
    for _ in range(3):
        moved(other, "requires_action")
        moved(other, "processing")
    assert board.reads == 0
    moved(mine)
    one.sleep(PATIENCE)
    assert one.seen is not None and board.reads >= 1
    board.leave(one)


def test_no_wake_up_is_lost_between_reading_and_sleeping(board: Board) -> None:
    for place in range(12):
        payment, one = made(), None
        one = waiter(payment)
        if place % 3 == 0:
            moved(payment)
        board.join(one)
        if place % 3 == 1:
            moved(payment)
        if not one.look(read(payment)):
            if place % 3 == 2:
                moved(payment)
            one.sleep(PATIENCE)
        assert one.seen is not None and one.seen.word == TransactionWord.SUCCEEDED, place
        board.leave(one)


def test_what_is_asked_for_ends_a_wait_and_so_does_every_end(board: Board) -> None:
    for kind, word in {**transacting.ENDINGS, "requires_action": "requires_action"}.items():
        payment = made()
        asked = [TransactionWord.REQUIRES_ACTION] if kind == "requires_action" else []
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait, board, payment, *asked)
            assert settled(lambda: board.count == 1)
            moved(payment, kind)
            seen = waiting.result().seen
        assert seen is not None and seen.word == word


def test_a_transaction_that_its_provider_has_taken_is_told_as_pending(board: Board) -> None:
    begun = transacting.begin("usr_bo")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, board, begun.payment, TransactionWord.PENDING)
        assert settled(lambda: board.count == 1)
        transacting.send(begun)
        number()
        seen = waiting.result().seen
    assert seen is not None and seen.word == TransactionWord.PENDING


def test_when_following_breaks_off_everybody_is_sent_away_and_may_come_again(
    board: Board, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = made()
    one = waiter(payment)
    board.join(one)

    def broken(self: feed.Follower, seq: int, limit: int = 0) -> list[EventLog]:
        raise ZeroDivisionError

    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with monkeypatch.context() as breaking:
        breaking.setattr(feed.Follower, "read_after", broken)
        moved(payment, "requires_action")
        one.sleep(PATIENCE)
    assert one.ending is Ending.RESTART and one.seen is None
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(wait, board, payment)
        assert settled(lambda: hub._thread is not None and bool(hub._followers))
        moved(payment)
        seen = again.result().seen
    assert seen is not None and seen.word == TransactionWord.SUCCEEDED
    board.leave(one)


def test_an_outage_while_it_reads_is_waited_out(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, real = made(), transaction_queries.see
    monkeypatch.setattr(waiters, "READ_AGAIN_SECONDS", 0.01)
    failures = [Unavailable(), Unavailable()]

    def see(*args: object) -> object:
        if failures:
            raise failures.pop()
        return real(*args)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, board, payment)
        assert settled(lambda: board.count == 1)
        time.sleep(0.05)
        monkeypatch.setattr(transaction_queries, "see", see)
        moved(payment)
        assert waiting.result().seen is not None
    assert not failures


def test_the_last_to_leave_ends_the_following(board: Board, hub: Hub) -> None:
    payment = made()
    several = [waiter(payment) for _ in range(3)]
    for one in several:
        board.join(one)
    assert hub.count == 0, "nobody streams"
    for one in several:
        board.leave(one)
        board.leave(one)
    assert board.count == 0
    assert settled(lambda: hub._thread is None and board._thread is None)


def test_who_streams_beside_waiters_misses_nothing_of_what_came_before(
    board: Board, hub: Hub
) -> None:
    first, then = made(), made()
    one = waiter(first)
    board.join(one)
    moved(then, "requires_action")
    staff = Actor("usr_sue", "user", Role.SUPPORT, "Sue")
    newest = feed.head()
    stream = hub.subscribe(staff)
    assert settled(lambda: hub._is_warm and hub._cursor >= newest)
    found, place = hub.backlog(stream, 0) or ([], 0)
    assert [each.seq for each in found] == list(range(1, stream.since + 1))
    assert place >= stream.since
    hub.unsubscribe(stream)
    board.leave(one)


def test_a_wake_up_that_nobody_rang_is_found_by_the_follower_itself(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = made()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, board, payment)
        assert settled(lambda: board.count == 1)
        # As behind a pooler that keeps LISTEN from working; SQLite has no bell to begin with.
        monkeypatch.setattr(sequencer, "_NOTIFY", text("select 1"))
        moved(payment)
        seen = waiting.result().seen
    assert seen is not None and seen.word == TransactionWord.SUCCEEDED
    assert board.reads <= 2
