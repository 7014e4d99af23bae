"""A card is proved by one hold that is let go, and its person's trial is granted once, whatever happens when."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.case_kinds import Verb
from core.errors import (
    Conflict,
    InvalidInput,
    LostRace,
    NotFound,
    ProviderReference,
    ProviderRefused,
    ProviderUnknown,
)
from core.states import Role
from domain import database
from domain.actors import system
from domain.cases.case_verbs import Plan
from domain.effects import trial_grant
from domain.jobs import effects as effects_job
from domain.jobs import janitor, refunding, worker
from domain.payments import operations, trial_terms
from domain.reconciliation import reconciling
from models.cases import ExceptionCase
from models.effects import Effect, Trial
from models.operations import Operation
from models.payments import Payment
from tests.domain import checking, fake_charges, test_effects
from tests.domain import desk_people as desk
from tests.domain.world import World

GRANTED = ["payment_method.validated", "trial.granted"]


def grants() -> list[str]:
    return checking.told(*GRANTED)


def asked_to_release() -> list[str]:
    with database.reading() as session:
        found = select(Operation.state).where(Operation.kind == "release_hold")
        return list(session.scalars(found))


def cases() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(ExceptionCase.kind)))


def check_of_3ds(world: World) -> Payment:
    """Start a trial with a card that asks its owner first; it waits for them."""
    name = checking.kept(world, "pm_3ds_one")
    return checking.start_trial(world.bo, name)


def hold(world: World, payment: Payment) -> bytes:
    """Have the owner agree: the amount is held."""
    reference = str(payment.provider_reference)
    return world.event(
        "payment_intent.amount_capturable_updated",
        payment,
        status="requires_capture",
        amount_capturable=payment.amount_minor,
        latest_charge=f"ch_{reference}",
    )


def test_a_trial_begins_with_a_hold_that_is_let_go(world: World) -> None:
    name = checking.kept(world, "pm_one")
    payment = checking.start_trial(world.bo)
    assert (payment.purpose, payment.amount_minor, payment.asset) == (
        "card_validation",
        100,
        "USD/2",
    )
    assert (payment.status, payment.effect_state, payment.method_id) == (
        "completed",
        "applied",
        name,
    )
    assert asked_to_release() == ["prepared"]
    trial = checking.trial("usr_bo")
    assert trial is not None and (trial.state, trial.limit_minor) == ("granted", 10_000)
    checking.work()
    assert asked_to_release() == ["succeeded"]
    done = world.read(payment)
    assert (done.status, done.capturable_minor, done.received_minor) == ("completed", 0, 0)
    assert world.rail.intents[str(payment.provider_reference)]["status"] == "canceled"
    world.deliver_and_apply(world.event("payment_intent.canceled", payment))
    assert world.read(payment).status == "completed"
    assert grants() == ["payment_method.validated", *GRANTED]
    assert not cases()
    assert checking.proved() == []


def test_the_same_call_again_gives_the_same_trial(world: World) -> None:
    name, other = checking.kept(world, "pm_one"), checking.kept(world, "pm_two")
    payment = checking.start_trial(world.bo, name)
    for card in (name, None):
        again = checking.begin_trial(world.bo, card)
        assert (again.payment.id, again.fence) == (payment.id, None)
    with pytest.raises(Conflict) as refused:
        checking.begin_trial(world.bo, other)
    assert refused.value.code == "TRIAL_ALREADY_GRANTED"
    assert world.rail.asked.count("create_intent") == 1


def test_a_trial_needs_a_card_of_ones_own(world: World) -> None:
    with pytest.raises(InvalidInput):
        checking.begin_trial(world.eve)
    name = checking.kept(world, "pm_one")
    with pytest.raises(NotFound):
        checking.begin_trial(world.eve, name)
    assert checking.trial("usr_eve") is None


def test_a_refused_card_grants_nothing_and_another_may_be_tried(world: World) -> None:
    bad, good = checking.kept(world, "pm_declined_one"), checking.kept(world, "pm_two")
    payment = checking.start_trial(world.bo, bad)
    assert (payment.status, payment.provider_code) == ("failed", "insufficient_funds")
    trial = checking.trial("usr_bo")
    assert trial is not None and trial.state == "pending"
    again = checking.start_trial(world.bo, bad)
    assert again.id != payment.id, "a refusal ends the check, and the next call is a new one"
    granted = checking.start_trial(world.bo, good)
    checking.work()
    trial = checking.trial("usr_bo")
    assert trial is not None and (trial.state, trial.payment_id) == ("granted", granted.id)


@pytest.mark.parametrize("order", list(itertools.permutations(("held", "ended", "charged"))))
def test_the_order_of_what_is_heard_does_not_matter(world: World, order: tuple[str, ...]) -> None:
    """That the hold ended may be heard before it is known that there was one."""
    payment = check_of_3ds(world)
    reference = str(payment.provider_reference)
    record = world.rail.intents[reference]
    events = {"held": hold(world, payment)}
    events["ended"] = world.event(
        "payment_intent.canceled", payment, status="canceled", amount_capturable=0
    )
    charge: dict[str, object] = {"id": f"ch_{reference}", "object": "charge"}
    charge |= {"payment_intent": reference, "metadata": record["metadata"]}
    events["charged"] = world._signed_body("charge.succeeded", charge, None)
    for kind in order:
        world.deliver_and_apply(events[kind])
        assert world.deliver(events[kind]).is_duplicate
    checking.work()
    done = world.read(payment)
    assert (done.status, done.sub_state, done.capturable_minor) == ("completed", "none", 0)
    assert (done.failure_reason, done.effect_state) == (None, "applied")
    assert grants().count("trial.granted") == 1
    assert not cases()
    assert checking.proved() == []


@pytest.mark.parametrize("order", list(itertools.permutations(("held", "taken", "ended"))))
def test_a_hold_that_somebody_captured_elsewhere_is_a_case(
    world: World, order: tuple[str, ...]
) -> None:
    payment = check_of_3ds(world)
    events = {"held": hold(world, payment)}
    # Its snapshot is older than the capture; what is true now is asked for.
    events["ended"] = world.event("payment_intent.canceled", payment, status="canceled")
    events["taken"] = world.paid(payment)
    for kind in order:
        world.deliver_and_apply(events[kind])
    checking.work()
    done = world.read(payment)
    assert (done.status, done.received_minor, done.capturable_minor) == ("completed", 100, 0)
    assert cases() == ["OVERPAID"]
    assert grants().count("trial.granted") == 1
    assert checking.proved() == []


def test_a_check_that_never_came_to_a_hold_grants_nothing(world: World) -> None:
    payment = check_of_3ds(world)
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    assert world.read(payment).status == "cancelled"
    trial = checking.trial("usr_bo")
    assert trial is not None and trial.state == "pending"
    assert not asked_to_release() and grants() == ["payment_method.validated"]


def test_a_failed_confirmation_ends_the_check(world: World) -> None:
    payment = check_of_3ds(world)
    record = world.rail.intents[str(payment.provider_reference)]
    fake_charges.refuse(record, "authentication_required")
    world.deliver_and_apply(world.event("payment_intent.payment_failed", payment))
    assert world.read(payment).status == "failed"
    again = checking.begin_trial(world.bo, "pm_3ds_one")
    assert again.payment.id != payment.id


def test_sixteen_at_once_make_one_hold_and_one_grant(world: World) -> None:
    name = checking.kept(world, "pm_one")

    def start(_: int) -> str:
        for _ in range(50):
            try:
                return checking.start_trial(world.bo, name).id
            except LostRace:
                continue
        raise AssertionError("nobody ever won")

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(16)))) == 1
    checking.work()
    assert len(world.rail.intents) == 1
    assert grants().count("trial.granted") == 1
    assert asked_to_release() == ["succeeded"]


def test_two_cards_at_once_are_both_proved_and_grant_once(world: World) -> None:
    names = [checking.kept(world, f"pm_3ds_{no}") for no in range(4)]
    payments = [checking.start_trial(world.bo, name) for name in names]
    bodies = [hold(world, payment) for payment in payments]
    for body in bodies:
        world.deliver(body)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: worker.work_until_idle(), range(4)))
    checking.work()
    assert {world.read(payment).status for payment in payments} == {"completed"}
    assert asked_to_release() == ["succeeded"] * 4
    assert grants().count("trial.granted") == 1
    assert all(checking.card(name).validated_at for name in names)


def test_a_crash_between_hold_and_release_forgets_neither(world: World) -> None:
    """The worker that dies after its call, before it wrote down what came of it, asks again under the same key."""
    payment = check_of_3ds(world)
    world.deliver_and_apply(hold(world, payment))
    with database.transaction() as session:
        leased = operations.lease_due(session)
        [(operation, fence)] = leased
    outcome = operations.run(operation, payment, fence, actor=world.bo)
    del outcome
    assert asked_to_release() == ["prepared"]
    checking.hurry()
    checking.work()
    assert asked_to_release() == ["succeeded"]
    assert grants().count("trial.granted") == 1
    assert not cases()


def test_a_lost_answer_is_asked_for_again(world: World) -> None:
    checking.kept(world, "pm_one")
    checking.start_trial(world.bo)
    world.rail.script = [ProviderUnknown("lost")]
    janitor.finish_operation()
    assert asked_to_release() == ["unknown"]
    assert [payment.status for payment in checking.every(Payment)] == ["completed"] * 2  # type: ignore[union-attr]
    checking.hurry()
    checking.work()
    assert asked_to_release() == ["succeeded"]


def test_a_hold_that_is_not_let_go_is_seen_by_a_person(world: World) -> None:
    checking.kept(world, "pm_one")
    payment = checking.start_trial(world.bo)
    said = ProviderReference(None, "payment_intent_unexpected_state")
    world.rail.script = [ProviderRefused("It cannot be cancelled.", provider=said)]
    checking.work()
    assert asked_to_release() == ["failed"]
    with database.reading() as session:
        [case] = session.scalars(select(ExceptionCase))
        assert case.kind == "EFFECT_FAILED" and "hold of 1.00 USD" in case.sentence
    assert world.read(payment).status == "completed"


def test_a_hold_that_somebody_else_let_go_is_no_case(world: World) -> None:
    checking.kept(world, "pm_one")
    payment = checking.start_trial(world.bo)
    world.rail.intents[str(payment.provider_reference)]["status"] = "canceled"
    said = ProviderReference(None, "payment_intent_unexpected_state")
    world.rail.script = [ProviderRefused("It is canceled.", provider=said)]
    checking.work()
    assert asked_to_release() == ["succeeded"]
    assert not cases()


def test_a_broken_grant_holds_nothing_up_and_is_made_good(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking.kept(world, "pm_3ds_one")
    payment = checking.start_trial(world.bo)
    with monkeypatch.context() as patched:
        patched.setattr(trial_grant, "carry_out", test_effects.broken)
        world.deliver(hold(world, payment))
        test_effects.settle()
    done = world.read(payment)
    assert (done.status, done.effect_state) == ("completed", "failed")
    assert asked_to_release() == ["prepared"], "the hold does not wait for the grant"
    again = checking.begin_trial(world.bo)
    assert (again.payment.id, again.fence) == (payment.id, None)
    test_effects.hurry()
    assert effects_job.retry_next()
    with database.reading() as session:
        assert set(session.scalars(select(Effect.state))) == {"applied"}
        assert session.scalars(select(Trial.state)).all() == ["granted"]
    assert grants().count("trial.granted") == 1


def test_what_is_held_is_one_of_the_accounts_currency() -> None:
    assert trial_terms.hold().major() == "1.00"
    assert trial_terms.limit().major() == "100.00"


def test_what_was_taken_of_a_hold_goes_back_whole(world: World) -> None:
    payment = check_of_3ds(world)
    world.deliver_and_apply(hold(world, payment))
    world.deliver_and_apply(world.paid(payment))
    row, fin = desk.case("OVERPAID"), desk.at_desk(Role.FINANCE)
    assert (row.expected, row.found) == ("0.00", "1.00")
    plan = desk.answer(row, Verb.REFUND_DIFFERENCE)
    assert isinstance(plan, Plan) and plan.amount.minor == 100
    desk.resolve(row, Verb.REFUND_DIFFERENCE, fin)
    while refunding.send_next():
        pass
    done = world.read(payment)
    assert (done.refunded_minor, done.status) == (100, "refunded")
    trial = checking.trial("usr_bo")
    assert trial is not None and trial.state == "granted"
    again = checking.begin_trial(world.bo)
    assert (again.payment.id, again.fence) == (payment.id, None)
    assert checking.proved() == []


def test_the_janitor_finds_nothing_missing_of_a_check(world: World) -> None:
    checking.kept(world, "pm_one")
    checking.start_trial(world.bo)
    checking.work()
    with database.transaction() as session:
        for row in session.scalars(select(Payment)):
            assert row.check_due_at is not None, "what was signed is asked about once more"
            row.check_due_at = clock.now()
    while janitor.check_payment():
        pass
    since = clock.now() - timedelta(days=1)
    found = reconciling.reconcile(world.rail, since=since, actor=system("operator"))
    assert (found.compared, found.different) == (1, 0)
    assert cases() == []
    assert {payment.status for payment in checking.every(Payment)} == {"completed"}
