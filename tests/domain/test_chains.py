"""Linking looks only at what can have come since it last looked, and misses nothing that commits late."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core import clock
from domain import audit, crash, database
from domain.actors import system
from domain.books import chains
from models.audit import AuditRow, ChainLink

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(autouse=True)
def _no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show what the look itself finds, without the seconds that it allows for; rows say whole milliseconds."""
    monkeypatch.setattr(chains, "EARLIEST_SAYING", timedelta(milliseconds=1))


def note(session: Session, name: str) -> None:
    audit.write(
        session,
        "test.act",
        actor=system("test"),
        object_kind="thing",
        object_id=name,
        source="test",
    )


def write(name: str) -> None:
    with database.transaction() as session:
        note(session, name)


def linked() -> list[str]:
    """Name what is linked, in the chain's order."""
    statement = (
        select(AuditRow.object_id)
        .join(ChainLink, (ChainLink.chain == "audit") & (ChainLink.row_id == AuditRow.id))
        .where(AuditRow.object_kind == "thing")
        .order_by(ChainLink.seq)
    )
    with database.reading() as session:
        return list(session.scalars(statement))


def unlinked() -> int:
    bound = exists().where(ChainLink.chain == "audit", ChainLink.row_id == AuditRow.id)
    with database.reading() as session:
        return len(session.scalars(select(AuditRow.id).where(~bound)).all())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_was_begun_before_a_look_and_commits_after_it_is_linked_by_the_next() -> None:
    """On SQLite nobody else can have a transaction open while somebody links."""
    written, looked = threading.Event(), threading.Event()

    def slow() -> None:
        with database.transaction() as session:
            session.execute(select(1))  # a transaction begins with its first statement
            note(session, "begun first")
            written.set()
            assert looked.wait(30)

    chains.link_all()
    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(30)
    write("begun later")
    chains.link_all()
    chains.link_all()
    assert linked() == ["begun later"]
    looked.set()
    thread.join(30)
    chains.link_all()
    assert linked() == ["begun later", "begun first"] and unlinked() == 0


def test_what_a_clock_that_is_behind_wrote_is_found_by_the_long_look() -> None:
    write("on time")
    chains.link_all()
    with time_machine.travel(clock.after(-60)):
        write("behind")
    chains.link_all()
    assert linked() == ["on time"]
    with time_machine.travel(clock.after(chains.LONG_LOOK.total_seconds() + 1)):
        chains.link_all()
    assert linked() == ["on time", "behind"] and unlinked() == 0


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    with time_machine.travel(clock.after(60)):
        write("ahead")
        chains.link_all()
    write("set back")
    chains.link_all()
    assert linked() == ["ahead", "set back"] and unlinked() == 0


def test_a_look_that_was_not_committed_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chains.link_all()
    write("one")

    def ended(point: str) -> None:
        raise RuntimeError(point)

    with monkeypatch.context() as patch:
        patch.setattr(crash, "point", ended)
        with pytest.raises(RuntimeError, match="before_commit"):
            chains.link_all()
    assert linked() == []
    chains.link_all()
    assert linked() == ["one"]


def test_more_than_one_batch_is_linked_before_a_look_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chains, "BATCH", 2)
    names = [f"thing {number}" for number in range(7)]
    with database.transaction() as session:
        for name in names:
            note(session, name)
    chains.link_all()
    assert sorted(linked()) == names and unlinked() == 0
