"""Cases are taken up, passed on, written on and settled once, whoever presses how often."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from core.case_kinds import Verb
from core.errors import AppError, Conflict, InvalidInput
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.cases import case_acts, case_queries, case_resolving, cases
from domain.cases.case_verbs import Wanted
from domain.cases.cases import Finding
from domain.refunds import refunds
from domain.transitions import Why
from models.cases import CaseNote, ExceptionCase
from models.events import EventLog
from models.payments import Payment, StateChange
from models.people import User
from tests.domain import desk_people as desk
from tests.domain.world import World


def assign(row: ExceptionCase, user_id: str | None, actor: Actor) -> ExceptionCase:
    with database.transaction() as session:
        return case_acts.assign(session, row.id, user_id, actor=actor, source="test")


def moves(row: ExceptionCase) -> list[tuple[str, str]]:
    with database.reading() as session:
        statement = select(StateChange).where(StateChange.object_id == row.id)
        found = session.scalars(statement.order_by(StateChange.at, StateChange.id))
        return [(change.old, change.new) for change in found]


def told(kind: str) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(EventLog.type == kind)) or 0


def test_a_case_is_taken_up_passed_on_and_let_go(world: World) -> None:
    desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    fin, sue = desk.at_desk(Role.FINANCE), desk.at_desk(Role.SUPPORT)
    assert assign(row, fin.id, fin).state == "assigned"
    assert assign(row, fin.id, fin).owner_id == fin.id
    assert told("exception.assigned") == 1
    assert assign(row, sue.id, fin).owner_id == sue.id
    gone = assign(row, None, sue)
    assert (gone.state, gone.owner_id) == ("open", None)
    assert moves(row) == [("open", "assigned"), ("assigned", "open")]
    assert told("exception.assigned") == 3


def test_only_active_staff_who_work_on_cases_get_one(world: World) -> None:
    desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    gone = desk.at_desk(Role.SUPPORT)
    with database.transaction() as session:
        session.get_one(User, gone.id).state = "disabled"
    strangers = [gone.id, desk.at_desk(Role.AUDITOR).id, world.bo.id, "usr_nobody"]
    for user_id in strangers:
        with pytest.raises(InvalidInput):
            assign(row, user_id, fin)
    assert desk.read_case(row).owner_id is None
    with database.reading() as session:
        offered = {user.id for user in case_acts.owners(session)}
    assert fin.id in offered and not offered & set(strangers)


def test_a_settled_case_has_no_new_owner_and_still_takes_notes(world: World) -> None:
    desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    desk.resolve(row, Verb.ACCEPT, fin)
    with pytest.raises(Conflict):
        assign(row, fin.id, fin)
    with database.transaction() as session:
        case_acts.add_note(session, row.id, "The buyer agreed.", actor=fin, source="test")


def test_who_waits_for_a_second_person_keeps_the_case(world: World) -> None:
    desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    desk.resolve(row, Verb.WRITE_OFF, fin)
    with pytest.raises(Conflict, match="second person"):
        assign(row, None, fin)
    assert desk.read_case(row).owner_id == fin.id


def test_the_same_note_by_the_same_person_is_kept_once(world: World) -> None:
    desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    fin, sue = desk.at_desk(Role.FINANCE), desk.at_desk(Role.SUPPORT)
    for actor in (fin, fin, sue):
        with database.transaction() as session:
            case_acts.add_note(session, row.id, "Called the buyer.", actor=actor, source="test")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(CaseNote)) == 2
        assert [note.actor for note in case_acts.notes_of(session, row.id)] == [fin.id, sue.id]
    assert told("exception.noted") == 2


def test_a_second_report_of_the_same_subject_is_the_same_case(world: World) -> None:
    payment = desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    finding = Finding("UNDERPAID", row.subject_key.partition(":")[2], "Again.", payment=payment)
    for _ in range(2):
        with database.transaction() as session:
            assert cases.open_case(session, finding, why=Why(system("test"), "test")) is None
        # A case that was settled stays settled: the subject was decided about.
        if desk.read_case(row).state == "open":
            desk.resolve(row, Verb.ACCEPT, desk.at_desk(Role.FINANCE))
    assert desk.read_case(row).state == "resolved"


def _race(count: int, run: object) -> list[object]:
    """Run one thing in many threads at once; gives what each got."""
    results: list[object] = []
    start = threading.Barrier(count)

    def one() -> None:
        start.wait()
        try:
            results.append(run())  # type: ignore[operator]
        except AppError as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_sixteen_who_credit_at_once_credit_once(world: World) -> None:
    desk.paid(world, 3_000)
    row = desk.case("OVERPAID")
    people = [desk.at_desk(Role.FINANCE) for _ in range(4)]
    turns = iter(people * 4)
    lock = threading.Lock()

    def credit() -> str:
        with lock:
            actor = next(turns)
        return desk.resolve(row, Verb.CREDIT, actor).case.state

    results = _race(16, credit)
    assert results.count("resolved") == 1
    refused = [each for each in results if isinstance(each, AppError)]
    assert len(refused) == 15
    assert {each.code for each in refused} == {"INVALID_TRANSITION"}
    assert len(desk.entries("case_credit")) == 1
    assert desk.balance(f"buyer:{world.bo.id}:funds") == -500
    assert moves(row) == [("open", "resolved")]
    assert told("exception.resolved") == 1


def test_sixteen_who_ask_for_a_write_off_ask_once(world: World) -> None:
    desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    people = [desk.at_desk(Role.FINANCE) for _ in range(16)]
    turns, lock = iter(people), threading.Lock()

    def ask() -> str:
        with lock:
            actor = next(turns)
        approval = desk.resolve(row, Verb.WRITE_OFF, actor).approval
        assert approval is not None
        return approval.id

    results = _race(16, ask)
    assert len([each for each in results if isinstance(each, str)]) == 1
    assert told("approval.requested") == 1


def test_an_excess_is_credited_or_refunded_and_never_both(world: World) -> None:
    payment = desk.paid(world, 3_000)
    row = desk.case("OVERPAID")
    people = [desk.at_desk(Role.FINANCE) for _ in range(12)]
    turns, lock = iter(people), threading.Lock()

    def move() -> str:
        with lock:
            actor = next(turns)
            mine = people.index(actor)
        if mine % 3 == 0:
            return str(desk.resolve(row, Verb.CREDIT, actor).case.verb)
        if mine % 3 == 1:
            return str(desk.resolve(row, Verb.REFUND_DIFFERENCE, actor).case.verb)
        with database.transaction() as session:
            due = session.get_one(Payment, payment.id)
            whole = {"actor": actor, "reason": "from its page", "source": "test"}
            refunds.ask(session, due, desk.euros(3_000), **whole)  # type: ignore[arg-type]
        return "refund"

    _race(12, move)
    now = world.read(payment)
    moved = now.credited_minor + now.refunded_minor + now.refunding_minor
    assert moved in (500, 3_000)
    assert now.credited_minor in (0, 500)


def test_the_same_decision_again_finds_what_it_did(world: World) -> None:
    desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    first = desk.resolve(row, Verb.CREDIT, fin, once_key="form-1")
    again = desk.resolve(row, Verb.CREDIT, fin, once_key="form-1")
    assert again.case.resolution == first.case.resolution
    for other in (
        {"once_key": "form-2"},
        {},
    ):
        with pytest.raises(Conflict):
            desk.resolve(row, Verb.CREDIT, fin, **other)
    with pytest.raises(Conflict):
        desk.resolve(row, Verb.CREDIT, desk.at_desk(Role.FINANCE), once_key="form-1")
    assert len(desk.entries("case_credit")) == 1


def test_a_verb_that_fails_leaves_the_case_as_it_was(world: World) -> None:
    payment = desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)

    def fail_at_the_end() -> None:
        with database.transaction() as session:
            wanted = Wanted(Verb.CREDIT, "because")
            case_resolving.resolve(session, row.id, wanted, actor=fin, source="test")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    assert desk.read_case(row).state == "open"
    assert desk.entries("case_credit") == []
    assert world.read(payment).credited_minor == 0


def test_what_happened_to_a_case_is_told_in_order(world: World) -> None:
    desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    assign(row, fin.id, fin)
    desk.resolve(row, Verb.ACCEPT, fin)
    with database.reading() as session:
        said = [moment.text for moment in case_queries.moments_of(session, row.id)]
    assert said[0] == "exception.open"
    assert "open → assigned" in said and "assigned → resolved" in said
