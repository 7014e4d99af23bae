"""Codes: each counted once, guessing locked, set up for a proof and taken away for one, reset by somebody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import time_machine
from sqlalchemy import Engine, func, select

import config
from core import clock
from core.errors import AppError, Conflict, Forbidden, InvalidInput, RateLimited, SamePerson
from core.states import Role
from domain.actors import Actor
from domain.database import reading, transaction
from domain.mail import mails
from domain.people import enrolment, lockouts, passkeys, second_factor, sessions
from models.audit import AuditRow
from models.events import EventLog
from models.people import User
from models.proofs import Mail, Passkey
from tests.domain import proofs


@pytest.fixture(autouse=True)
def _ready(engine: Engine, environ: dict[str, str]) -> None:
    del engine
    proofs.configure(config.load(environ))


def accepts(user_id: str, code: str) -> bool:
    with transaction() as session:
        return second_factor.accept_code(session, session.get_one(User, user_id), code)


def found(user_id: str) -> second_factor.Factors:
    with reading() as session:
        return second_factor.factors(session, session.get_one(User, user_id))


def test_a_code_counts_once_even_six_times_at_once() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    now = clock.unix()
    with time_machine.travel(now, tick=False):
        code = codes.at(now)
        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(lambda _: accepts(fin.id, code), range(6))) == 1
        assert not accepts(fin.id, code), "the same code again"
        assert not accepts(fin.id, codes.at(now - 30)), "an older step after a newer one"
        assert accepts(fin.id, codes.at(now + 30)), "a phone that is half a minute ahead"


def test_what_is_no_code_of_these_three_steps_is_refused() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id)
    now = clock.unix()
    with time_machine.travel(now, tick=False):
        right = codes.at(now)
        bad = ["", "12345", f"{right}0", "abcdef", "١٢٣٤٥٦", f" {right}", f"-{right[1:]}"]
        bad += [codes.at(now + 60), codes.at(now - 60), codes.at(now + 3600)]
        near = {codes.at(now + step) for step in (-30, 0, 30)}
        assert not [code for code in bad if code not in near and accepts(fin.id, code)]
        assert accepts(fin.id, codes.at(now - 30)), "a phone that is half a minute behind"
    assert not accepts(proofs.add().id, "000000"), "nobody who has no secret"


def test_guesses_of_one_person_are_counted_over_all_their_sessions_at_once() -> None:
    fin = proofs.add()

    def guess(_: int) -> bool:
        try:
            with transaction() as session:
                lockouts.begin_proof(session, fin.id)
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(guess, range(24))) == lockouts.PROOFS
    with transaction() as session, pytest.raises(RateLimited) as refused:
        lockouts.begin_proof(session, fin.id)
    assert 0 < (refused.value.retry_after or 0) <= lockouts.PROOF_WINDOW_SECONDS + 1
    with transaction() as session:
        assert lockouts.begin_proof(session, "usr_somebody_else")
    with time_machine.travel(clock.after(lockouts.PROOF_WINDOW_SECONDS + 1)):
        assert guess(0)


def test_the_first_factor_costs_the_password_and_the_next_one_a_proof() -> None:
    fin = proofs.add()
    with transaction() as session, pytest.raises(InvalidInput):
        enrolment.begin_app(session, fin.id, actor=fin.actor, password_shown=False)
    codes = proofs.begin_app(fin)
    with transaction() as session:
        assert enrolment.confirm_app(session, fin.id, codes.now(), actor=fin.actor)
    assert found(fin.id).is_set_up
    with transaction() as session, pytest.raises(Forbidden) as refused:
        enrolment.begin_app(session, fin.id, actor=fin.actor, password_shown=True)
    assert refused.value.code == "STEP_UP_REQUIRED"
    with transaction() as session:
        enrolment.begin_app(session, fin.id, actor=fin.fresh, password_shown=False)


def test_a_new_secret_counts_only_once_confirmed_and_six_confirmations_are_one() -> None:
    fin = proofs.add()
    codes = proofs.begin_app(fin)
    assert not found(fin.id).any
    assert not accepts(fin.id, codes.now())
    with transaction() as session:
        wrong = f"{(int(codes.now()) + 500_000) % 1_000_000:06d}"
        assert not enrolment.confirm_app(session, fin.id, wrong, actor=fin.actor)

    def confirm(code: str) -> bool:
        try:
            with transaction() as session:
                return enrolment.confirm_app(session, fin.id, code, actor=fin.actor)
        except Conflict:
            return False

    now = clock.unix()
    with time_machine.travel(now, tick=False):
        code = codes.at(now)
        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(confirm, [code] * 6)) == 1
        assert not accepts(fin.id, code), "the code that confirmed it"
        assert accepts(fin.id, codes.at(now + 30))
    with reading() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "second_factor.set_up"))
        assert [row.object_id for row in rows] == [fin.id]


def test_a_secret_that_waits_is_seen_only_by_the_session_that_asked_and_not_for_long() -> None:
    fin = proofs.add()
    other = proofs.another_session(fin)
    codes = proofs.begin_app(fin)
    with reading() as session:
        user = session.get_one(User, fin.id)
        assert enrolment.find_pending(user, actor=other.actor) is None
        assert codes.secret.encode() not in (user.totp_pending_sealed or b"")
    with transaction() as session, pytest.raises(Conflict):
        enrolment.confirm_app(session, fin.id, codes.now(), actor=other.actor)
    with (
        time_machine.travel(clock.after(enrolment.LIVES_SECONDS + 1)),
        transaction() as session,
        pytest.raises(Conflict),
    ):
        enrolment.confirm_app(session, fin.id, codes.now(), actor=fin.actor)


def test_replacing_a_secret_ends_the_old_one() -> None:
    fin = proofs.add()
    old = proofs.give_app(fin.id)
    fresh = replace(fin, actor=fin.fresh)
    new = proofs.begin_app(fresh, password_shown=False)
    now = clock.unix()
    with time_machine.travel(now, tick=False):
        with transaction() as session:
            assert enrolment.confirm_app(session, fin.id, new.at(now), actor=fin.fresh)
        assert old.at(now + 30) == new.at(now + 30) or not accepts(fin.id, old.at(now + 30))
        assert accepts(fin.id, new.at(now + 30))


def test_staff_pay_for_their_last_factor_with_the_password_and_others_do_not() -> None:
    for role in (Role.FINANCE, Role.BUYER):
        who = proofs.add(role)
        proofs.give_app(who.id)
        with transaction() as session, pytest.raises(Forbidden):
            second_factor.remove_app(session, who.id, actor=who.actor, password_shown=True)
        if role == Role.FINANCE:
            with transaction() as session, pytest.raises(InvalidInput):
                second_factor.remove_app(session, who.id, actor=who.fresh, password_shown=False)
        with transaction() as session:
            shown = role == Role.FINANCE
            second_factor.remove_app(session, who.id, actor=who.fresh, password_shown=shown)
        assert not found(who.id).any
        with transaction() as session, pytest.raises(Conflict):
            second_factor.remove_app(session, who.id, actor=who.fresh, password_shown=True)


def test_two_factors_removed_at_once_do_not_both_count_as_not_the_last() -> None:
    for _ in range(5):
        fin = proofs.add()
        proofs.give_app(fin.id)
        proofs.give_passkey(fin)
        with reading() as session:
            key_id = passkeys.list_passkeys(session, fin.id)[0].id

        def app(who: proofs.Someone = fin) -> None:
            with transaction() as session:
                second_factor.remove_app(session, who.id, actor=who.fresh, password_shown=False)

        def key(who: proofs.Someone = fin, key_id: str = key_id) -> None:
            with transaction() as session:
                passkeys.remove(session, who.id, key_id, actor=who.fresh, password_shown=False)

        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(each) for each in (app, key)]
        failed = [each.exception() for each in done if each.exception() is not None]
        assert [type(error) for error in failed] == [InvalidInput]
        assert found(fin.id).is_set_up


def reset(user_id: str, actor: Actor) -> None:
    with transaction() as session:
        second_factor.reset(session, user_id, actor=actor, reason="Lost the phone.")


def test_an_admin_resets_somebody_elses_factors_and_signs_them_out() -> None:
    ada, fin = proofs.add(Role.ADMIN), proofs.add()
    proofs.give_app(fin.id)
    proofs.give_passkey(fin)
    reset(fin.id, ada.fresh)
    assert not found(fin.id).any
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Passkey)) == 0
        assert sessions.find_session(session, fin.token) is None
        assert sessions.find_session(session, ada.token) is not None
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "second_factor.reset"))
        assert [(row.actor, row.object_id, row.reason) for row in rows] == [
            (ada.id, fin.id, "Lost the phone.")
        ]
        told = session.scalars(select(EventLog).where(EventLog.type == "user.changed")).all()
        assert told


def test_nobody_resets_their_own_nor_without_being_a_proved_admin() -> None:
    ada, fin = proofs.add(Role.ADMIN, email="ada@people.test"), proofs.add()
    twin = proofs.add(Role.FINANCE, email="Ada+second@people.test")
    auditor = proofs.add(Role.AUDITOR)
    for who in (ada, fin, twin):
        proofs.give_app(who.id)
    refusals: list[tuple[str, Actor, type[AppError]]] = [
        (ada.id, ada.fresh, SamePerson),
        (twin.id, ada.fresh, SamePerson),
        (fin.id, ada.actor, Forbidden),
        (fin.id, auditor.fresh, Forbidden),
        (ada.id, fin.fresh, Forbidden),
        (auditor.id, ada.fresh, Conflict),
    ]
    for user_id, actor, error in refusals:
        with pytest.raises(error):
            reset(user_id, actor)
    assert all(found(who.id).has_app for who in (ada, fin, twin))


def test_no_secret_or_code_is_written_down_beside_the_row_that_seals_it() -> None:
    fin = proofs.add()
    codes = proofs.begin_app(fin)
    code = codes.now()
    with transaction() as session:
        assert enrolment.confirm_app(session, fin.id, code, actor=fin.actor)
    with reading() as session:
        user = session.get_one(User, fin.id)
        assert codes.secret.encode() not in (user.totp_sealed or b"")
        told = [str(row.__dict__) for row in session.scalars(select(AuditRow))]
        told += [str(row.__dict__) for row in session.scalars(select(EventLog))]
        assert told
        assert not [row for row in told if codes.secret in row or f"'{code}'" in row]


def test_a_person_is_told_of_every_change_without_any_secret() -> None:
    ada, fin = proofs.add(Role.ADMIN), proofs.add()
    codes = proofs.begin_app(fin)
    with transaction() as session:
        assert enrolment.confirm_app(session, fin.id, codes.now(), actor=fin.actor)
    with transaction() as session:
        second_factor.remove_app(session, fin.id, actor=fin.fresh, password_shown=True)
    proofs.give_passkey(fin)
    reset(fin.id, ada.fresh)
    with reading() as session:
        rows = list(session.scalars(select(Mail).where(Mail.user_id == fin.id)))
        assert sorted(row.subject for row in rows) == [
            "A second factor of your Paydesk account was removed",
            "A second factor was set up for your Paydesk account",
            "A second factor was set up for your Paydesk account",
            "Your Paydesk second factor was reset",
        ]
        bodies = [mails.opened(row).body for row in rows]
    assert not [body for body in bodies if codes.secret in body]
