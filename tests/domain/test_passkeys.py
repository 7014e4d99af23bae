"""Passkeys: what is signed here and now by one's own key counts, once; everything else does not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import time_machine
from sqlalchemy import Engine, select

import config
from core import clock
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.states import Role
from domain.database import reading, transaction
from domain.people import challenges, passkeys, proving, second_factor
from domain.people.challenges import Purpose
from domain.people.passkeys import Site
from domain.people.proving import Asking, Shown
from models.audit import AuditRow
from models.people import User
from models.proofs import Passkey
from tests.domain import proofs
from tests.domain.authenticator import Authenticator, challenge_of, text
from tests.domain.proofs import SITE, Someone


@pytest.fixture(autouse=True)
def _ready(engine: Engine, environ: dict[str, str]) -> None:
    del engine
    proofs.configure(config.load(environ))


def ask(
    who: Someone, *, purpose: Purpose = Purpose.STEP_UP, place: str | None = None
) -> tuple[str, bytes]:
    """Give a challenge's id and what is to be signed for it."""
    with transaction() as session:
        user = session.get_one(User, who.id)
        where = place or who.actor.session_id or ""
        asked, options = passkeys.ask(session, user, purpose, place=where, site=SITE)
    return asked.id, challenge_of(options)


def shows(
    who: Someone,
    answer: str,
    challenge_id: str,
    *,
    purpose: Purpose = Purpose.STEP_UP,
    site: Site = SITE,
) -> bool:
    shown = Shown(answer=answer, challenge_id=challenge_id)
    with transaction() as session:
        user = session.get_one(User, who.id)
        asking = Asking(purpose, who.actor.session_id or "", site)
        return proving.is_right(session, user, shown, asking=asking)


def test_a_passkey_set_up_here_is_accepted_and_each_answer_once() -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin, name="Blue key")
    challenge_id, challenge = ask(fin)
    answer = key.sign(challenge)
    assert shows(fin, answer, challenge_id)
    assert not shows(fin, answer, challenge_id), "the same answer again"
    assert not shows(fin, key.sign(challenge), challenge_id), "a new answer to the old question"
    with reading() as session:
        row = passkeys.list_passkeys(session, fin.id)[0]
        assert (row.name, row.sign_count, row.last_used_at is not None) == ("Blue key", 2, True)


def test_a_key_that_does_not_count_is_accepted_and_one_that_stops_counting_is_not() -> None:
    fin = proofs.add()
    silent = proofs.give_passkey(fin, Authenticator(counts=False))
    counting = proofs.give_passkey(fin)
    for _ in range(2):
        challenge_id, challenge = ask(fin)
        assert shows(fin, silent.sign(challenge), challenge_id)
    copied = replace(counting, count=0, counts=False)
    challenge_id, challenge = ask(fin)
    assert not shows(fin, copied.sign(challenge), challenge_id)


def test_a_counter_that_went_back_is_refused_and_written_down() -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin)
    copy = replace(key)
    challenge_id, challenge = ask(fin)
    assert shows(fin, key.sign(challenge), challenge_id)
    challenge_id, challenge = ask(fin)
    assert not shows(fin, copy.sign(challenge), challenge_id)
    with reading() as session:
        rows = session.scalars(
            select(AuditRow).where(AuditRow.action == "passkey.counter_went_back")
        )
        assert [(row.object_id, row.refused) for row in rows] == [(fin.id, True)]


def test_two_copies_of_a_key_at_the_same_moment_are_not_both_accepted() -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin)
    asked = [ask(fin) for _ in range(6)]
    answers = [(replace(key).sign(challenge), challenge_id) for challenge_id, challenge in asked]
    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(lambda each: shows(fin, *each), answers)) == 1


def test_one_answer_sent_six_times_at_once_counts_once() -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin, Authenticator(counts=False))
    challenge_id, challenge = ask(fin)
    answer = key.sign(challenge)
    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(lambda _: shows(fin, answer, challenge_id), range(6))) == 1


