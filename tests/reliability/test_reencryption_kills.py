"""A worker killed while it seals everything anew: the next one goes on there, every value opens, counts are true."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy

import config
from core.states import Role
from domain import database, idempotency
from domain.actors import system
from domain.database import reading, transaction
from domain.jobs import secrets as duties
from domain.people import people
from domain.secrets import keyring, reencryption, secrets
from domain.transitions import Why
from models.people import User
from models.secrets import Reencryption
from providers import registry
from tests.reliability.clients import until
from tests.rig import environment
from tests.rig.process import Running

ROWS = 700
ACTOR = system("test")


def master_key(kid: str) -> str:
    return f"{kid}:{base64.b64encode(kid.encode().ljust(32, b'.')).decode()}"


BOTH = f"{master_key('k2')},{master_key('k1')}"


@pytest.fixture
def env(database_url: str, instance: object, tmp_path: object) -> Iterator[dict[str, str]]:
    """The settings of a process that seals with the first key."""
    del tmp_path
    found = environment.settings(database_url, instance)  # type: ignore[arg-type]
    engine = sqlalchemy.create_engine(database_url)
    database.bind(engine)
    use(found | {"MASTER_KEYS": master_key("k1")})
    yield found
    engine.dispose()


def use(env: dict[str, str]) -> None:
    settings = config.load(env)
    keyring.configure(settings)
    registry.configure(settings)
    secrets.configure(settings)


def fill() -> None:
    for start in range(0, ROWS, 50):
        with transaction() as session:
            for number in range(start, start + 50):
                wanted = people.NewUser(f"p{number}@people.test", Role.BUYER)
                people.create_user(session, wanted, actor=ACTOR, source="test")
                claim = idempotency.Claim("usr_x", f"key-{number:08d}", "POST /x", "hash")
                assert claim.take(session) is None
                claim.finish(session, 200, b"{}")


def assert_all_open() -> None:
    with reading() as session:
        users = session.query(User).filter(User.role == "buyer").all()
        assert {people.email_of(user) for user in users} == {
            f"p{number}@people.test" for number in range(ROWS)
        }
        for number in range(ROWS):
            found = idempotency.Claim("usr_x", f"key-{number:08d}", "POST /x", "hash")
            assert found.look(session) is not None


def the_pass() -> Reencryption:
    with reading() as session:
        row = reencryption.last(session)
    assert row is not None
    return row


@pytest.mark.parametrize("point", ["reencryption.before_commit", "reencryption.after_commit"])
def test_a_killed_pass_is_taken_up_where_it_stood(
    env: dict[str, str],
    database_url: str,
    start_worker: Callable[..., Running],
    point: str,
) -> None:
    fill()
    # What workers write for themselves at their start is written, so that only the pass seals.
    duties.look_after()
    use(env | {"MASTER_KEYS": BOTH})
    with reading() as session:
        found = reencryption.standing(session)
    with transaction() as session:
        reencryption.start(session, found, why=Why(ACTOR, "test", "a new master key"))
    with reading() as session:
        sealed_before = reencryption.standing(session).counts["k1"]
    for nth in (5, 3, 2):
        worker = start_worker(database_url, MASTER_KEYS=BOTH, PAYDESK_CRASHPOINT=f"{point}:{nth}")
        until(lambda worker=worker: not worker.is_alive(), what="the worker to die")  # type: ignore[misc]
        # Whatever it had committed is counted, and nothing else.
        with reading() as session:
            assert the_pass().done == reencryption.standing(session).counts["k2"]
        assert_all_open()
    assert the_pass().state == "running"
    start_worker(database_url, MASTER_KEYS=BOTH)
    until(lambda: the_pass().state == "done", what="the pass to end")
    row = the_pass()
    assert row.last_error is None and row.done == row.total >= sealed_before
    use(env | {"MASTER_KEYS": master_key("k2")})
    assert_all_open()
