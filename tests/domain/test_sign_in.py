"""Lockouts, second factors, sessions and tokens, below any door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select

import config
from core import clock
from core.errors import RateLimited, Unauthenticated
from core.states import Role
from domain.actors import system
from domain.database import reading, transaction
from domain.people import lockouts, passwords, people, sessions, sign_in, tokens
from domain.secrets import keyring, rotation, secret_queries, secrets
from domain.transitions import Why
from models.people import RevokedToken, SignInAttempt, User
from providers import registry
from tests.domain import proofs

ACTOR = system("test")
WORD = "correct horse battery"


@pytest.fixture(autouse=True)
def user_id(engine: Engine, environ: dict[str, str]) -> str:
    del engine
    settings = config.load(environ)
    keyring.configure(settings)
    registry.configure(settings)
    secrets.configure(settings)
    passwords.configure(cheap=True)
    with transaction() as session:
        wanted = people.NewUser(email="bo@people.test", role=Role.BUYER, password=WORD)
        return people.create_user(session, wanted, actor=ACTOR, source="test").id


def test_guesses_at_the_same_moment_do_not_slip_past_the_limit() -> None:
    def guess(_: int) -> bool:
        try:
            with transaction() as session:
                sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(guess, range(24))) == lockouts.PER_ACCOUNT


def test_a_right_password_takes_its_attempt_back(user_id: str) -> None:
    with transaction() as session:
        attempt = sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
    is_right = sign_in.is_right(attempt, WORD)
    with transaction() as session:
        user, stepped_up = sign_in.admit(session, attempt, is_right=is_right)
        assert (user.id, stepped_up) == (user_id, False)
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


def test_attempts_hold_neither_address_nor_account() -> None:
    with transaction() as session:
        sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
    with transaction() as session:
        subjects = list(session.scalars(select(SignInAttempt.subject)))
        assert len(subjects) == 2
        assert not any("people" in subject or "192.0.2" in subject for subject in subjects)


def test_admission_asks_for_a_second_factor_that_is_set_up(user_id: str) -> None:
    proofs.give_app(user_id)
    with transaction() as session:
        attempt = sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
    with transaction() as session, pytest.raises(Unauthenticated) as refused:
        sign_in.admit(session, attempt, is_right=True)
    assert refused.value.code == "SECOND_FACTOR_REQUIRED"
    with transaction() as session, pytest.raises(Unauthenticated) as refused:
        sign_in.admit(session, attempt, is_right=False, code="000000")
    assert refused.value.code == "UNAUTHENTICATED"


def test_a_code_is_tried_only_where_the_try_was_counted(user_id: str) -> None:
    codes = proofs.give_app(user_id)
    with transaction() as session:
        attempt = sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
        tried = sign_in.begin_code(session, attempt)
    with transaction() as session, pytest.raises(Unauthenticated):
        sign_in.admit(session, attempt, is_right=True, code=codes.now())
    with transaction() as session:
        found = sign_in.admit(session, attempt, is_right=True, code=codes.now(), tried=tried)
        assert (found[0].id, found[1]) == (user_id, True)
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


def test_a_password_changed_while_it_was_tried_opens_nothing(user_id: str) -> None:
    with transaction() as session:
        attempt = sign_in.begin(session, "bo@people.test", ip="192.0.2.1")
    with transaction() as session:
        session.get_one(User, user_id).password_hash = passwords.hashed("another horse battery")
    with transaction() as session, pytest.raises(Unauthenticated):
        sign_in.recognise(session, attempt, is_right=True)


def test_ending_all_sessions_keeps_the_one_in_use(user_id: str) -> None:
    with transaction() as session:
        user = session.get_one(User, user_id)
        opened = [
            sessions.open_session(session, user, address=None, browser=None) for _ in range(3)
        ]
        issued = tokens.issue(user_id, role="buyer", kyc="none")
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
        actor = sessions.actor_of(user, session_id=opened[0].session_id)
    with transaction() as session:
        ended = sessions.end_all(session, user_id, actor=actor, keep=opened[0].session_id)
    assert set(ended) == {opened[1].session_id, opened[2].session_id, issued.jti}
    with reading() as session:
        assert sessions.find_session(session, opened[0].token) is not None
        assert sessions.find_session(session, opened[1].token) is None
        assert sessions.find_token_user(session, user_id, issued.jti) is None
        left = sessions.list_sessions(session, user_id)
        assert [row.id for row in left] == [opened[0].session_id]


def test_old_rows_are_forgotten_when_they_can_matter_no_more(user_id: str) -> None:
    with transaction() as session:
        sessions.revoke_token(session, "jti_x", user_id=user_id)
        sessions.revoke_token(session, "jti_x", user_id=user_id)
    with transaction() as session:
        sessions.forget_old(session, now=clock.now())
        assert session.scalar(select(func.count()).select_from(RevokedToken)) == 1
        sessions.forget_old(session, now=clock.after(sessions.LONGEST_TOKEN_SECONDS + 60))
        assert session.scalar(select(func.count()).select_from(RevokedToken)) == 0


def test_a_token_lives_at_most_a_month(user_id: str) -> None:
    issued = tokens.issue(user_id, role="buyer", kyc="none", ttl_seconds=10**9)
    left = (issued.expires_at - clock.now()).total_seconds()
    assert left <= sessions.LONGEST_TOKEN_SECONDS
    assert tokens.read(issued.token).user_id == user_id


def test_tokens_of_an_older_key_still_verify(environ: dict[str, str], user_id: str) -> None:
    import base64
    import os

    def key(kid: str) -> str:
        return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"

    old, new = key("old1"), key("new1")
    secrets.configure(config.load(environ | {"JWT_KEYS": old}))
    issued = tokens.issue(user_id, role="buyer", kyc="none")
    # Nobody is signed out by a new value, whether the old one is still named or not.
    for keys in (f"{new},{old}", new):
        secrets.configure(config.load(environ | {"JWT_KEYS": keys}))
        assert tokens.read(issued.token).jti == issued.jti
    with transaction() as session:
        seen = secret_queries.list_secrets(session, kinds=["jwt"])[0]
        why = Why(ACTOR, "test", "leaked")
        for each in seen.versions:
            if each.row.state == "retiring":
                rotation.revoke(session, seen.row.id, each.row.version, why=why)
    secrets.forget_cached()
    with pytest.raises(Unauthenticated):
        tokens.read(issued.token)