def test_a_challenge_counts_only_for_whom_where_why_and_when_it_was_asked() -> None:
    fin, flo = proofs.add(), proofs.add()
    key = proofs.give_passkey(fin, Authenticator(counts=False))
    other_key = proofs.give_passkey(flo, Authenticator(counts=False))
    elsewhere = proofs.another_session(fin)
    challenge_id, challenge = ask(flo)
    assert not shows(fin, key.sign(challenge), challenge_id), "another person's question"
    challenge_id, challenge = ask(fin)
    assert not shows(fin, other_key.sign(challenge), challenge_id), "another person's key"
    challenge_id, challenge = ask(fin)
    assert not shows(elsewhere, key.sign(challenge), challenge_id), "another session's question"
    challenge_id, challenge = ask(fin, purpose=Purpose.SIGN_IN)
    assert not shows(fin, key.sign(challenge), challenge_id), "asked for a sign-in"
    challenge_id, challenge = ask(fin)
    with time_machine.travel(clock.after(challenges.LIVES_SECONDS + 1)):
        assert not shows(fin, key.sign(challenge), challenge_id), "asked too long ago"
    assert not shows(fin, key.sign(b"x" * 32), "chl_nothing"), "never asked"
    challenge_id, challenge = ask(fin)
    assert shows(fin, key.sign(challenge), challenge_id)


@pytest.mark.parametrize(
    "change",
    [{"origin": "http://evil.test"}, {"origin": "http://localhost:1"}, {"host": "evil.test"}],
    ids=str,
)
def test_what_was_signed_for_another_site_is_refused(change: dict[str, str]) -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin)
    phished = replace(key, **change)  # type: ignore[arg-type]
    challenge_id, challenge = ask(fin)
    assert not shows(fin, phished.sign(challenge), challenge_id)
    challenge_id, challenge = ask(fin)
    assert not shows(fin, key.sign(challenge, flags=0), challenge_id), "nobody was there"


def test_made_up_answers_are_refused_and_never_break_anything() -> None:
    fin = proofs.add()
    key = proofs.give_passkey(fin)
    challenge_id, challenge = ask(fin)
    good = json.loads(key.sign(challenge))
    bad = ["", "{", "[]", "null", "1", '"x"', "{}", "x" * 20_000, "[" * 5000]
    odd: list[object] = [None, "", "@@", "AAAA", 1, [], {}, "A" * 64, text(b"[" * 9000)]
    for field in ("id", "rawId", "type", "response"):
        bad += [json.dumps(good | {field: value}) for value in odd]
    for field in good["response"]:
        for value in odd:
            bad.append(json.dumps(good | {"response": good["response"] | {field: value}}))
    for answer in bad:
        challenge_id, _ = ask(fin)
        assert not shows(fin, answer, challenge_id), answer[:80]
        challenge_id, challenge = ask(fin)
        with pytest.raises(InvalidInput):
            passkeys.read_new(answer, challenge=challenge, site=SITE)


def test_made_up_public_keys_are_refused() -> None:
    fin = proofs.add()
    _, challenge = ask_new(fin)
    key = Authenticator()
    good = json.loads(key.make(challenge))
    attested = good["response"]["attestationObject"]
    broken_ones = [attested[:size] + "AAAA" for size in range(0, len(attested), 7)]
    # Lengths that promise more than any machine holds, and nesting without end.
    hostile = [kind + b"\x7f" * 8 for kind in (b"\x5b", b"\x9b", b"\xbb")]
    hostile += [b"\x81" * 9000, b"\xc0" * 9000, b"\xbf" * 100]
    broken_ones += [text(each) for each in hostile]
    for each in broken_ones:
        broken = good["response"] | {"attestationObject": each}
        with pytest.raises(InvalidInput):
            passkeys.read_new(
                json.dumps(good | {"response": broken}), challenge=challenge, site=SITE
            )


