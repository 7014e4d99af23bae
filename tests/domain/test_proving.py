"""Stepping up: the session that proved itself gets a new secret, the old one is dead, an ended one gains nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from sqlalchemy import Engine, func, select

import config
from core import clock
from core.errors import RateLimited, Unauthenticated
from domain.database import reading, transaction
from domain.people import halfway, lockouts, passwords, proving, sessions, step_up
from domain.people.proving import Shown
from models.audit import AuditRow
from models.people import SignInAttempt, User
from tests.domain import proofs
from tests.domain.proofs import SITE, Someone


@pytest.fixture(autouse=True)
def _ready(engine: Engine, environ: dict[str, str]) -> None:
    del engine
    proofs.configure(config.load(environ))


def prove(who: Someone, code: str) -> str | None:
    with transaction() as session:
        tried = lockouts.begin_proof(session, who.id)
    with transaction() as session:
        return proving.step_up(
            session, Shown(code=code), tried=tried, token=who.token, actor=who.actor, site=SITE
        )


def live(token: str) -> sessions.Found | None:
    with reading() as session:
        return sessions.find_session(session, token)


def test_a_proof_renews_the_secret_of_this_session_only() -> None:
    fin = proofs.add()
    elsewhere = proofs.another_session(fin)
    fresh = prove(fin, proofs.give_app(fin.id).now())
    assert fresh is not None
    assert live(fin.token) is None
    found, other = live(fresh), live(elsewhere.token)
    assert found is not None
    assert other is not None
    assert (found.actor.session_id, step_up.is_fresh(found.actor)) == (fin.actor.session_id, True)
    assert other.stepped_up_at is None
    with time_machine.travel(clock.after(301)):
        stale = live(fresh)
        assert stale is not None
        assert not step_up.is_fresh(stale.actor)


def test_a_wrong_code_changes_nothing_and_is_counted_and_written_down() -> None:
    fin = proofs.add()
    proofs.give_app(fin.id)
    assert prove(fin, "abcdef") is None
    found = live(fin.token)
    assert found is not None
    assert found.stepped_up_at is None
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 1
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "session.step_up"))
        assert [(row.refused, row.session_id) for row in rows] == [(True, fin.actor.session_id)]


def test_a_right_code_takes_its_try_back() -> None:
    fin = proofs.add()
    assert prove(fin, proofs.give_app(fin.id).now()) is not None
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


def test_a_session_that_ended_or_was_renewed_meanwhile_is_not_stepped_up() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    with transaction() as session:
        sessions.end_all(session, fin.id, actor=fin.actor)
    code = codes.now()
    with pytest.raises(Unauthenticated):
        prove(fin, code)
    assert live(fin.token) is None
    again = proofs.another_session(fin)
    # What failed took nothing: the code is still good.
    assert prove(again, code) is not None
    with pytest.raises(Unauthenticated), transaction() as session:
        proving.renew(session, again.token, actor=again.actor)


def test_nobody_renews_somebody_elses_session() -> None:
    fin, flo = proofs.add(), proofs.add()
    with pytest.raises(Unauthenticated), transaction() as session:
        proving.renew(session, fin.token, actor=flo.actor)
    assert live(fin.token) is not None


def test_six_proofs_at_once_of_one_code_over_six_sessions_are_one() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    everywhere = [fin, *(proofs.another_session(fin) for _ in range(4))]
    now = clock.unix()
    with time_machine.travel(now, tick=False), ThreadPoolExecutor(5) as threads:
        code = codes.at(now)
        found = list(threads.map(lambda who: prove(who, code), everywhere))
    assert len([each for each in found if each is not None]) == 1


def begin(who: Someone) -> str:
    with transaction() as session:
        return halfway.begin(session, session.get_one(User, who.id))


def look(held: str) -> halfway.Halfway | None:
    with reading() as session:
        return halfway.find(session, held)


def finish(held: str, code: str) -> bool:
    found = look(held)
    if found is None:
        return False
    with transaction() as session:
        tried = halfway.begin_proof(session, found, ip="192.0.2.1")
    try:
        with transaction() as session:
            user = halfway.finish(session, held, Shown(code=code), tried=tried, site=SITE)
            return user is not None
    except Unauthenticated:
        return False


def test_a_sign_in_half_way_is_finished_once() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    now = clock.unix()
    with time_machine.travel(now, tick=False):
        held = begin(fin)
        assert not finish(held, "abcdef")
        assert finish(held, codes.at(now))
        assert not finish(held, codes.at(now + 30)), "the same half again"
        held = begin(fin)
        with ThreadPoolExecutor(4) as threads:
            # Two codes that are both right: the half is used up by the first.
            sent = [codes.at(now + 30)] * 4
            assert sum(threads.map(lambda code: finish(held, code), sent)) == 1


def test_a_sign_in_half_way_is_void_elsewhere_later_or_after_another_password() -> None:
    fin = proofs.add()
    held = begin(fin)
    assert look(held) is not None
    for wrong in ("", ".", held[:-1], f"{held}x", held.split(".")[0], f"chl_x.{held}"):
        assert look(wrong) is None, wrong
    with time_machine.travel(clock.after(301)):
        assert look(held) is None
    with transaction() as session:
        session.get_one(User, fin.id).state = "disabled"
    assert look(held) is None
    with transaction() as session:
        user = session.get_one(User, fin.id)
        user.state, user.password_hash = "active", passwords.hashed("another horse battery")
    assert look(held) is None


def test_guessing_the_second_step_locks_the_account_and_the_person() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    held = begin(fin)
    for _ in range(lockouts.PROOFS):
        assert not finish(held, "abcdef")
    found = look(held)
    assert found is not None
    with transaction() as session, pytest.raises(RateLimited):
        halfway.begin_proof(session, found, ip="192.0.2.9")
    with transaction() as session, pytest.raises(RateLimited):
        lockouts.begin(session, fin.email, ip="192.0.2.9")
    # The account opens after a minute; the person's codes do not.
    with time_machine.travel(clock.after(61)):
        with transaction() as session:
            lockouts.begin(session, fin.email, ip="192.0.2.9")
        with transaction() as session, pytest.raises(RateLimited):
            lockouts.begin_proof(session, fin.id)
    del codes
