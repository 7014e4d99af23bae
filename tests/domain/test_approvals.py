"""An act that takes two is done once, by two different people who may, exactly as it was asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Frozen,
    IllegalTransition,
    NotFound,
    SamePerson,
)
from core.money_out import Act
from core.permissions import Permission
from core.states import Role
from domain import (
    acts,
    approval_checks,
    approval_queries,
    approvals,
    database,
    freezes,
    keys,
    marking,
    money_out,
    sessions,
    verification,
)
from domain.actors import Actor
from domain.approval_queries import ApprovalFilter
from domain.approvals import Decision
from domain.jobs import overdue
from domain.marking import Wanted
from domain.payments import Page
from domain.transitions import Why
from models.audit import AuditRow
from models.control import Approval
from models.events import EventLog
from models.ledger import JournalEntry
from models.payments import Payment
from models.people import ApiKey, Merchant
from tests.domain import cast
from tests.domain.world import World

RACERS = 32


@dataclass
class Staff:
    """Who asks and who decides."""

    fin: Actor
    flo: Actor
    ada: Actor


@pytest.fixture
def staff(world: World) -> Staff:
    del world
    return Staff(
        *(
            cast.person(name, role)
            for name, role in (("fin", Role.FINANCE), ("flo", Role.FINANCE), ("ada", Role.ADMIN))
        )
    )


def asked(payment: Payment, actor: Actor, reference: str = "BANK-1") -> Approval:
    wanted = Wanted("completed", reference)
    with database.transaction() as session:
        return marking.ask(
            session, payment.id, wanted, actor=actor, source="test", note="seen at the bank"
        )


def agree(row: Approval, actor: Actor, *, content_hash: str | None = None) -> Decision:
    with database.transaction() as session:
        shown = content_hash or row.content_hash
        return approvals.agree(session, row.id, actor=actor, content_hash=shown, reason=None)


def read(row: Approval) -> Approval:
    with database.reading() as session:
        return session.get_one(Approval, row.id)


def count(model: type, *conditions: object) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def expire_now(row: Approval, monkeypatch: pytest.MonkeyPatch) -> None:
    later = row.expires_at + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)


def test_what_a_second_person_agrees_to_is_carried_out_at_once(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    assert (row.state, row.requested_by, row.requested_fresh) == ("pending", staff.fin.id, True)
    assert world.read(payment).status == "pending"
    decision = agree(row, staff.flo)
    assert (decision.row.state, decision.said) == ("executed", None)
    assert world.read(payment).status == "completed"
    kept = read(row)
    assert (kept.decided_by, kept.open_key) == (staff.flo.id, None)
    assert kept.result["paymentId"] == payment.id
    with database.reading() as session:
        of_it = AuditRow.source.in_(("test", f"approval:{row.id}"))
        said = Counter(session.scalars(select(AuditRow.action).where(of_it)))
    assert said["approval.request"] == said["approval.approve"] == said["payment.settle"] == 1
    assert verification.verify().ok


def test_of_many_parallel_approvals_by_two_people_exactly_one_executes(
    world: World, staff: Staff
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    together, ended = Barrier(RACERS), Counter[str]()

    def press(actor: Actor) -> None:
        together.wait()
        try:
            ended[agree(row, actor).row.state] += 1
        except AppError as error:
            ended[error.code] += 1

    racers = [Thread(target=press, args=((staff.flo, staff.ada)[n % 2],)) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert ended == {"executed": 1, "INVALID_TRANSITION": RACERS - 1}
    assert count(JournalEntry) == 1
    assert count(EventLog, EventLog.type == "approval.approved") == 1
    assert world.read(payment).received_minor == payment.amount_minor
    assert verification.verify().ok


def test_of_many_who_ask_for_the_same_at_once_one_request_waits(world: World, staff: Staff) -> None:
    payment = world.payment()
    together, ended = Barrier(8), Counter[str]()

    def ask(actor: Actor) -> None:
        together.wait()
        try:
            asked(payment, actor)
            ended["asked"] += 1
        except Conflict as error:
            ended[f"{error.code} {error.details['link'][:11]}"] += 1  # type: ignore[index]

    racers = [Thread(target=ask, args=((staff.fin, staff.flo)[n % 2],)) for n in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert ended == {"asked": 1, "CONFLICT /approvals/": 7}
    assert count(Approval) == 1


def test_nobody_agrees_to_their_own_request(world: World, staff: Staff) -> None:
    row = asked(world.payment(), staff.fin)
    with pytest.raises(SamePerson):
        agree(row, staff.fin)
    with database.reading() as session:
        said = approvals.why_not(session, read(row), actor=staff.fin)
    assert said == "You asked for it yourself; somebody else must agree."


def test_nor_with_a_second_account_of_theirs(world: World, staff: Staff) -> None:
    row = asked(world.payment(), staff.fin)
    twin = cast.person("twin", Role.ADMIN, email="FIN+second@staff.test")
    with pytest.raises(SamePerson):
        agree(row, twin)
    with database.reading() as session:
        said = approvals.why_not(session, read(row), actor=twin)
        mine = approval_queries.conditions_of(session, ApprovalFilter(needs_me=True), actor=twin)
        assert session.scalars(select(Approval).where(*mine)).all() == []
    assert said == "The account that asked for it belongs to you too."


def test_nor_with_a_key_that_they_made_themselves(world: World, staff: Staff) -> None:
    payment = world.payment()
    holder = cast.merchants_key(payment.merchant_id, made_by=staff.ada)
    with database.transaction() as session:
        wanted = Wanted("completed", "BANK-9")
        content = marking.content(payment, wanted)
        row = approvals.request(session, content, actor=holder, reason=None, source="test")
    assert row.requested_fresh is False
    with pytest.raises(SamePerson):
        agree(row, staff.ada)


def test_a_token_a_key_and_a_stale_proof_agree_to_nothing(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    refusals = {
        "token": cast.by_token(staff.flo),
        "token with a second factor": replace(staff.flo, session_id="jti_of_theirs"),
        "key": cast.merchants_key(payment.merchant_id),
        "support": cast.person("sue", Role.SUPPORT),
        "auditor": cast.person("ann", Role.AUDITOR),
        "engineer": cast.person("ed", Role.ENGINEER),
        "buyer": cast.person("bea", Role.BUYER),
    }
    for actor in refusals.values():
        with pytest.raises(Forbidden):
            agree(row, actor)
    stale = replace(staff.flo, stepped_up_at=clock.now() - timedelta(seconds=301))
    for actor in (stale, replace(staff.flo, stepped_up_at=None)):
        with pytest.raises(Forbidden) as refused:
            agree(row, actor)
        assert refused.value.code == "STEP_UP_REQUIRED"
    assert read(row).state == "pending"


@pytest.mark.parametrize("taken", [{"role": "support"}, {"state": "disabled"}])
def test_a_right_that_was_taken_away_a_moment_ago_decides_nothing(
    world: World, staff: Staff, taken: dict[str, str]
) -> None:
    row = asked(world.payment(), staff.fin)
    cast.change(staff.flo, **taken)
    with pytest.raises(Forbidden):
        agree(row, staff.flo)


def test_a_session_that_was_ended_decides_nothing(world: World, staff: Staff) -> None:
    row = asked(world.payment(), staff.fin)
    with database.transaction() as session:
        sessions.end_all(session, staff.flo.id, actor=staff.ada)
    with pytest.raises(Forbidden):
        agree(row, staff.flo)


@pytest.mark.parametrize("taken", [{"role": "support"}, {"state": "disabled"}])
def test_a_request_whose_asker_no_longer_may_is_void(
    world: World, staff: Staff, taken: dict[str, str]
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    cast.change(staff.fin, **taken)
    decision = agree(row, staff.flo)
    assert decision.row.state == "cancelled"
    assert decision.said is not None and "no longer may" in decision.said
    assert world.read(payment).status == "pending"


@pytest.mark.parametrize("taken", [None, "revoked", "suspended", "kyc", "expired", "scope"])
def test_a_request_by_a_key_dies_with_the_key(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch, taken: str | None
) -> None:
    payment = world.payment()
    holder = cast.merchants_key(payment.merchant_id)
    # As if keys might ask for this one, as they may for a refund.
    rule = replace(money_out.RULES[Act.MARK_PAYMENT], requests=Permission.REFUNDS_REQUEST)
    rules = {**money_out.RULES, Act.MARK_PAYMENT: rule}
    monkeypatch.setattr(approval_checks, "RULES", rules)
    with database.transaction() as session:
        content = marking.content(payment, Wanted("completed", "BANK-9"))
        row = approvals.request(session, content, actor=holder, reason=None, source="test")
    with database.transaction() as session:
        key, merchant = (
            session.get_one(ApiKey, holder.id),
            session.get_one(Merchant, payment.merchant_id),
        )
        if taken == "revoked":
            keys.revoke_key(session, merchant, key.id, actor=staff.ada, reason="leaked")
        elif taken == "suspended":
            merchant.state = "suspended"
        elif taken == "kyc":
            merchant.kyc = "rejected"
        elif taken == "expired":
            key.expires_at = clock.now()
        elif taken == "scope":
            key.scopes = ["orders:read"]
    assert agree(row, staff.flo).row.state == ("cancelled" if taken else "executed")


def test_what_changed_meanwhile_is_void_and_nothing_is_done(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    decision = agree(row, staff.flo)
    assert decision.row.state == "cancelled"
    assert decision.said is not None and "has changed" in decision.said
    assert (world.read(payment).status, count(JournalEntry)) == ("processing", 0)


def test_what_was_not_shown_is_not_agreed_to(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    with pytest.raises(Conflict, match="not what you were shown"):
        agree(row, staff.flo, content_hash="0" * 64)
    assert read(row).state == "pending"
    assert world.read(payment).status == "pending"


def test_nobody_agrees_after_a_day(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    expire_now(row, monkeypatch)
    flo = replace(staff.flo, stepped_up_at=clock.now())
    with database.reading() as session:
        said = approvals.why_not(session, read(row), actor=flo)
    assert said is not None and "expired" in said
    decision = agree(row, flo)
    assert (decision.row.state, world.read(payment).status) == ("expired", "pending")


def test_what_ran_out_makes_room_for_a_new_request(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    old = asked(payment, staff.fin)
    expire_now(old, monkeypatch)
    new = asked(payment, replace(staff.fin, stepped_up_at=clock.now()))
    assert (read(old).state, read(new).state) == ("expired", "pending")


def test_the_worker_ends_what_ran_out_and_what_no_longer_stands(world: World, staff: Staff) -> None:
    changed, standing = world.payment(), world.payment()
    void, kept = asked(changed, staff.fin), asked(standing, staff.fin, "BANK-2")
    world.deliver_and_apply(world.paid(changed))
    assert overdue.end_overdue() is True
    assert (read(void).state, read(kept).state) == ("cancelled", "pending")
    assert overdue.end_overdue() is False


def test_a_freeze_at_the_moment_of_approval_holds_what_it_holds(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    rule = money_out.RULES[Act.MARK_PAYMENT]
    held = {**money_out.RULES, Act.MARK_PAYMENT: replace(rule, is_held_by_freeze=True)}
    monkeypatch.setattr(approvals, "RULES", held)
    with database.transaction() as session:
        wanted = freezes.Wanted("order", payment.order_id or "", "under dispute")
        freezes.engage(session, wanted, why=Why(staff.ada, "test"))
    with pytest.raises(Frozen):
        agree(row, staff.flo)
    assert (read(row).state, world.read(payment).status) == ("pending", "pending")


def test_an_approval_cannot_be_replayed(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    agree(row, staff.flo)
    for actor in (staff.flo, staff.ada):
        with pytest.raises(IllegalTransition):
            agree(row, actor)
    assert count(JournalEntry) == 1


def test_a_refusal_ends_it_and_only_the_asker_takes_it_back(world: World, staff: Staff) -> None:
    refused, returned = world.payment(), world.payment()
    no, back = asked(refused, staff.fin), asked(returned, staff.fin, "BANK-2")
    with database.transaction() as session:
        approvals.refuse(session, no.id, actor=staff.flo, reason="not at the bank")
    assert (read(no).state, read(no).decided_by) == ("refused", staff.flo.id)
    with database.transaction() as session, pytest.raises(Forbidden):
        approvals.cancel(session, back.id, actor=staff.flo, reason="no")
    with database.transaction() as session:
        approvals.cancel(session, back.id, actor=staff.fin, reason="a mistake")
    assert read(back).state == "cancelled"
    for row in (no, back):
        with pytest.raises(IllegalTransition):
            agree(row, staff.ada)
    assert count(JournalEntry) == 0
    assert asked(refused, staff.fin, "BANK-3").state == "pending"


def test_an_asker_does_not_refuse_their_own_request(world: World, staff: Staff) -> None:
    row = asked(world.payment(), staff.fin)
    with database.transaction() as session, pytest.raises(SamePerson):
        approvals.refuse(session, row.id, actor=staff.fin, reason="no")


def test_an_act_that_fails_leaves_the_request_waiting(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    real = acts.kind(Act.MARK_PAYMENT)

    def breaks(session: object, warrant: object) -> dict[str, object]:
        real.carry_out(session, warrant)  # type: ignore[arg-type]
        raise Conflict("too late")

    monkeypatch.setattr(acts, "kind", lambda _: replace(real, carry_out=breaks))
    with pytest.raises(Conflict):
        agree(row, staff.flo)
    assert (read(row).state, read(row).decided_by) == ("pending", None)
    assert (world.read(payment).status, count(JournalEntry)) == ("pending", 0)


def test_people_outside_see_what_they_and_their_merchant_asked_for(
    world: World, staff: Staff
) -> None:
    payment, other = world.payment(), world.payment()
    holder = cast.merchants_key(payment.merchant_id)
    row = asked(payment, staff.fin)
    with database.transaction() as session:
        content = marking.content(other, Wanted("completed", "BANK-9"))
        own = approvals.request(session, content, actor=holder, reason=None, source="test")
    sal, twin = cast.person("sal", Role.SELLER), replace(holder, id="key_of_the_same_merchant")
    foreign = replace(holder, id="key_other", merchant_id="mer_other")
    live = replace(holder, livemode=True)
    seen = {
        "staff": (staff.flo, {row.id, own.id}),
        "its asker": (holder, {own.id}),
        "another key of the merchant": (twin, {own.id}),
        "another merchant": (foreign, set()),
        "a live key": (live, set()),
        "a seller": (sal, set()),
    }
    for who, (actor, expected) in seen.items():
        with database.reading() as session:
            page = approval_queries.list_approvals(
                session, ApprovalFilter(), actor=actor, page=Page()
            )
            assert {each.id for each in page[0]} == expected, who
            for each in (row, own):
                if each.id not in expected:
                    with pytest.raises(NotFound):
                        approval_queries.get_approval(session, each.id, actor=actor)


def test_only_what_an_outsider_asked_for_is_told_outside(world: World, staff: Staff) -> None:
    payment, other = world.payment(), world.payment()
    asked(payment, staff.fin)
    holder = cast.merchants_key(payment.merchant_id)
    with database.transaction() as session:
        content = marking.content(other, Wanted("completed", "BANK-9"))
        approvals.request(session, content, actor=holder, reason=None, source="test")
    told = select(EventLog.payment_id, EventLog.audience)
    with database.reading() as session:
        rows = session.execute(told.where(EventLog.type == "approval.requested"))
        found = {payment_id: audience for payment_id, audience in rows}  # noqa: C416  # rows are no pairs to dict()
    assert found == {payment.id: "staff", other.id: "parties"}
