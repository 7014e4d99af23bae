"""Each verb does what it says: the books, the order and the case follow together, and verification agrees."""

from __future__ import annotations

import pytest

from core.case_kinds import KINDS, Verb
from core.errors import AppError, Conflict, Forbidden
from core.states import Role
from domain import database
from domain.actors import system
from domain.books import verification
from domain.cases import case_verbs, cases
from domain.cases.case_queries import moments_of
from domain.cases.case_verbs import Plan, Refusal
from domain.control import approvals
from domain.payments import operations
from domain.refunds import refundable, refunds
from domain.transitions import Why
from models.inbound import InboundEvent
from models.payments import Payment, ProviderReference
from models.people import User
from models.refunds import Refund
from tests.domain import desk_people as desk
from tests.domain.world import World


def assert_books_prove() -> None:
    failed = [check for check in verification.verify().checks if not check.ok]
    assert failed == []


def refusal(run: object, *args: object, **more: object) -> AppError:
    with pytest.raises(AppError) as caught:
        run(*args, **more)  # type: ignore[operator]
    return caught.value


def test_accept_closes_the_case_and_moves_nothing(world: World) -> None:
    payment = desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    before = desk.balance(f"order:{payment.order_id}:escrow_hold")
    done = desk.resolve(row, Verb.ACCEPT, fin)
    assert (done.case.state, done.case.verb, done.case.resolved_by) == (
        "resolved",
        "accept",
        fin.id,
    )
    assert desk.balance(f"order:{payment.order_id}:escrow_hold") == before == -2_400
    assert desk.order_of(payment).status == "awaiting_deposit"
    assert_books_prove()


def test_credit_gives_the_excess_to_the_buyer_and_the_order_counts_it_no_more(world: World) -> None:
    payment = desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    plan = desk.answer(row, Verb.CREDIT)
    assert isinstance(plan, Plan) and plan.amount == desk.euros(500)
    (promised,) = plan.movements
    done = desk.resolve(row, Verb.CREDIT, fin)
    assert done.case.state == "resolved" and done.approval is None
    assert desk.balance(promised.debit.address) == -2_500
    assert desk.balance(promised.credit.address) == -500
    assert desk.order_of(payment).paid_minor == 2_500
    assert world.read(payment).credited_minor == 500
    assert len(desk.entries("case_credit")) == 1
    assert_books_prove()


def test_credited_money_is_not_refunded_as_well(world: World) -> None:
    desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    desk.resolve(row, Verb.CREDIT, fin)
    left = desk.subject(row)
    assert left.kept_minor == 2_500
    with database.transaction() as session:
        payment = session.get_one(Payment, row.payment_id)
        none = desk.euros(0)
        assert refundable.left(payment, suspended=none) == desk.euros(2_500)
        with pytest.raises(Conflict) as caught:
            refunds.ask(
                session, payment, desk.euros(3_000), actor=fin, reason="all of it", source="test"
            )
    assert caught.value.code == "AMOUNT_EXCEEDED"


def test_credit_waits_while_an_open_payment_counts_on_the_excess(world: World) -> None:
    payment = desk.paid(world, 3_000)
    world.begin(desk.order_of(payment), "balance")
    answer = desk.answer(desk.case("OVERPAID"), Verb.CREDIT)
    assert isinstance(answer, Refusal) and "open payment" in answer.why


def test_an_excess_that_the_balance_has_used_is_no_excess_any_more(world: World) -> None:
    payment = desk.paid(world, 3_000)
    _, balance = world.begin(desk.order_of(payment), "balance")
    assert balance.amount_minor == 9_500
    world.deliver_and_apply(world.paid(balance))
    assert desk.order_of(payment).status == "paid"
    for verb in (Verb.CREDIT, Verb.REFUND_DIFFERENCE):
        answer = desk.answer(desk.case("OVERPAID"), verb)
        assert isinstance(answer, Refusal) and "too much" in answer.why


