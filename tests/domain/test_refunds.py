"""A refund gives back what was asked, once, and never more than was received; whatever fails or comes when."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Frozen,
    IllegalTransition,
    ProviderRefused,
    ProviderUnknown,
)
from core.money import Money, asset
from core.states import Role
from domain import (
    approvals,
    database,
    freezes,
    keyring,
    ledger,
    payments,
    refunds,
    verification,
)
from domain.actors import Actor
from domain.jobs import overdue, refunding, worker
from domain.transitions import Why
from models.cases import ExceptionCase
from models.control import Approval
from models.events import EventLog
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from models.people import User
from models.refunds import Refund
from tests.domain.world import World, actor

EUR = asset("EUR")


def person(world: World, name: str, role: Role, **more: object) -> Actor:
    """Put a member of the staff in, signed in at the desk with a fresh second factor."""
    del world
    user_id = f"usr_{name}"
    place = f"users|email|{user_id}"
    sealed = keyring.seal_text(f"{user_id}@example.com", purpose="email", place=place)
    with database.transaction() as session:
        if session.get(User, user_id) is None:
            session.add(
                User(
                    id=user_id,
                    email_sealed=sealed,
                    email_index=f"index-{name}".encode(),
                    name=name,
                    role=role.value,
                    kyc="approved",
                    state="active",
                    demo=False,
                    created_at=clock.now(),
                )
            )
    desk = {"session_id": f"ses_{name}", "stepped_up_at": clock.now()}
    return actor(user_id, role, **(desk | more))


@pytest.fixture
def fin(world: World) -> Actor:
    return person(world, "fin", Role.FINANCE)


@pytest.fixture
def flo(world: World) -> Actor:
    return person(world, "flo", Role.FINANCE)


@pytest.fixture
def sue(world: World) -> Actor:
    return person(world, "sue", Role.SUPPORT)


def paid(world: World, amount: int = 2_500) -> Payment:
    payment = world.payment(total=max(amount, 12_500), deposit=amount)
    world.deliver_and_apply(world.paid(payment))
    return world.read(payment)


def ask(payment: Payment, minor: int, who: Actor, **more: str) -> Refund:
    with database.transaction() as session:
        own = payments.get_payment(session, payment.id, actor=who)
        return refunds.ask(
            session, own, Money(minor, EUR), actor=who, reason="Broken leg", source="test", **more
        )


def send_all() -> None:
    while refunding.send_next():
        pass


def one(refund: Refund) -> Refund:
    with database.reading() as session:
        return session.get_one(Refund, refund.id)


def agree(refund: Refund, who: Actor) -> approvals.Decision:
    with database.transaction() as session:
        row = session.get_one(Approval, refund.approval_id)
        return approvals.agree(
            session, row.id, actor=who, content_hash=row.content_hash, reason="Seen it"
        )


def told(kind: str) -> int:
    with database.reading() as session:
        found = select(func.count()).select_from(EventLog).where(EventLog.type == kind)
        return session.scalar(found) or 0


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def balances(payment: Payment) -> tuple[int, int, int]:
    with database.reading() as session:
        hold = f"order:{payment.order_id}:escrow_hold"
        addresses = (hold, "provider:stripe:clearing", "buyer:usr_bo:funds")
        return tuple(ledger.balance(session, each, "EUR/2") for each in addresses)  # type: ignore[return-value]


def assert_proved() -> None:
    report = verification.verify()
    assert report.ok, [check.first_bad for check in report.checks if not check.ok]


def test_small_refund_of_one_person_goes_to_the_provider_and_into_the_books(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 2_000, sue)
    assert (refund.state, refund.approval_id) == ("pending", None)
    assert world.read(payment).refunding_minor == 2_000
    assert "refund" not in world.rail.asked
    send_all()
    done = one(refund)
    assert (done.state, done.provider_reference) == ("succeeded", next(iter(world.rail.refunds)))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.refunding_minor) == ("completed", 2_000, 0)
    assert balances(payment) == (-500, 500, 0)
    assert (told("refund.created"), told("refund.succeeded"), told("payment.refunded")) == (1, 1, 1)
    assert_proved()


def test_refund_of_everything_ends_payment_escrow_and_order(world: World, sue: Actor) -> None:
    payment = paid(world)
    ask(payment, 500, sue)
    ask(payment, 2_000, sue)
    send_all()
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.refunded_minor) == ("refunded", "refunded", 2_500)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.request_status) == ("refunded", "refunded")
    assert (told("payment.refunded"), told("order.refunded")) == (2, 1)
    assert balances(payment) == (0, 0, 0)
    assert_proved()


def test_large_refund_waits_for_a_second_person_and_is_sent_once_they_agree(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    assert refund.state == "pending_approval"
    assert refund.operation_id is None
    send_all()
    assert "refund" not in world.rail.asked
    with pytest.raises(AppError):
        agree(refund, fin)
    assert agree(refund, flo).row.state == "executed"
    assert one(refund).state == "pending"
    send_all()
    assert one(refund).state == "succeeded"
    assert (told("refund.requested"), told("refund.created")) == (1, 1)
    assert_proved()


def test_support_asks_up_to_the_threshold_and_nobody_over_the_api_moves_money_alone(
    world: World, sue: Actor, fin: Actor
) -> None:
    payment = paid(world, 100_000)
    with pytest.raises(Forbidden, match="above what your role"):
        ask(payment, 50_001, sue)
    stale = person(world, "sue", Role.SUPPORT, stepped_up_at=None)
    with pytest.raises(Forbidden) as refused:
        ask(payment, 100, stale)
    assert refused.value.code == "STEP_UP_REQUIRED"
    token = person(world, "fin", Role.FINANCE, session_id="jti_1")
    assert ask(payment, 100, token).state == "pending_approval"
    with pytest.raises(Forbidden):
        ask(payment, 100, person(world, "sue", Role.SUPPORT, session_id="jti_2"))
    with pytest.raises(Forbidden):
        ask(payment, 100, person(world, "ed", Role.ENGINEER))
    with pytest.raises(Forbidden):
        ask(payment, 100, world.bo)
    assert world.read(payment).refunding_minor == 100
    assert ask(payment, 50_000, fin).state == "pending"


def test_refused_and_expired_requests_free_what_they_had_set_aside(
    world: World, fin: Actor, flo: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    with database.transaction() as session:
        approvals.refuse(session, str(refund.approval_id), actor=flo, reason="No receipt")
    assert one(refund).state == "cancelled"
    # What an approval is bound to never changes, its end neither; so it is born at its end.
    monkeypatch.setattr(approvals, "APPROVAL_SECONDS", 0)
    late = ask(payment, 100_000, fin)
    monkeypatch.undo()
    overdue.end_overdue()
    assert one(late).state == "cancelled"
    assert world.read(payment).refunding_minor == 0
    assert ask(payment, 100_000, fin).state == "pending_approval"
    assert_proved()


def test_request_is_void_once_other_money_of_the_payment_went_back(
    world: World, fin: Actor, flo: Actor, sue: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 60_000, fin)
    ask(payment, 20_000, sue)
    decision = agree(refund, flo)
    assert decision.said is not None
    assert one(refund).state == "cancelled"
    assert world.read(payment).refunding_minor == 20_000


def test_request_stands_when_only_the_card_was_learned_or_another_waits(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 200_000)
    refund = ask(payment, 60_000, fin)
    ask(payment, 70_000, flo)
    with database.transaction() as session:
        session.get_one(Payment, payment.id).card_last4 = "4242"
    assert agree(refund, flo).said is None
    assert one(refund).state == "pending"


def test_disputed_payment_is_not_refunded_as_well(world: World, sue: Actor) -> None:
    payment = paid(world)
    record = world.rail.intents[str(payment.provider_reference)]
    dispute = record | {"id": "dp_1", "payment_intent": record["id"], "charge": None}
    world.deliver_and_apply(world._signed_body("charge.dispute.created", dispute, None))
    assert cases() == ["DISPUTE"]
    with pytest.raises(IllegalTransition):
        ask(payment, 100, sue)


def test_payment_that_has_not_arrived_or_is_all_back_has_nothing_to_refund(
    world: World, sue: Actor
) -> None:
    with pytest.raises(IllegalTransition):
        ask(world.payment(), 100, sue)
    payment = paid(world)
    with pytest.raises(Conflict) as refused:
        ask(payment, 2_501, sue)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert refused.value.details["refundable"] == {"amount": "25.00", "currency": "EUR"}
    ask(payment, 2_500, sue)
    send_all()
    with pytest.raises(Conflict) as again:
        ask(payment, 1, sue)
    assert again.value.code == "AMOUNT_EXCEEDED"


def test_money_that_came_after_the_end_is_given_back_from_where_it_lies(
    world: World, sue: Actor
) -> None:
    payment = world.payment()
    record = world.rail.intents[str(payment.provider_reference)]
    cancelled = world.event("payment_intent.canceled", payment, status="canceled")
    world.deliver_and_apply(cancelled)
    world.deliver_and_apply(world.paid(payment))
    assert record["status"] == "succeeded"
    ask(payment, 2_500, sue)
    send_all()
    now = world.read(payment)
    assert (now.status, now.refunded_minor) == ("cancelled", 2_500)
    with database.reading() as session:
        assert ledger.balance(session, f"payment:{payment.id}:unapplied", "EUR/2") == 0
    assert_proved()


def test_same_reference_gives_the_same_refund(world: World, sue: Actor) -> None:
    payment = paid(world)
    first = ask(payment, 100, sue, reference="ticket-1")
    assert ask(payment, 100, sue, reference="ticket-1").id == first.id
    with pytest.raises(Conflict):
        ask(payment, 200, sue, reference="ticket-1")
    assert world.read(payment).refunding_minor == 100


def test_sixteen_who_ask_at_once_never_get_more_than_was_received(world: World, sue: Actor) -> None:
    payment = paid(world)
    made: list[int] = []
    refused: list[str] = []
    together = threading.Barrier(16)

    def run(minor: int) -> None:
        together.wait()
        try:
            made.append(ask(payment, minor, sue).amount_minor)
        except AppError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=run, args=(300 + 10 * no,)) for no in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(refused) == 16
    assert set(refused) == {"AMOUNT_EXCEEDED"}
    now = world.read(payment)
    assert (
        sum(made)
        == now.refunding_minor
        <= 2_500
        < sum(made)
        + min(minor for minor in (300 + 10 * no for no in range(16)) if minor not in made)
    )
    send_all()
    assert world.read(payment).refunded_minor == sum(made)
    assert_proved()


def test_a_hundred_lost_answers_make_no_second_refund(world: World, sue: Actor) -> None:
    payment = paid(world, 20_000)
    asked = [ask(payment, 100 + no, sue) for no in range(100)]
    lost = ProviderUnknown()
    lost.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [lost] * 100
    send_all()
    assert {one(refund).state for refund in asked} == {"unknown"}
    assert world.read(payment).status == "completed"
    _make_due()
    send_all()
    assert {one(refund).state for refund in asked} == {"succeeded"}
    amounts = sorted(int(str(found["amount"])) for found in world.rail.refunds.values())
    assert amounts == sorted(refund.amount_minor for refund in asked)
    assert world.rail.asked.count("refund") == 100
    assert_proved()


def _make_due(**values: object) -> None:
    with database.transaction() as session:
        for row in session.scalars(select(Operation).where(Operation.due_at.is_not(None))):
            row.due_at, row.lease_until = clock.now(), None
            for name, value in values.items():
                setattr(row, name, value)


def test_call_that_never_arrived_is_made_again_under_the_same_key(world: World, sue: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderUnknown()]
    send_all()
    assert one(refund).state == "unknown"
    _make_due()
    send_all()
    assert one(refund).state == "succeeded"
    assert len(world.rail.refunds) == len(world.rail.refund_keys) == 1
    assert world.rail.asked.count("refund") == 2


def test_after_the_key_has_expired_only_absence_seen_twice_ends_a_refund(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderUnknown()]
    send_all()
    _make_due(sent_at=clock.after(-24 * 3600))
    send_all()
    assert one(refund).state == "unknown"
    _make_due()
    send_all()
    assert (one(refund).state, one(refund).failure_reason) == ("failed", "never_created")
    assert world.rail.asked.count("refund") == 1
    assert world.read(payment).refunding_minor == 0
    assert cases() == ["REFUND_FAILED"]
    assert_proved()


def test_refusal_of_the_provider_ends_the_refund_with_a_case(world: World, sue: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderRefused("The balance does not suffice.")]
    send_all()
    assert one(refund).state == "failed"
    assert world.read(payment).refunding_minor == 0
    assert cases() == ["REFUND_FAILED"]
    assert told("refund.failed") == 1
    assert_proved()


def _freeze(scope: str, scope_id: str) -> str:
    why = Why(person_actor(), "test", "Something is odd")
    with database.transaction() as session:
        row, _ = freezes.engage(
            session, freezes.Wanted(scope, scope_id, "Something is odd"), why=why
        )
        return row.id


def person_actor() -> Actor:
    return actor("usr_fin", Role.FINANCE)


@pytest.mark.parametrize("scope", ["all", "rail", "merchant", "order"])
def test_freeze_between_agreement_and_sending_holds_it_and_its_end_lets_it_go(
    world: World, fin: Actor, flo: Actor, scope: str
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    agree(refund, flo)
    names = {"all": "", "rail": "card", "merchant": payment.merchant_id, "order": payment.order_id}
    freeze_id = _freeze(scope, str(names[scope]))
    send_all()
    assert one(refund).state == "pending"
    assert "refund" not in world.rail.asked
    with pytest.raises(Frozen):
        ask(payment, 100, fin)
    with database.transaction() as session:
        row = freezes.lock(session, freeze_id)
        freezes.end(session, row, to=freezes.State.LIFTED, why=Why(fin, "test"))
    send_all()
    assert one(refund).state == "succeeded"


def test_under_a_freeze_what_may_have_been_sent_is_looked_for_and_not_sent_again(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    lost, gone = ask(payment, 500, sue), ask(payment, 600, sue)
    happened = ProviderUnknown()
    happened.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [happened, ProviderUnknown()]
    send_all()
    assert {one(lost).state, one(gone).state} == {"unknown"}
    _freeze("all", "")
    _make_due()
    send_all()
    assert (one(lost).state, one(gone).state) == ("succeeded", "unknown")
    assert world.rail.asked.count("refund") == 2


def test_freeze_of_something_else_holds_nothing(world: World, sue: Actor) -> None:
    payment, other = paid(world), paid(world)
    refund = ask(payment, 500, sue)
    _freeze("order", str(other.order_id))
    send_all()
    assert one(refund).state == "succeeded"


def test_refund_is_taken_back_until_it_is_sent(world: World, sue: Actor, fin: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    with database.transaction() as session:
        refunds.cancel(session, refund.id, actor=fin, reason="Wrong order", source="test")
    assert one(refund).state == "cancelled"
    assert world.read(payment).refunding_minor == 0
    send_all()
    assert "refund" not in world.rail.asked
    sent = ask(payment, 500, sue)
    send_all()
    with pytest.raises(IllegalTransition), database.transaction() as session:
        refunds.cancel(session, sent.id, actor=fin, reason="Too late", source="test")
    assert_proved()


def test_request_is_taken_back_with_its_approval(world: World, fin: Actor, flo: Actor) -> None:
    payment = paid(world, 200_000)
    for who in (fin, flo):
        refund = ask(payment, 60_000, fin)
        with database.transaction() as session:
            refunds.cancel(session, refund.id, actor=who, reason="No", source="test")
        with database.reading() as session:
            assert session.get_one(Approval, refund.approval_id).state == "cancelled"
        assert one(refund).state == "cancelled"
    stranger = person(world, "sol", Role.SUPPORT)
    other = ask(payment, 60_000, fin)
    with pytest.raises(Forbidden), database.transaction() as session:
        refunds.cancel(session, other.id, actor=stranger, reason="No", source="test")
    assert world.read(payment).refunding_minor == 60_000


def test_sending_and_taking_back_at_once_leaves_one_of_them(world: World, sue: Actor) -> None:
    payment = paid(world)
    for _ in range(8):
        refund = ask(payment, 100, sue)
        both = threading.Barrier(2)

        def send(barrier: threading.Barrier = both) -> None:
            barrier.wait()
            send_all()

        def take_back(barrier: threading.Barrier = both, refund_id: str = refund.id) -> None:
            barrier.wait()
            with contextlib.suppress(AppError), database.transaction() as session:
                refunds.cancel(session, refund_id, actor=sue, reason="No", source="test")

        threads = [threading.Thread(target=send), threading.Thread(target=take_back)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        send_all()
        assert one(refund).state in ("succeeded", "cancelled")
    back = sum(int(str(found["amount"])) for found in world.rail.refunds.values())
    assert world.read(payment).refunded_minor == back
    assert_proved()


def test_refund_made_at_the_provider_is_adopted_and_shown_to_a_person(world: World) -> None:
    payment = paid(world)
    name = world.rail.give_back(str(payment.provider_reference), 1_000)
    event = world.deliver_and_apply(world.refund_event("refund.created", name))
    assert (event.state, event.verdict) == ("processed", "refund pending → succeeded")
    with database.reading() as session:
        refund = session.scalars(select(Refund)).one()
    assert (refund.requested_kind, refund.provider_reference) == ("provider", name)
    assert world.read(payment).refunded_minor == 1_000
    assert balances(payment) == (-1_500, 1_500, 0)
    assert cases() == ["RECON_DIFFERENCE"]
    assert_proved()


def test_charge_that_tells_a_total_makes_us_ask_for_its_refunds(world: World) -> None:
    payment = paid(world)
    world.rail.give_back(str(payment.provider_reference), 1_000)
    charge = {"id": "ch_1", "payment_intent": payment.provider_reference, "amount_refunded": 1_000}
    event = world.deliver_and_apply(world._signed_body("charge.refunded", charge, None))
    assert event.state == "processed"
    assert world.read(payment).refunded_minor == 1_000


def test_refund_heard_of_before_the_payment_makes_us_ask_for_the_payment(world: World) -> None:
    payment = world.payment()
    success = world.paid(payment)
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    assert world.read(payment).status == "refunded"
    world.deliver_and_apply(success)
    now = world.read(payment)
    assert (now.status, now.received_minor, now.refunded_minor) == ("refunded", 2_500, 2_500)
    assert_proved()


def test_outside_refund_leaves_our_own_request_no_room(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    name = world.rail.give_back(str(payment.provider_reference), 100_000)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.refunding_minor) == ("refunded", 100_000, 0)
    assert agree(refund, flo).said is not None
    assert one(refund).state == "cancelled"
    assert_proved()


def test_refund_that_fails_later_is_reversed_and_everything_stands_as_before(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 2_500, sue)
    send_all()
    assert world.read(payment).status == "refunded"
    name = str(one(refund).provider_reference)
    failed = {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    world.deliver_and_apply(world.refund_event("refund.failed", name, **failed))
    done = one(refund)
    assert (done.state, done.failure_reason) == ("failed", "expired_or_canceled_card")
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.refunded_minor) == ("completed", "funded", 0)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.request_status) == ("deposit_paid", "processing")
    assert balances(payment) == (-2_500, 2_500, 0)
    assert cases() == ["REFUND_FAILED"]
    assert told("payment.refunded") == 2
    again = ask(payment, 2_500, sue)
    send_all()
    assert one(again).state == "succeeded"
    assert world.read(payment).status == "refunded"
    assert_proved()


def test_order_that_holds_other_money_is_not_refunded_and_one_that_is_paid_again_is_whole(
    world: World, sue: Actor
) -> None:
    order = world.order()
    _, deposit = world.begin(order)
    world.deliver_and_apply(world.paid(deposit))
    _, balance = world.begin(order, "balance")
    ask(deposit, 2_500, sue)
    send_all()
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "refunded"
    world.deliver_and_apply(world.paid(balance))
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "paid"
    assert_proved()


LIFECYCLES = {
    "succeeds": ["pending", "succeeded"],
    "fails": ["pending", "failed"],
    "fails after success": ["pending", "succeeded", "failed"],
}


def _orders(events: list[bytes]) -> Iterator[list[bytes]]:
    """Every order of arrival, with each event twice, and with each one but the last dropped."""
    for order in itertools.permutations(events):
        yield [*order, *order]
    for left_out in range(len(events) - 1):
        yield [event for place, event in enumerate(events) if place != left_out]


@pytest.mark.parametrize("life", LIFECYCLES)
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "outside"])
def test_facts_of_a_refund_lead_to_one_state_in_any_order(
    world: World, sue: Actor, life: str, is_ours: bool
) -> None:
    ends = set()
    at = clock.unix()
    for number in range(20):
        payment = paid(world)
        world.rail.refund_status = "pending"
        if is_ours:
            ask(payment, 2_500, sue)
            send_all()
            name = next(
                each
                for each, found in world.rail.refunds.items()
                if found["payment_intent"] == payment.provider_reference
            )
        else:
            name = world.rail.give_back(str(payment.provider_reference), 2_500)
        kinds = {"pending": "refund.created", "succeeded": "refund.updated"}
        events = [
            world.refund_event(kinds.get(status, "refund.failed"), name, at=at + no, status=status)
            for no, status in enumerate(LIFECYCLES[life])
        ]
        ways = list(_orders(events))
        if number >= len(ways):
            break
        for event in ways[number]:
            world.deliver(event)
            worker.work_until_idle()
        now = world.read(payment)
        with database.reading() as session:
            refund = session.scalars(select(Refund).where(Refund.payment_id == payment.id)).one()
            order = session.get_one(Order, payment.order_id)
            state = (refund.state, now.status, now.escrow_state, order.status, order.request_status)
        ends.add((*state, now.refunded_minor, now.refunding_minor, *balances(payment)[:1]))
    assert len(ends) == 1
    assert_proved()
