"""Open streams are looked after: pinged, looked at again, ended with their rights, told when we stop."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from core.errors import Unauthenticated, Unavailable
from core.states import Kyc, Role
from domain.actors import Actor
from models.events import EventLog
from web import keeper as keepers
from web.frames import PING
from web.keeper import Keeper, Kept
from web.subscriber import Ending, Subscriber


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(keepers, "RECHECK_SECONDS", 0.05)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    for kept in made._all():
        made.release(kept.subscriber)
    while (thread := made._thread) is not None:
        thread.join(0.05)


def kept(
    keeper: Keeper,
    actor: Actor,
    look_again: Callable[[], Actor | None],
    peer: socket.socket | None = None,
) -> Subscriber:
    subscriber = Subscriber(actor, ())
    keeper.keep(Kept(subscriber, look_again, peer))
    return subscriber


def ends(subscriber: Subscriber, seconds: float = 3) -> Ending | None:
    until = time.monotonic() + seconds
    while subscriber.ending is None and time.monotonic() < until:
        time.sleep(0.01)
    return subscriber.ending


def refuse() -> Actor | None:
    raise Unauthenticated


def test_a_stream_ends_with_the_rights_of_its_principal(keeper: Keeper, staff: Actor) -> None:
    assert ends(kept(keeper, staff, lambda: None)) is Ending.ACCESS
    assert ends(kept(keeper, staff, refuse)) is Ending.ACCESS
    demoted = replace(staff, role=Role.BUYER)
    assert ends(kept(keeper, staff, lambda: demoted)) is Ending.ACCESS


def test_what_does_not_change_what_is_seen_leaves_the_stream(keeper: Keeper, staff: Actor) -> None:
    moved = replace(staff, role=Role.FINANCE, kyc=Kyc.APPROVED, address="10.0.0.1")
    assert ends(kept(keeper, staff, lambda: moved), seconds=0.3) is None


def test_a_database_that_does_not_answer_ends_nobodys_stream(keeper: Keeper, staff: Actor) -> None:
    def down() -> Actor | None:
        raise Unavailable

    assert ends(kept(keeper, staff, down), seconds=0.3) is None


def test_an_event_about_a_principal_has_their_streams_looked_at_at_once(
    keeper: Keeper, staff: Actor, buyer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "RECHECK_SECONDS", 1000.0)
    rights: dict[str, Actor] = {}
    late = time.monotonic() + 1000
    theirs, others = Subscriber(buyer, ()), Subscriber(staff, ())
    keeper.keep(Kept(theirs, lambda: rights.get(buyer.id), None, due_at=late))
    keeper.keep(Kept(others, lambda: rights.get(staff.id), None, due_at=late))
    for kind in ("payment.created", "session.revoked"):
        keeper.suspect(EventLog(type=kind, object_id=buyer.id, body={"userId": buyer.id}))
        if kind == "payment.created":
            assert ends(theirs, seconds=0.2) is None
    assert ends(theirs) is Ending.ACCESS
    assert others.ending is None


def test_after_a_secret_was_revoked_every_stream_is_looked_at_at_once(
    keeper: Keeper, staff: Actor, buyer: Actor
) -> None:
    late = time.monotonic() + 1000
    streams = [Subscriber(buyer, ()), Subscriber(staff, ())]
    for each in streams:
        keeper.keep(Kept(each, refuse, None, due_at=late))
    keeper.suspect(EventLog(type="secret.rotated", object_id="sec_x", body={}))
    assert ends(streams[0], seconds=0.2) is None
    keeper.suspect(EventLog(type="secret.revoked", object_id="sec_x", body={}))
    assert [ends(each) for each in streams] == [Ending.ACCESS] * 2


def test_a_quiet_stream_is_pinged(
    keeper: Keeper, staff: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "PING_SECONDS", 0.1)
    subscriber = kept(keeper, staff, lambda: staff)
    assert subscriber.take(timeout=3) == [PING]
    assert keepers.PING_SECONDS < 15


def test_a_stopping_process_says_so_to_all(keeper: Keeper, staff: Actor) -> None:
    streams = [kept(keeper, staff, lambda: staff) for _ in range(3)]
    keeper.stop_when(lambda: True)
    assert [ends(each) for each in streams] == [Ending.RESTART] * 3


def test_a_client_that_hangs_up_is_noticed_and_one_that_talks_is_not_gone(
    keeper: Keeper, staff: Actor
) -> None:
    ours, theirs = socket.socketpair()
    chatty, friend = socket.socketpair()
    with ours, theirs, chatty, friend:
        gone = kept(keeper, staff, lambda: staff, ours)
        there = kept(keeper, staff, lambda: staff, chatty)
        friend.sendall(b"hello?")
        theirs.close()
        assert ends(gone) is Ending.GONE
        assert there.ending is None
        for subscriber in (gone, there):
            keeper.release(subscriber)
