"""What reaches the staff by mail: each fact once, never to who did it, gathered, as each of them chose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select, update

import config
from core import clock, ids
from core.money import Money, asset
from core.states import Role
from domain.actors import Actor, system
from domain.cases import cases
from domain.cases.case_acts import assign
from domain.cases.cases import Finding
from domain.control import approvals, freezes
from domain.control.freezes import Wanted
from domain.database import reading, transaction
from domain.jobs import notices as job
from domain.mail import mails, notice_facts, notices
from domain.mail.notices import Fact, Kind
from domain.people import people, sessions
from domain.people.rights import Wanted as Change
from domain.people.rights import change
from domain.transitions import Why
from models.cases import ExceptionCase
from models.people import User
from models.proofs import Mail, Notice
from tests.domain.world import World

SYSTEM = system("test")


@pytest.fixture(autouse=True)
def _mailing(world: World, environ: dict[str, str]) -> Iterator[None]:
    del world
    mails.configure(config.load(environ | {"SMTP_URL": "smtp://127.0.0.1:1"}))
    yield
    mails._held.clear()


def add(email: str, role: Role) -> Actor:
    with transaction() as session:
        wanted = people.NewUser(email, role, name=email.split("@", maxsplit=1)[0])
        user = people.create_user(session, wanted, actor=SYSTEM, source="test")
        return sessions.actor_of(user, session_id=ids.new("ses"), stepped_up_at=clock.now())


def tell(who: Actor, key: str, *, kind: Kind = Kind.CASE_ASSIGNED, by: str | None = None) -> None:
    with transaction() as session:
        fact = Fact(kind, key, f"What happened: {key}", "/exceptions")
        notices.tell(session, fact, by=by, users=[who.id])


def gather() -> None:
    while job.gather():
        pass


def letters(who: Actor) -> list[tuple[str, str]]:
    """Give subject and body of each notice written to somebody."""
    with reading() as session:
        statement = select(Mail).where(Mail.user_id == who.id, Mail.kind == "notice")
        rows = session.scalars(statement.order_by(Mail.created_at, Mail.id))
        return [(row.subject, mails.opened(row).body) for row in rows]


def waiting(who: Actor) -> list[str]:
    with reading() as session:
        statement = select(Notice.fact).where(Notice.user_id == who.id, Notice.told_at.is_(None))
        return sorted(session.scalars(statement))


def test_a_fact_is_told_once() -> None:
    sue = add("sue@people.test", Role.SUPPORT)
    tell(sue, "case 1")
    tell(sue, "case 1")
    gather()
    tell(sue, "case 1")
    gather()
    subject, body = letters(sue)[0]
    assert len(letters(sue)) == 1
    assert subject == "A case is yours now"
    assert "What happened: case 1\nhttp://localhost:8000/exceptions" in body
    assert "http://localhost:8000/account#notices" in body


def test_what_happens_within_ten_minutes_shares_a_mail() -> None:
    sue = add("sue@people.test", Role.SUPPORT)
    now = clock.now()
    with time_machine.travel(now, tick=False):
        tell(sue, "case 1")
        gather()
        for no in range(2, 30):
            tell(sue, f"case {no}")
        tell(sue, "decided 1", kind=Kind.REQUEST_DECIDED)
        gather()
        assert sorted(subject for subject, _ in letters(sue)) == [
            "A case is yours now",
            "Your request was decided",
        ]
    with time_machine.travel(now + timedelta(seconds=job.PAUSE_SECONDS + 1), tick=False):
        gather()
    subject, body = letters(sue)[-1]
    assert len(letters(sue)) == 3
    assert subject == "28 cases are yours now"
    assert "And 8 more." in body
    assert waiting(sue) == []


def test_workers_who_gather_together_write_one_mail() -> None:
    staff = [add(f"sue{no}@people.test", Role.SUPPORT) for no in range(4)]
    for who in staff:
        for no in range(3):
            tell(who, f"case {no}")
    threads = [threading.Thread(target=gather) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gather()
    assert [letters(who)[0][0] for who in staff] == ["3 cases are yours now"] * 4
    assert [len(letters(who)) for who in staff] == [1] * 4


def test_nobody_is_told_what_they_did_or_do_not_want() -> None:
    sue, bo = add("sue@people.test", Role.SUPPORT), add("bo@people.test", Role.BUYER)
    tell(sue, "own", by=sue.id)
    tell(bo, "a customer's")
    with transaction() as session:
        notices.choose(session, sue.id, [Kind.NEW_BROWSER])
    tell(sue, "unwanted")
    with transaction() as session:
        notices.choose(session, sue.id, [Kind.CASE_ASSIGNED])
        session.get_one(User, sue.id).state = "disabled"
    tell(sue, "gone")
    assert waiting(sue) == waiting(bo) == []


def test_each_role_has_its_defaults_and_only_what_can_happen_to_it() -> None:
    for role in set(Role) - {Role.MERCHANT}:
        who = add(f"{role.value}@people.test", role)
        with reading() as session:
            user = session.get_one(User, who.id)
            wanted = {kind for kind in Kind if notices.wants(user, kind)}
        assert wanted <= set(notices.offered(role))
        assert (wanted == set()) == (role in (Role.BUYER, Role.SELLER)), role
    assert Kind.APPROVAL_NEEDED not in notices.offered(Role.SUPPORT)


def test_an_approval_calls_those_who_may_agree_and_its_end_the_asker() -> None:
    ada, abe = add("ada@people.test", Role.ADMIN), add("abe@people.test", Role.ADMIN)
    twin = add("ada+2@people.test", Role.ADMIN)
    sue, fin = add("sue@people.test", Role.SUPPORT), add("fin@people.test", Role.FINANCE)
    with transaction() as session:
        wanted = Change(role=Role.FINANCE)
        done = change(session, sue.id, wanted, actor=ada, source="test", reason="why not")
    assert done.approval is not None
    assert waiting(abe) == [f"needed:{done.approval.id}"]
    assert waiting(ada) == waiting(twin) == waiting(fin) == []
    with transaction() as session:
        approvals.refuse(session, done.approval.id, actor=abe, reason="no")
    assert waiting(ada) == [f"decided:{done.approval.id}"]
    gather()
    assert "Refused: Change of role from support to finance: sue" in letters(ada)[0][1]


def open_case(world: World, *, demo: bool = False) -> str:
    payment = world.payment()
    with transaction() as session:
        why = Why(SYSTEM, "test")
        at_risk = Money(500, asset("EUR"))
        found = Finding("UNDERPAID", payment.id, "Paid 20.00, asked 25.00", at_risk=at_risk)
        case_id = cases.open_case(session, found, why=why)
        assert case_id is not None
        session.execute(update(ExceptionCase).values(demo=demo))
        return case_id


def test_whoever_is_given_a_case_hears_of_it(world: World) -> None:
    fin, flo = add("fin@people.test", Role.FINANCE), add("flo@people.test", Role.FINANCE)
    case_id = open_case(world)
    for who in (flo, fin):
        with transaction() as session:
            assign(session, case_id, who.id, actor=fin, source="test")
    assert len(waiting(flo)) == 1
    assert waiting(fin) == []


def test_a_team_hears_once_of_a_case_whose_time_ran_out(world: World) -> None:
    fin, sue = add("fin@people.test", Role.FINANCE), add("sue@people.test", Role.SUPPORT)
    case_id = open_case(world)
    assert not job.find_overdue()
    assert waiting(fin) == []
    with transaction() as session:
        session.execute(update(ExceptionCase).values(sla_due_at=clock.after(-60)))
    for _ in range(2):
        job.find_overdue()
    assert waiting(fin) == [f"overdue:{case_id}"]
    assert waiting(sue) == []


def test_what_the_demo_breaks_is_nobodys_work(world: World) -> None:
    fin = add("fin@people.test", Role.FINANCE)
    open_case(world, demo=True)
    with transaction() as session:
        session.execute(update(ExceptionCase).values(sla_due_at=clock.after(-60)))
    job.find_overdue()
    assert waiting(fin) == []


def test_a_freeze_is_told_to_those_who_look_after_money() -> None:
    ada, fin = add("ada@people.test", Role.ADMIN), add("fin@people.test", Role.FINANCE)
    sue = add("sue@people.test", Role.SUPPORT)
    with transaction() as session:
        wanted = Wanted("all", "", "Something is odd")
        row, _ = freezes.engage(session, wanted, why=Why(ada, "test"))
    assert waiting(fin) == [f"frozen:{row.id}"]
    assert waiting(ada) == waiting(sue) == []


def test_an_old_secret_is_told_to_those_who_rotate() -> None:
    ada, ann = add("ada@people.test", Role.ADMIN), add("ann@people.test", Role.AUDITOR)
    for _ in range(2):
        with transaction() as session:
            notice_facts.secret_overdue(session, "sec_x", "ver_x", name="stripe webhook")
    assert waiting(ada) == ["old:ver_x"]
    assert waiting(ann) == []


def test_a_sign_in_from_a_new_browser_is_told_but_not_the_first() -> None:
    sue = add("sue@people.test", Role.SUPPORT)

    def sign_in(browser: str | None) -> None:
        with transaction() as session:
            user = session.get_one(User, sue.id)
            sessions.open_session(session, user, address=None, browser=browser)

    sign_in("Firefox")
    sign_in("Firefox")
    assert waiting(sue) == []
    sign_in("Chrome")
    sign_in("Chrome")
    sign_in(None)
    assert len(waiting(sue)) == 2


def test_nothing_is_noted_where_nothing_can_be_sent(environ: dict[str, str]) -> None:
    sue = add("sue@people.test", Role.SUPPORT)
    mails.configure(config.load(environ))
    tell(sue, "case 1")
    assert waiting(sue) == []
    assert not job.gather()