def test_late_money_is_credited_from_where_it_lies_unapplied(world: World) -> None:
    payment = desk.paid_late(world)
    row, fin = desk.case("PAID_LATE"), desk.at_desk(Role.FINANCE)
    assert desk.balance(f"payment:{payment.id}:unapplied") == -2_500
    desk.resolve(row, Verb.CREDIT, fin)
    assert desk.balance(f"payment:{payment.id}:unapplied") == 0
    assert desk.balance(f"buyer:{payment.buyer_id}:funds") == -2_500
    assert desk.order_of(payment).paid_minor == 0
    assert_books_prove()


def test_write_off_takes_two_and_then_serves_the_order(world: World) -> None:
    payment = desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    fin, flo = desk.at_desk(Role.FINANCE), desk.at_desk(Role.FINANCE)
    asked = desk.resolve(row, Verb.WRITE_OFF, fin)
    assert asked.approval is not None
    waiting = desk.read_case(row)
    assert (waiting.state, waiting.owner_id, waiting.verb) == ("assigned", fin.id, None)
    assert waiting.approval_id == asked.approval.id
    assert desk.entries("write_off") == []
    desk.agree(asked.approval, flo)
    settled = desk.read_case(row)
    assert (settled.state, settled.verb, settled.resolved_by) == ("resolved", "write_off", fin.id)
    assert settled.resolution["agreedBy"] == flo.id
    assert desk.balance("expense:write_off") == 100
    assert desk.balance(f"order:{payment.order_id}:escrow_hold") == -2_500
    order = desk.order_of(payment)
    assert (order.status, order.paid_minor) == ("deposit_paid", 2_500)
    assert_books_prove()


def test_a_refused_write_off_opens_the_case_again_with_the_story(world: World) -> None:
    desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    fin, flo = desk.at_desk(Role.FINANCE), desk.at_desk(Role.FINANCE)
    asked = desk.resolve(row, Verb.WRITE_OFF, fin)
    desk.refuse(asked.approval, flo)
    again = desk.read_case(row)
    assert (again.state, again.owner_id, again.approval_id) == ("open", None, None)
    with database.reading() as session:
        story = [moment.reason or "" for moment in moments_of(session, row.id)]
    assert any("refused: ask the buyer first" in said for said in story)
    assert isinstance(desk.answer(row, Verb.WRITE_OFF), Plan)
    assert desk.entries("write_off") == []


def test_while_a_request_waits_nothing_else_settles_the_case(world: World) -> None:
    desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    desk.resolve(row, Verb.WRITE_OFF, fin)
    error = refusal(desk.resolve, row, Verb.ACCEPT, fin)
    assert error.code == "VERB_NOT_ALLOWED"


def test_a_write_off_whose_sum_came_meanwhile_is_void(world: World) -> None:
    payment = desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    fin, flo = desk.at_desk(Role.FINANCE), desk.at_desk(Role.FINANCE)
    asked = desk.resolve(row, Verb.WRITE_OFF, fin)
    _, rest = world.begin(desk.order_of(payment))
    world.deliver_and_apply(world.paid(rest))
    decision = desk.agree(asked.approval, flo)
    assert decision.said is not None and decision.row.state == "cancelled"
    assert desk.entries("write_off") == []
    assert desk.read_case(row).state == "open"
    assert_books_prove()


def test_top_up_asks_the_payer_for_exactly_what_is_missing(world: World) -> None:
    payment = desk.paid(world, 2_400)
    row, fin = desk.case("UNDERPAID"), desk.at_desk(Role.FINANCE)
    done = desk.resolve(row, Verb.TOP_UP, fin)
    assert done.case.state == "resolved" and done.call is not None
    operations.finish_now(done.call.operation, done.call.payment, done.call.fence)
    rest = world.read(done.call.payment)
    assert (rest.purpose, rest.amount_minor, rest.order_id) == ("balance", 100, payment.order_id)
    assert rest.provider_reference is not None
    world.deliver_and_apply(world.paid(rest))
    order = desk.order_of(payment)
    assert (order.status, order.paid_minor) == ("deposit_paid", 2_500)
    assert_books_prove()