def ask_new(who: Someone) -> tuple[str, bytes]:
    with transaction() as session:
        asked, options = passkeys.ask_new(
            session, who.id, actor=who.fresh, site=SITE, password_shown=True
        )
    return asked.id, challenge_of(options)


def test_a_question_for_a_new_passkey_counts_once_and_in_its_session() -> None:
    fin = proofs.add()
    other = proofs.another_session(fin)
    challenge_id, challenge = ask_new(fin)

    def use(who: Someone) -> bytes | None:
        with transaction() as session:
            return passkeys.use_new(session, who.id, challenge_id, actor=who.actor)

    assert use(other) != challenge
    challenge_id, challenge = ask_new(fin)
    assert use(fin) == challenge
    assert use(fin) is None


def test_a_passkey_is_one_persons_and_a_person_has_at_most_ten() -> None:
    fin, flo = proofs.add(), proofs.add()
    key = proofs.give_passkey(fin)
    for who in (fin, flo):
        with pytest.raises(Conflict):
            proofs.give_passkey(who, replace(key))
    for _ in range(passkeys.MOST - 1):
        proofs.give_passkey(fin)
    with pytest.raises(Conflict):
        proofs.give_passkey(fin)
    with reading() as session:
        assert len(passkeys.list_passkeys(session, fin.id)) == passkeys.MOST
        assert not passkeys.list_passkeys(session, flo.id)


def test_the_first_passkey_costs_the_password_and_the_next_one_a_proof() -> None:
    fin = proofs.add()

    def begin(actor_is_fresh: bool, password_shown: bool) -> None:
        actor = fin.fresh if actor_is_fresh else fin.actor
        with transaction() as session:
            passkeys.ask_new(session, fin.id, actor=actor, site=SITE, password_shown=password_shown)

    with pytest.raises(InvalidInput):
        begin(True, False)
    proofs.give_passkey(fin)
    with pytest.raises(Forbidden):
        begin(False, True)
    begin(True, False)


def test_only_ones_own_passkey_is_removed_and_only_with_a_proof() -> None:
    fin, flo = proofs.add(), proofs.add(Role.BUYER)
    proofs.give_passkey(fin)
    proofs.give_passkey(flo)
    with reading() as session:
        fins = passkeys.list_passkeys(session, fin.id)[0].id
        flos = passkeys.list_passkeys(session, flo.id)[0].id

    def remove(who: Someone, passkey_id: str, *, fresh: bool, password: bool) -> None:
        actor = who.fresh if fresh else who.actor
        with transaction() as session:
            passkeys.remove(session, who.id, passkey_id, actor=actor, password_shown=password)

    with pytest.raises(NotFound):
        remove(fin, flos, fresh=True, password=True)
    with pytest.raises(Forbidden):
        remove(fin, fins, fresh=False, password=True)
    with pytest.raises(InvalidInput):
        remove(fin, fins, fresh=True, password=False)
    remove(fin, fins, fresh=True, password=True)
    remove(flo, flos, fresh=True, password=False)
    with reading() as session:
        assert not list(session.scalars(select(Passkey)))


def test_a_handed_out_secret_goes_when_a_passkey_is_set_up() -> None:
    fin = proofs.add()
    codes = proofs.give_app(fin.id, confirmed=False)
    proofs.give_passkey(fin)
    with transaction() as session:
        user = session.get_one(User, fin.id)
        assert not second_factor.factors(session, user).has_app
        assert not second_factor.accept_code(session, user, codes.now())


def test_passkeys_need_a_name_of_a_host_and_a_name_of_their_own() -> None:
    for host in ("127.0.0.1", "::1", "[::1]", ""):
        assert not Site(host, "http://x").is_named, host
    for host in ("localhost", "desk.example"):
        assert Site(host, "http://x").is_named, host
    for name in ("", "x" * 61, "a\nb", "a\u202eb"):
        with pytest.raises(InvalidInput):
            passkeys.clean_name(name)
