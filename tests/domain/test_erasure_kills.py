"""kill -9 while somebody is erased or data is dropped: all of it or nothing; and what a copy from before still tells."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine, insert, select, text

from core.person_seal import KeyDestroyed
from domain import crash, database
from domain.actors import Actor
from domain.books import chains, verification
from domain.jobs import housekeeping
from domain.mail import mails
from domain.people import erasure, people
from models.inbound import InboundEvent
from models.people import User
from models.personal import PersonKey, RetentionRun
from models.proofs import Mail
from tests.domain import erasing
from tests.domain.erasing import EMAIL, NAME, REASON, Berta
from tests.domain.test_retention import age
from tests.domain.world import World


@pytest.fixture
def her(world: World) -> Berta:
    return erasing.berta(world)


def erase(user_id: str, by: Actor) -> None:
    with database.transaction() as session:
        erasure.erase(session, user_id, actor=by, source="test", reason=REASON)


def killed(engine: Engine, point: str, work: Callable[[], object]) -> None:
    """Do something in a process of its own, which is killed at a point."""
    engine.dispose()
    child = os.fork()
    if child == 0:
        try:
            database.bind(sqlalchemy.create_engine(engine.url))
            crash.arm(point)
            work()
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("point", ["erasure.after_key", "erasure.before_commit"])
def test_killed_in_the_middle_nobody_is_erased_and_is_erased_next(
    engine: Engine, her: Berta, point: str
) -> None:
    ada = erasing.admin("ada")
    killed(engine, point, lambda: erase(her.user_id, ada))
    with database.reading() as session:
        user = session.get_one(User, her.user_id)
        assert (user.name, people.email_of(user), user.erased_at) == (NAME, EMAIL, None)
        assert NAME in mails.opened(session.get_one(Mail, her.mail_id)).body
    assert all(erasing.keys_of(her.user_id).values())
    erase(her.user_id, ada)
    assert not erasing.keys_of(her.user_id)["account", 0]
    chains.link_all()
    assert all(each.ok for each in verification.verify().checks)


def test_killed_while_dropping_what_was_dropped_and_its_count_agree(
    engine: Engine, her: Berta
) -> None:
    del her
    age()
    killed(engine, "retention.before_commit", housekeeping.tidy)
    with database.reading() as session:
        assert session.scalars(select(InboundEvent)).one().body_sealed is not None
        assert session.scalars(select(RetentionRun)).all() == []
    while housekeeping.tidy():
        pass
    with database.reading() as session:
        assert session.scalars(select(InboundEvent)).one().body_sealed is None
        runs = {row.rule: row.dropped for row in session.scalars(select(RetentionRun))}
        assert runs["inbound_bodies"] == 1


@contextmanager
def copied(engine: Engine, place: Path) -> Iterator[Engine]:
    """Copy a SQLite database as a backup does, and work on the copy."""
    with database.reading() as session:
        session.connection().exec_driver_sql("commit")
        session.connection().exec_driver_sql(f"vacuum into '{place}'")
    copy = sqlalchemy.create_engine(f"sqlite:///{place}")
    yield copy
    database.bind(engine)
    copy.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_copied_database_with_the_key_table_of_afterwards_tells_nothing(
    engine: Engine, her: Berta, tmp_path: Path
) -> None:
    ada = erasing.admin("ada")
    with copied(engine, tmp_path / "before.db") as copy:
        erase(her.user_id, ada)
        with database.reading() as session:
            after = [
                {column.name: getattr(row, column.name) for column in PersonKey.__table__.columns}
                for row in session.scalars(select(PersonKey))
            ]
        database.bind(copy)
        with database.reading() as session:
            user = session.get_one(User, her.user_id)
            # The copy was readable as long as the key was there.
            assert people.email_of(user) == EMAIL
        with database.transaction() as session:
            session.execute(text("delete from person_keys"))
            session.execute(insert(PersonKey), after)
        with database.reading() as session:
            user = session.get_one(User, her.user_id)
            letter = session.get_one(Mail, her.mail_id)
            with pytest.raises(KeyDestroyed):
                people.email_of(user)
            with pytest.raises(KeyDestroyed):
                mails.opened(letter)
            assert EMAIL.encode() not in bytes(user.email_sealed)
            # What tax law keeps opens still.
            assert ("books" in {row["purpose"] for row in after if row["key_sealed"]}) is True
