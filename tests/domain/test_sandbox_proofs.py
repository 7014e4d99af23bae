"""The sandbox's people can prove themselves from the start, with secrets that everybody there knows."""

from __future__ import annotations

import pyotp
import pytest
import time_machine
from sqlalchemy import Engine, update

import config
from core import clock
from domain.database import reading, transaction
from domain.people import people, sandbox_people, second_factor
from models.people import User
from tests.domain import proofs

FIN = "fin@sandbox.example"


@pytest.fixture(autouse=True)
def _ready(engine: Engine, environ: dict[str, str]) -> None:
    del engine
    proofs.configure(config.load(environ))


def seed() -> dict[str, sandbox_people.SandboxPerson]:
    with transaction() as session:
        return {each.email: each for each in sandbox_people.seed_sandbox(session)}


def user_id(email: str = FIN) -> str:
    with reading() as session:
        user = people.find_user(session, email)
        assert user is not None
        return user.id


def current(email: str = FIN) -> str | None:
    with reading() as session:
        user = people.find_user(session, email)
        assert user is not None
        return sandbox_people.current_code(user)


def accepts(code: str, email: str = FIN) -> bool:
    with transaction() as session:
        user = people.find_user(session, email)
        assert user is not None
        return second_factor.accept_code(session, user, code)


def test_everybody_has_a_secret_of_their_own_that_is_the_same_at_every_start() -> None:
    everybody = seed()
    assert len({each.totp for each in everybody.values()}) == len(everybody)
    assert everybody == seed()
    now = clock.unix()
    with time_machine.travel(now), transaction() as session:
        for each in everybody.values():
            user = people.find_user(session, each.email)
            assert user is not None
            found = second_factor.factors(session, user)
            assert (found.has_app, found.is_set_up) == (True, False)
            assert second_factor.accept_code(session, user, pyotp.TOTP(each.totp).at(now))


def test_a_sandbox_from_before_gets_its_secrets_at_the_next_start() -> None:
    seed()
    with transaction() as session:
        session.execute(update(User).values(totp_sealed=None))
    assert current() is None
    with transaction() as session:
        sandbox_people.hand_out(session)
    code = current()
    assert code is not None
    assert accepts(code)


def test_the_code_shown_is_always_the_next_one_that_counts() -> None:
    seed()
    now = clock.unix() // 30 * 30
    with time_machine.travel(now, tick=False):
        first = current()
        assert first is not None
        assert accepts(first)
        second = current()
        assert second not in (None, first)
        assert accepts(second or "")
        assert current() is None, "this step and the next were shown"
    with time_machine.travel(now + 31, tick=False):
        third = current()
        assert third is not None
        assert accepts(third)


def test_what_somebody_set_up_themselves_is_neither_shown_nor_replaced() -> None:
    seed()
    codes = proofs.give_app(user_id())
    assert current() is None
    with transaction() as session:
        sandbox_people.hand_out(session)
    assert accepts(codes.now())
    other = "flo@sandbox.example"
    with transaction() as session:
        user = session.get_one(User, user_id(other))
        user.demo = False
    assert current(other) is None


def test_a_stranger_with_a_secret_that_was_not_handed_out_is_never_shown_a_code() -> None:
    seed()
    someone = proofs.add()
    proofs.give_app(someone.id, confirmed=False)
    with transaction() as session:
        session.get_one(User, someone.id).demo = True
    assert current(someone.email) is None
    proofs.give_app(user_id(), confirmed=False)
    assert current() is None
