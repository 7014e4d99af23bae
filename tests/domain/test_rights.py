"""Who may change whom: two admins for rights over money, nobody about themselves, one admin always left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from core import clock, ids
from core.errors import AppError, Conflict, Forbidden, InvalidInput, SamePerson
from core.states import Approval as State
from core.states import Kyc, Person, Role
from domain.actors import Actor, system
from domain.control import approvals
from domain.control.acts.role_change import Invitation
from domain.database import reading, transaction
from domain.people import account_links, passwords, people, rights, sessions
from domain.people.rights import Done, Wanted
from models.control import Approval
from models.people import DeskSession, Merchant, User
from models.proofs import AccountLink
from tests.domain.world import World

WHY = "Because the team changed"


@pytest.fixture(autouse=True)
def _ready(world: World) -> None:
    del world
    passwords.configure(cheap=True)


def add(email: str, role: Role, **more: object) -> Actor:
    """Add somebody who is at the desk and has just proved themselves."""
    with transaction() as session:
        wanted = people.NewUser(email, role, name=email.split("@", maxsplit=1)[0], **more)  # type: ignore[arg-type]
        user = people.create_user(session, wanted, actor=system("test"), source="test")
        return sessions.actor_of(user, session_id=ids.new("ses"), stepped_up_at=clock.now())


@pytest.fixture
def ada() -> Actor:
    return add("ada@people.test", Role.ADMIN)


@pytest.fixture
def abe() -> Actor:
    return add("abe@people.test", Role.ADMIN)


@pytest.fixture
def sue() -> Actor:
    return add("sue@people.test", Role.SUPPORT)


@pytest.fixture
def bo() -> Actor:
    return add("bo@people.test", Role.BUYER)


def change(who: Actor, by: Actor, **more: object) -> Done:
    wanted = Wanted(**more)  # type: ignore[arg-type]
    with transaction() as session:
        return rights.change(session, who.id, wanted, actor=by, source="test", reason=WHY)


def invite(email: str, role: Role, by: Actor, **more: object) -> Done:
    wanted = Invitation(email, role, **more)  # type: ignore[arg-type]
    with transaction() as session:
        return rights.invite(session, wanted, actor=by, source="test", reason=WHY)


def agree(done: Done, by: Actor) -> Approval:
    assert done.approval is not None
    with transaction() as session:
        decision = approvals.agree(
            session,
            done.approval.id,
            actor=by,
            content_hash=done.approval.content_hash,
            reason="ok",
        )
        return decision.row


def now(who: Actor) -> tuple[str, str]:
    with reading() as session:
        user = session.get_one(User, who.id)
        return user.role, user.state


def find(email: str) -> User | None:
    with reading() as session:
        return people.find_user(session, email)


def test_one_admin_gives_a_role_without_power_over_money(ada: Actor, sue: Actor) -> None:
    done = change(sue, ada, role=Role.ENGINEER)
    assert done.approval is None
    assert now(sue) == ("engineer", "active")


@pytest.mark.parametrize("role", [Role.FINANCE, Role.ADMIN])
def test_power_over_money_is_given_by_two(ada: Actor, abe: Actor, sue: Actor, role: Role) -> None:
    done = change(sue, ada, role=role)
    assert done.approval is not None
    assert now(sue) == ("support", "active")
    with pytest.raises(SamePerson):
        agree(done, ada)
    assert agree(done, abe).state == State.EXECUTED
    assert now(sue) == (role.value, "active")


def test_over_the_api_every_right_of_staff_is_only_asked_for(
    ada: Actor, abe: Actor, sue: Actor, bo: Actor
) -> None:
    caller = replace(ada, session_id=ids.new("jti"))
    for who, role in ((sue, Role.BUYER), (bo, Role.SUPPORT)):
        done = change(who, caller, role=role)
        assert done.approval is not None
        assert now(who)[0] == who.role
        agree(done, abe)
        assert now(who)[0] == role.value
    assert invite("nina@people.test", Role.AUDITOR, caller).approval is not None


def test_among_customers_one_admin_is_enough_even_over_the_api(ada: Actor, bo: Actor) -> None:
    caller = replace(ada, session_id=ids.new("jti"))
    assert change(bo, caller, role=Role.SELLER).approval is None
    assert now(bo)[0] == "seller"


def test_nobody_changes_their_own_rights_under_any_address(ada: Actor, abe: Actor) -> None:
    again = add("ADA+second@people.test", Role.SUPPORT)
    for who in (ada, again):
        for wanted in ({"role": Role.FINANCE}, {"state": Person.DISABLED}):
            with pytest.raises(SamePerson):
                change(who, ada, **wanted)
    with pytest.raises(SamePerson):
        invite("ada+third@people.test", Role.SUPPORT, ada)
    assert now(ada) == ("admin", "active")
    del abe


def test_whoever_agrees_does_not_agree_to_themselves(ada: Actor, abe: Actor) -> None:
    other = add("abe+2@people.test", Role.SUPPORT)
    done = change(other, ada, role=Role.FINANCE)
    with pytest.raises(SamePerson):
        agree(done, abe)
    invited = invite("abe+3@people.test", Role.FINANCE, ada)
    with pytest.raises(SamePerson):
        agree(invited, abe)
    assert now(other)[0] == "support"
    assert find("abe+3@people.test") is None


def test_whoever_is_not_an_admin_changes_no_rights(ada: Actor, sue: Actor, bo: Actor) -> None:
    fin = add("fin@people.test", Role.FINANCE)
    for caller in (sue, fin, bo, add("ed@people.test", Role.ENGINEER)):
        for act in (
            lambda by=caller: change(bo, by, role=Role.ADMIN),
            lambda by=caller: change(bo, by, state=Person.DISABLED),
            lambda by=caller: change(bo, by, name="Other"),
            lambda by=caller: invite("x@people.test", Role.BUYER, by),
            lambda by=caller: send(bo, by),
        ):
            with pytest.raises(Forbidden):
                act()
    del ada
    assert now(bo) == ("buyer", "active")


def send(who: Actor, by: Actor) -> str:
    with transaction() as session:
        return rights.send_link(session, who.id, actor=by, source="test", reason=WHY)


def test_a_stale_proof_changes_nothing(ada: Actor, bo: Actor) -> None:
    stale = replace(ada, stepped_up_at=clock.after(-301))
    acts: tuple[Callable[[], object], ...] = (
        lambda: change(bo, stale, kyc=Kyc.APPROVED),
        lambda: change(bo, stale, role=Role.SELLER),
        lambda: invite("x@people.test", Role.BUYER, stale),
        lambda: send(bo, stale),
    )
    for act in acts:
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.code == "STEP_UP_REQUIRED"


def test_finance_sets_the_verification_and_nothing_else(bo: Actor, sue: Actor) -> None:
    fin = add("fin@people.test", Role.FINANCE)
    change(bo, fin, kyc=Kyc.APPROVED)
    with reading() as session:
        assert session.get_one(User, bo.id).kyc == "approved"
    with pytest.raises(Forbidden):
        change(bo, fin, kyc=Kyc.NONE, role=Role.SELLER)
    with pytest.raises(Conflict):
        change(sue, fin, kyc=Kyc.APPROVED)
    with pytest.raises(SamePerson):
        change(add("fin+shop@people.test", Role.BUYER), fin, kyc=Kyc.APPROVED)


def test_a_change_signs_the_person_out_everywhere(ada: Actor, sue: Actor) -> None:
    with transaction() as session:
        user = session.get_one(User, sue.id)
        sessions.open_session(session, user, address=None, browser=None)
        sessions.note_token(session, user, "jti_x", address=None, stepped_up=False)
    change(sue, ada, role=Role.AUDITOR)
    with reading() as session:
        rows = session.scalars(select(DeskSession).where(DeskSession.user_id == sue.id)).all()
        assert len(rows) == 2
        assert all(row.ended_at for row in rows)


def test_disabling_is_done_by_one_and_letting_money_in_again_by_two(ada: Actor, abe: Actor) -> None:
    fin = add("fin@people.test", Role.FINANCE)
    assert change(fin, ada, state=Person.DISABLED).approval is None
    assert now(fin) == ("finance", "disabled")
    done = change(fin, ada, state=Person.ACTIVE)
    assert done.approval is not None
    assert now(fin) == ("finance", "disabled")
    agree(done, abe)
    assert now(fin) == ("finance", "active")


def test_a_disabled_persons_link_ends(ada: Actor, bo: Actor) -> None:
    token = send(bo, ada).rpartition("/")[2]
    change(bo, ada, state=Person.DISABLED)
    with reading() as session:
        assert account_links.find(session, token) is None
        assert session.scalars(select(AccountLink)).one().ended_at is not None


def test_the_request_of_a_disabled_admin_comes_to_nothing(
    ada: Actor, abe: Actor, sue: Actor
) -> None:
    done = change(sue, ada, role=Role.FINANCE)
    change(ada, abe, state=Person.DISABLED)
    add("amy@people.test", Role.ADMIN)
    assert agree(done, abe).state == State.CANCELLED
    assert now(sue) == ("support", "active")


def test_an_approval_is_bound_to_how_the_person_was(ada: Actor, abe: Actor, sue: Actor) -> None:
    done = change(sue, ada, role=Role.ADMIN)
    change(sue, abe, role=Role.ENGINEER)
    assert agree(done, abe).state == State.CANCELLED
    assert now(sue) == ("engineer", "active")


def test_staff_come_in_when_a_second_admin_agrees(ada: Actor, abe: Actor) -> None:
    done = invite("Max@People.test", Role.FINANCE, ada, name="Max")
    assert done.user is None
    assert find("max@people.test") is None
    with reading() as session:
        row = session.get_one(Approval, done.approval.id if done.approval else "")
        kept = f"{row.text} {row.details} {row.object_id}"
        assert "max@" not in kept.lower()
    agree(done, abe)
    made = find("max@people.test")
    assert made is not None
    assert (made.role, made.state, made.kyc, made.password_hash) == (
        "finance",
        "active",
        "none",
        None,
    )
    with reading() as session:
        assert session.scalars(select(AccountLink)).one().user_id == made.id


def test_one_invitation_of_an_address_waits_at_a_time(ada: Actor, abe: Actor) -> None:
    done = invite("max@people.test", Role.FINANCE, ada)
    with pytest.raises(Conflict):
        invite("MAX@people.test", Role.ADMIN, abe)
    invite("max@people.test", Role.BUYER, ada)
    assert agree(done, abe).state == State.CANCELLED
    made = find("max@people.test")
    assert made is not None
    assert made.role == "buyer"


def test_whoever_is_known_is_not_invited(ada: Actor, bo: Actor) -> None:
    for role in (Role.SELLER, Role.ADMIN):
        with pytest.raises(Conflict) as refused:
            invite("bo@people.test", role, ada)
        assert refused.value.code == "USER_EXISTS"
    del bo


@pytest.mark.parametrize(
    "name", ["x" * 121, "two\nlines", "tab\there", "right\u202eleft", "bell\x07", "nul\x00"]
)
def test_a_name_is_one_visible_line(ada: Actor, bo: Actor, name: str) -> None:
    with pytest.raises(InvalidInput):
        change(bo, ada, name=name)
    with pytest.raises(InvalidInput):
        invite("x@people.test", Role.BUYER, ada, name=name)


def test_whoever_leaves_a_merchant_sees_nothing_of_it(ada: Actor, bo: Actor) -> None:
    with transaction() as session:
        merchant = people.create_merchant(session, "Mel's", actor=ada).id
    mel = add("mel@people.test", Role.MERCHANT, merchant_id=merchant)
    change(mel, ada, role=Role.BUYER)
    with reading() as session:
        assert session.get_one(User, mel.id).merchant_id is None
        assert session.get(Merchant, merchant) is not None
    with pytest.raises(InvalidInput):
        change(bo, ada, role=Role.MERCHANT)
    with pytest.raises(InvalidInput):
        change(bo, ada, role=Role.MERCHANT, merchant_id="mer_nothing")
    with pytest.raises(InvalidInput):
        change(bo, ada, role=Role.SELLER, merchant_id=merchant)
    change(bo, ada, role=Role.MERCHANT, merchant_id=merchant)
    with reading() as session:
        assert session.get_one(User, bo.id).merchant_id == merchant


def race(*acts: Callable[[], object]) -> list[AppError | None]:
    """Run acts at the same moment. Gives what each was refused with, None where it was done."""
    start = threading.Barrier(len(acts))
    came: list[AppError | None] = [None] * len(acts)

    def run(no: int) -> None:
        start.wait()
        try:
            acts[no]()
        except AppError as error:
            came[no] = error

    threads = [threading.Thread(target=run, args=(no,)) for no in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


@pytest.mark.parametrize(
    "wanted", [{"role": Role.SUPPORT}, {"state": Person.DISABLED}], ids=["demoted", "disabled"]
)
def test_the_last_two_admins_never_end_each_other(
    ada: Actor, abe: Actor, wanted: dict[str, object]
) -> None:
    came = race(lambda: change(abe, ada, **wanted), lambda: change(ada, abe, **wanted))
    assert sorted(error is None for error in came) == [False, True]
    left = [now(each) for each in (ada, abe)]
    assert left.count(("admin", "active")) == 1


def test_the_last_admin_stays_though_two_agreed_long_ago(ada: Actor, abe: Actor) -> None:
    caller = replace(ada, session_id=ids.new("jti"))
    done = change(abe, caller, role=Role.SUPPORT)
    amy = add("amy@people.test", Role.ADMIN)
    change(ada, abe, role=Role.SUPPORT)
    # Whoever asked is no admin any more, so what they asked for has ended.
    assert agree(done, amy).state == State.CANCELLED
    assert now(abe) == ("admin", "active")


def test_two_who_agree_together_give_a_right_once(ada: Actor, abe: Actor, sue: Actor) -> None:
    amy = add("amy@people.test", Role.ADMIN)
    done = change(sue, ada, role=Role.FINANCE)
    came = race(lambda: agree(done, abe), lambda: agree(done, amy))
    assert sorted(error is None for error in came) == [False, True]
    assert now(sue) == ("finance", "active")


def test_two_invitations_of_one_address_make_one_account(ada: Actor, abe: Actor) -> None:
    came = race(
        lambda: invite("max@people.test", Role.BUYER, ada),
        lambda: invite("max@people.test", Role.SELLER, abe),
    )
    assert sorted(error is None for error in came) == [False, True]