def test_top_up_is_refused_where_the_payer_could_pay_already(world: World) -> None:
    payment = desk.paid(world, 2_400)
    world.begin(desk.order_of(payment))
    answer = desk.answer(desk.case("UNDERPAID"), Verb.TOP_UP)
    assert isinstance(answer, Refusal) and "open payment already" in answer.why


def test_reissue_follows_an_ended_attempt_once_its_money_is_gone(world: World) -> None:
    payment = desk.paid_late(world)
    row, sue = desk.case("PAID_LATE"), desk.at_desk(Role.SUPPORT)
    error = refusal(desk.resolve, row, Verb.REISSUE, sue)
    assert error.code == "VERB_NOT_ALLOWED" and "late money is still here" in error.message
    with database.transaction() as session:
        session.get_one(Payment, payment.id).refunded_minor = 2_500
    done = desk.resolve(row, Verb.REISSUE, sue)
    assert done.call is not None
    old, new = world.read(payment), world.read(done.call.payment)
    assert (old.superseded_by_id, new.supersedes_id) == (new.id, old.id)
    assert (new.purpose, new.amount_minor, old.status) == ("deposit", 2_500, "cancelled")
    operations.finish_now(done.call.operation, done.call.payment, done.call.fence)
    assert world.read(new).provider_reference is not None


def test_link_applies_the_event_by_the_inboxs_own_path(world: World) -> None:
    own, row = desk.unmatched(world)
    sue = desk.at_desk(Role.SUPPORT)
    with database.transaction() as session:
        # An attempt whose creation was never answered: it has no name of its own yet.
        session.get_one(Payment, own.id).provider_reference = None
        for name in session.query(ProviderReference).filter_by(payment_id=own.id):
            session.delete(name)
    done = desk.resolve(row, Verb.LINK, sue, payment_id=own.id)
    linked = world.read(own)
    assert (linked.status, linked.received_minor) == ("completed", 2_500)
    assert (done.case.payment_id, done.case.order_id) == (own.id, own.order_id)
    assert desk.order_of(own).status == "deposit_paid"
    with database.reading() as session:
        event = session.get_one(InboundEvent, row.inbound_id)
        assert (event.state, event.payment_id) == ("processed", own.id)
    assert_books_prove()


def test_link_never_hides_money_behind_money(world: World) -> None:
    own, row = desk.unmatched(world)
    sue = desk.at_desk(Role.SUPPORT)
    error = refusal(desk.resolve, row, Verb.LINK, sue, payment_id=own.id)
    assert "still be paid under its own reference" in error.message
    world.deliver_and_apply(world.paid(own))
    error = refusal(desk.resolve, row, Verb.LINK, sue, payment_id=own.id)
    assert "money of its own" in error.message
    assert desk.read_case(row).state == "open"
    assert_books_prove()


def test_link_to_an_ended_attempt_books_the_money_as_late(world: World) -> None:
    own, row = desk.unmatched(world)
    world.deliver_and_apply(world.event("payment_intent.canceled", own, status="canceled"))
    desk.resolve(row, Verb.LINK, desk.at_desk(Role.SUPPORT), payment_id=own.id)
    assert desk.balance(f"payment:{own.id}:unapplied") == -2_500
    assert desk.case("PAID_LATE").payment_id == own.id
    assert_books_prove()


def test_refunds_go_through_their_own_door(world: World) -> None:
    payment = desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    done = desk.resolve(row, Verb.REFUND_DIFFERENCE, fin)
    assert done.case.state == "resolved" and done.approval is None
    with database.reading() as session:
        refund = session.get_one(Refund, done.case.resolution["refundId"])
    assert (refund.amount_minor, refund.state, refund.case_id) == (500, "pending", row.id)
    assert world.read(payment).refunding_minor == 500


