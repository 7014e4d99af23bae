"""What providers say of disputes comes to the same end in any order and number, and its money is posted once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select

from core.case_kinds import Verb
from core.errors import Conflict
from domain import database
from domain.actors import Actor
from domain.books import ledger
from domain.cases import case_resolving
from domain.cases.case_verbs import Wanted
from models.cases import CaseNote, ExceptionCase
from models.inbound import InboundEvent
from models.orders import Order
from models.payments import Payment
from providers.said import Reading
from tests.domain import disputing
from tests.domain.disputing import BEGAN, booked
from tests.domain.refunding import assert_proved, balances, cases, paid, told
from tests.domain.world import World


def _shuffled(said: Sequence[Reading], dice: random.Random) -> list[Reading]:
    """Say some of it again, somewhere after it was first said or before."""
    again = [*said, *dice.choices(list(said), k=2)]
    dice.shuffle(again)
    return again


@pytest.mark.parametrize(("story", "left"), [(disputing.won, 0), (disputing.lost, 2_500)])
def test_every_order_and_repetition_of_a_dispute_ends_alike(
    world: World, story: Callable[[Payment], list[Reading]], left: int
) -> None:
    dice, ends = random.Random(7), []
    orders = list(itertools.permutations(range(5)))
    # The fold is the same code on both; what PostgreSQL adds is seen in a fifth of them.
    for number, order in enumerate(orders[:: 1 if database.is_sqlite() else 5]):
        payment = paid(world)
        words = story(payment)
        said = [words[place] for place in order]
        disputing.apply(payment, _shuffled(said, dice) if number % 4 == 0 else said)
        ends.append(disputing.standing(payment))
    assert all(end == ends[0] for end in ends), next(end for end in ends if end != ends[0])
    assert ends[0]["at risk"] == 0 and ends[0]["order"] == ("deposit_paid", None)
    assert ends[0]["payment"] == ("completed", 2_500, 0)
    number = len(ends)
    with database.reading() as session:
        assert ledger.balance(session, "disputes:lost", "EUR/2") == left * number
        assert ledger.balance(session, "disputes:stripe:fees", "EUR/2") == 1_500 * number
    assert_proved()


def test_open_dispute_holds_the_order_and_lies_at_risk(world: World) -> None:
    payment = paid(world)
    disputing.apply(payment, disputing.won(payment)[:2])
    row = disputing.of(payment)
    end = disputing.standing(payment)
    assert (row.withdrawn_minor, end["at risk"]) == (2_500, 2_500)
    assert end["order"] == ("deposit_paid", "The payer's bank disputes 25.00 EUR.")
    assert balances(payment)[:2] == (-2_500, 2_500 - 2_500 - 1_500)
    assert (told("payment.reversed"), told("dispute.opened"), told("dispute.closed")) == (1, 1, 0)
    assert row.evidence_due_at == end["case"][1]  # type: ignore[index]
    assert_proved()


def test_hold_stays_until_the_last_of_several_disputes_is_decided(world: World) -> None:
    order = world.order(total=12_500, deposit=2_500)
    first = world.begin(order)[1]
    world.deliver_and_apply(world.paid(first))
    second = world.begin(order, "balance")[1]
    world.deliver_and_apply(world.paid(second))
    disputing.apply(first, disputing.won(first)[:1])
    disputing.apply(second, disputing.won(second)[:1])
    disputing.apply(first, disputing.won(first))
    assert disputing.standing(first)["order"][1] is not None  # type: ignore[index]
    disputing.apply(second, disputing.won(second))
    assert disputing.standing(first)["order"][1] is None  # type: ignore[index]
    assert_proved()


def test_end_is_noted_and_the_case_waits_for_a_person(world: World) -> None:
    payment = paid(world)
    disputing.apply(payment, disputing.won(payment))
    assert disputing.standing(payment)["case"][0] == "open"  # type: ignore[index]
    with database.reading() as session:
        notes = [note.note for note in session.scalars(select(CaseNote))]
    assert len(notes) == 1 and notes[0].startswith("Ended as won")


def test_appeal_takes_a_loss_back_and_a_second_loss_books_it_again(world: World) -> None:
    payment = paid(world)
    disputing.apply(payment, disputing.lost(payment))
    losses = []
    for status, at in (("appeal_needs_response", 20), ("lost", 30), ("won", 40)):
        disputing.apply(payment, [disputing.word(payment, status, BEGAN + at, moved=1, evidence=1)])
        with database.reading() as session:
            losses.append(ledger.balance(session, "disputes:lost", "EUR/2"))
    assert losses == [0, 2_500, 0]
    assert_proved()


def test_an_older_word_that_says_more_has_the_provider_asked(world: World) -> None:
    payment = paid(world)
    record = world.rail.dispute(str(payment.provider_reference), 2_500)
    name = str(record["id"])
    world.deliver_and_apply(world.dispute_event("created", name, at=BEGAN + 50))
    # Their clock is behind ours: the decision is dated before what we know.
    early = world.dispute_event("closed", name, at=BEGAN + 40, status="won")
    asked = len(world.rail.asked)
    assert world.deliver_and_apply(early).state == "processed"
    assert world.rail.asked[asked:] == ["fetch"]
    assert disputing.of(payment).status == "won"


def test_dispute_before_the_payment_is_known_to_have_arrived_asks_for_the_truth(
    world: World,
) -> None:
    payment = world.payment()
    record = world.rail.intents[str(payment.provider_reference)]
    record |= {"status": "succeeded", "amount_received": 2_500}
    dispute = world.rail.dispute(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.dispute_event("created", str(dispute["id"])))
    assert world.read(payment).status == "completed"
    assert disputing.of(payment).status == "needs_response"
    assert_proved()


def test_unknown_status_is_quarantined_and_changes_nothing(world: World) -> None:
    payment = paid(world)
    record = world.rail.dispute(str(payment.provider_reference), 2_500)
    body = world.dispute_event("created", str(record["id"]), status="half_decided")
    assert world.deliver_and_apply(body).state == "quarantined"
    assert cases() == ["UNMAPPED_VALUE"]


def test_events_of_one_dispute_in_one_batch_are_applied_together(world: World) -> None:
    payment = paid(world)
    name = str(world.rail.dispute(str(payment.provider_reference), 2_500)["id"])
    out = booked("txn_1", -2_500, fee=1_500)
    for body in (
        world.dispute_event("created", name, at=BEGAN),
        world.dispute_event("funds_withdrawn", name, at=BEGAN, balance_transactions=[out]),
        world.dispute_event("updated", name, at=BEGAN + 3, status="under_review"),
    ):
        world.deliver(body)
    world.deliver_and_apply(world.dispute_event("closed", name, at=BEGAN + 9, status="lost"))
    with database.reading() as session:
        states = set(session.scalars(select(InboundEvent.state)))
    assert states == {"processed"}
    assert disputing.standing(payment)["status"] == "lost"
    assert_proved()


def test_money_of_another_currency_is_booked_as_what_was_disputed(world: World) -> None:
    payment = paid(world)
    name = str(world.rail.dispute(str(payment.provider_reference), 2_500)["id"])
    out = booked("txn_usd", -2_912, fee=1_500) | {"currency": "usd"}
    world.deliver_and_apply(
        world.dispute_event("funds_withdrawn", name, balance_transactions=[out])
    )
    assert disputing.of(payment).withdrawn_minor == 2_500
    with database.reading() as session:
        assert ledger.balance(session, "disputes:stripe:fees", "USD/2") == 1_500
    assert_proved()


def test_warning_of_fraud_holds_the_order_until_its_case_is_settled(
    world: World, fin: Actor
) -> None:
    payment, body_kind = paid(world), "radar.early_fraud_warning.created"
    warning = {
        "id": "issfr_1",
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": None,
        "created": BEGAN,
        "fraud_type": "unauthorized_use_of_card",
        "payment_intent": payment.provider_reference,
    }
    body = world._signed_body(body_kind, warning, None)
    assert world.deliver_and_apply(body).state == "processed"
    assert cases() == ["EARLY_FRAUD_WARNING"]
    assert _hold(payment) == "The card's issuer warns of fraud."
    _accept_case(fin)
    assert _hold(payment) is None
    # Told again, it does not begin again.
    world.deliver_and_apply(world._signed_body(body_kind, warning, None))
    assert _hold(payment) is None
    assert_proved()


def test_case_of_an_open_dispute_is_not_settled_before_the_bank_has_decided(
    world: World, fin: Actor
) -> None:
    payment = paid(world)
    disputing.apply(payment, disputing.won(payment)[:2])
    with pytest.raises(Conflict, match="has not decided"):
        _accept_case(fin)
    disputing.apply(payment, disputing.won(payment))
    assert _accept_case(fin).state == "resolved"


def _accept_case(who: Actor) -> ExceptionCase:
    with database.transaction() as session:
        case = session.scalars(select(ExceptionCase)).one()
        wanted = Wanted(Verb.ACCEPT, "The buyer called; it was them")
        return case_resolving.resolve(session, case.id, wanted, actor=who, source="test").case


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_review_that_is_approved_lifts_its_own_hold_only(
    world: World, order: tuple[int, ...]
) -> None:
    payment = paid(world)
    disputing.apply(payment, disputing.won(payment)[:1])
    review: dict[str, object] = {
        "id": "prv_1",
        "object": "review",
        "open": True,
        "opened_reason": "rule",
        "closed_reason": None,
        "charge": None,
        "payment_intent": payment.provider_reference,
    }
    closed = review | {"open": False, "closed_reason": "approved"}
    events = [("review.opened", review), ("review.closed", closed)]
    for place in order:
        kind, record = events[place]
        world.deliver_and_apply(world._signed_body(kind, record, None))
    assert _hold(payment) == "The payer's bank disputes 25.00 EUR."
    assert cases() == ["DISPUTE", "PAYMENT_REVIEW"]


def _hold(payment: Payment) -> str | None:
    with database.reading() as session:
        return session.get_one(Order, payment.order_id).release_hold
