"""A delivery that was set aside gets its case, also when the process died right after storing it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.case_kinds import Verb
from core.states import Inbound, Role
from domain import database
from domain.inbox import ingest, set_aside
from domain.jobs import sweeping
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundEvent
from tests.domain import desk_people as desk
from tests.domain.world import World


def kinds() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(ExceptionCase.kind)))


def told() -> int:
    with database.reading() as session:
        kind = EventLog.type == "inbound.quarantined"
        return len(list(session.scalars(select(EventLog.id).where(kind))))


def grow_old(inbound_id: str) -> None:
    with database.transaction() as session:
        row = session.get_one(InboundEvent, inbound_id)
        row.received_at = clock.now() - timedelta(minutes=5)


def test_a_case_lost_after_the_commit_is_opened_later_and_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk went away")

    # The moment between the commit that stores a delivery and the telling is what is looked at.
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "_tell", broken)
        with pytest.raises(OSError):
            world.deliver(b"[signed, and no event]")
    with database.reading() as session:
        (row,) = session.scalars(select(InboundEvent))
    assert row.state == Inbound.QUARANTINED.value
    assert kinds() == []
    assert sweeping.tell_untold() is False
    assert kinds() == [], "whoever stored it may still be about to tell"
    grow_old(row.id)
    for _ in range(3):
        sweeping.tell_untold()
    assert kinds() == ["QUARANTINED"]
    assert told() == 1


def test_what_was_told_is_not_told_again_and_what_was_settled_stays_so(world: World) -> None:
    got = world.deliver(b"[signed, and no event]")
    grow_old(got.inbound_id)
    sweeping.tell_untold()
    assert (kinds(), told()) == (["QUARANTINED"], 1)
    desk.resolve(desk.case("QUARANTINED"), Verb.ACCEPT, desk.at_desk(Role.FINANCE))
    with database.reading() as session:
        assert not set_aside.is_untold(session)


def test_a_dead_event_without_a_case_gets_one(world: World) -> None:
    payment = world.payment()
    event = world.deliver_and_apply(world.paid(payment))
    with database.transaction() as session:
        row = session.get_one(InboundEvent, event.id)
        row.state, row.last_error = Inbound.DEAD.value, "ValueError"
        row.received_at = clock.now() - timedelta(minutes=5)
    for _ in range(2):
        sweeping.tell_untold()
    assert kinds() == ["DEAD_LETTER"]