def test_a_large_refund_waits_for_a_second_person_and_then_settles_the_case(world: World) -> None:
    desk.paid(world, 120_000, total=200_000, deposit=50_000)
    row = desk.case("OVERPAID")
    fin, flo = desk.at_desk(Role.FINANCE), desk.at_desk(Role.FINANCE)
    asked = desk.resolve(row, Verb.REFUND_DIFFERENCE, fin)
    assert asked.approval is not None and desk.read_case(row).state == "assigned"
    desk.agree(asked.approval, flo)
    settled = desk.read_case(row)
    assert (settled.state, settled.verb) == ("resolved", "refund_difference")


def test_a_refund_that_is_large_with_what_one_person_sent_before_says_that_two_must_agree(
    world: World,
) -> None:
    payment = desk.paid(world, 110_000, total=200_000, deposit=50_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    with database.transaction() as session:
        refunds.ask(session, payment, desk.euros(30_000), actor=fin, reason="a part", source="test")
    plan = desk.answer(row, Verb.REFUND_DIFFERENCE)
    assert isinstance(plan, Plan) and plan.amount == desk.euros(30_000)
    assert plan.by_two
    assert desk.resolve(row, Verb.REFUND_DIFFERENCE, fin).approval is not None


def test_mark_asks_two_and_then_settles_the_case(world: World) -> None:
    payment = world.payment()
    with database.transaction() as session:
        finding = cases.Finding("STUCK_PAID", payment.id, "Stuck.", payment=payment)
        cases.open_case(session, finding, why=Why(system("test"), "test"))
    row = desk.case("STUCK_PAID")
    fin, flo = desk.at_desk(Role.FINANCE), desk.at_desk(Role.FINANCE)
    assert refusal(desk.resolve, row, Verb.MARK, fin).code == "VALIDATION_FAILED"
    asked = desk.resolve(row, Verb.MARK, fin, reference="bank_line_77")
    assert asked.approval is not None
    desk.agree(asked.approval, flo)
    assert desk.read_case(row).state == "resolved"
    assert world.read(payment).status == "completed"
    assert_books_prove()


def test_support_links_and_reissues_and_nothing_else(world: World) -> None:
    desk.paid(world, 2_400)
    row = desk.case("UNDERPAID")
    for role in (Role.SUPPORT, Role.ENGINEER, Role.AUDITOR):
        someone = desk.at_desk(role)
        assert case_verbs.allowed(desk.subject(row), someone) == []
        with pytest.raises(Forbidden):
            desk.resolve(row, Verb.ACCEPT, someone)
    assert desk.read_case(row).state == "open"


def test_a_verb_that_does_not_belong_to_the_kind_is_refused_with_what_is_allowed(
    world: World,
) -> None:
    desk.paid(world, 2_400)
    error = refusal(desk.resolve, desk.case("UNDERPAID"), Verb.CREDIT, desk.at_desk(Role.FINANCE))
    assert error.code == "VERB_NOT_ALLOWED"
    assert error.details["allowedVerbs"] == ["top_up", "write_off", "refund_all", "accept"]


def test_an_amount_that_is_not_what_would_move_is_refused(world: World) -> None:
    desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    error = refusal(desk.resolve, row, Verb.CREDIT, fin, amount=desk.euros(499))
    assert error.code == "CONFLICT" and "5.00 EUR" in error.message
    assert desk.resolve(row, Verb.CREDIT, fin, amount=desk.euros(500)).case.state == "resolved"


def test_a_request_through_a_token_waits_whatever_its_sum(world: World) -> None:
    desk.paid(world, 3_000)
    row, fin = desk.case("OVERPAID"), world.fin
    with database.transaction() as session:
        session.get_one(User, fin.id).person_index = "p-fin"
    done = desk.resolve(row, Verb.REFUND_DIFFERENCE, fin)
    assert done.approval is not None and done.case.state == "assigned"
    with database.reading() as session:
        assert approvals.get(session, done.approval.id).state == "pending"


def test_every_verb_of_every_kind_has_words_and_a_door() -> None:
    for kind in KINDS.values():
        assert kind.verbs and kind.means.endswith(".")
        for verb in kind.verbs:
            assert case_verbs.kind(verb).label
