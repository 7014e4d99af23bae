"""Two different people who both still may: who asks, who agrees, and who sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import (
    Forbidden,
    NotFound,
    SamePerson,
)
from core.money_out import RULES, Act
from core.permissions import Permission
from core.states import Role
from domain import database
from domain.control import approval_checks, approval_queries, approvals
from domain.control.approval_queries import ApprovalFilter
from domain.payments import marking
from domain.payments.marking import Wanted
from domain.payments.payments import Page
from domain.people import keys, sessions
from models.control import Approval
from models.events import EventLog
from models.people import ApiKey, Merchant
from tests.domain import cast
from tests.domain.asking import Staff, agree, asked, read
from tests.domain.world import World


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
    rule = replace(RULES[Act.MARK_PAYMENT], requests=Permission.REFUNDS_REQUEST)
    rules = {**RULES, Act.MARK_PAYMENT: rule}
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


def test_an_asker_does_not_refuse_their_own_request(world: World, staff: Staff) -> None:
    row = asked(world.payment(), staff.fin)
    with database.transaction() as session, pytest.raises(SamePerson):
        approvals.refuse(session, row.id, actor=staff.fin, reason="no")


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
