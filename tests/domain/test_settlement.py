"""A fact moves its payment, order and books once, whatever comes twice, late, early or wrong."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import Conflict, IllegalTransition, NotFound
from domain import database, events, sequencer
from domain.books import ledger, verification
from domain.inbox import inbox
from domain.jobs import worker
from domain.orders import orders
from domain.payments import settlement
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment, ProviderReference, StateChange
from tests.domain.world import World


def count(model: type, *conditions: object) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def test_success_completes_the_payment_pays_the_deposit_and_posts_it(world: World) -> None:
    order = world.order()
    _, payment = world.begin(order)
    event = world.deliver_and_apply(world.paid(payment))
    assert (event.state, event.verdict) == ("processed", "payment pending → completed")
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.received_minor) == ("completed", "funded", 2500)
    with database.reading() as session:
        paid = session.get_one(Order, order.id)
        assert (paid.status, paid.request_status, paid.paid_minor) == (
            "deposit_paid",
            "processing",
            2500,
        )
        hold = f"order:{order.id}:escrow_hold"
        assert ledger.balance(session, hold, "EUR/2") == -2500
        assert ledger.balance(session, "provider:stripe:clearing", "EUR/2") == 2500
        assert ledger.balance(session, "buyer:usr_bo:funds", "EUR/2") == 0
        entry = session.scalars(select(JournalEntry)).one()
        assert (entry.order_id, entry.payment_id) == (order.id, payment.id)
        assert entry.provider_reference == payment.provider_reference
    assert verification.verify().ok


def test_the_balance_brings_the_order_to_paid(world: World) -> None:
    order = world.order()
    world.deliver_and_apply(world.paid(world.begin(order)[1]))
    _, balance = world.begin(order, "balance")
    assert balance.amount_minor == 10_000
    world.deliver_and_apply(world.paid(balance))
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "paid"
    with pytest.raises(Conflict) as refused:
        world.begin(order, "balance")
    assert refused.value.code == "ORDER_ALREADY_PAID"
    assert verification.verify().ok


def test_a_second_event_about_the_same_fact_has_no_effect_and_opens_a_case(world: World) -> None:
    payment = world.payment()
    at = clock.unix()
    world.deliver_and_apply(world.paid(payment, at=at))
    second = world.deliver_and_apply(world.paid(payment, at=at))
    assert second.state == "no_effect"
    assert second.verdict is not None and second.verdict.startswith("already applied by inbound:")
    assert count(JournalEntry) == 1
    assert cases() == ["DUPLICATE_CONFLICT"]


def test_a_redelivery_is_counted_and_is_no_exception(world: World) -> None:
    payment = world.payment()
    body = world.paid(payment)
    first = world.deliver(body)
    again = world.deliver(body.replace(b'"pending_webhooks": 1', b'"pending_webhooks": 0'))
    assert (first.is_duplicate, again.is_duplicate) == (False, True)
    world.deliver(body)
    worker.work_until_idle()
    with database.reading() as session:
        stored = session.scalars(select(InboundEvent)).one()
        assert (stored.duplicates, stored.state) == (2, "processed")
    assert cases() == []


def test_a_changed_body_under_the_same_id_opens_a_case(world: World) -> None:
    payment = world.payment()
    body = world.paid(payment)
    world.deliver(body)
    world.deliver(body.replace(b'"amount_received": 2500', b'"amount_received": 9900'))
    assert cases() == ["DUPLICATE_CONFLICT"]
    assert world.read(payment).status == "pending"


def bodies(world: World, payment: Payment) -> list[bytes]:
    at = clock.unix() - 100
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "charge": "ch_1"}
    return [
        world.event("payment_intent.created", payment, at=at),
        world.event("payment_intent.requires_action", payment, at=at + 5),
        world.event("payment_intent.payment_failed", payment, at=at + 9, last_payment_error=error),
        world.paid(payment, at=at + 20),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::4])
def test_every_order_of_arrival_ends_completed_and_posted_once(
    world: World, order: tuple[int, ...]
) -> None:
    payment = world.payment()
    written = bodies(world, payment)
    for place in order:
        world.deliver_and_apply(written[place])
    now = world.read(payment)
    assert (now.status, now.sub_state, now.received_minor) == ("completed", "none", 2500)
    assert count(JournalEntry) == 1
    assert verification.verify().ok


def test_a_declined_card_leaves_the_payment_open_for_another(world: World) -> None:
    payment = world.payment()
    error = {"code": "card_declined", "decline_code": "generic_decline", "charge": "ch_1"}
    body = world.event("payment_intent.payment_failed", payment, last_payment_error=error)
    world.deliver_and_apply(body)
    now = world.read(payment)
    assert (now.status, now.provider_code) == ("pending", "generic_decline")
    with database.reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.type == "payment.failed")).one()
        assert told.body["stripeCode"] == "generic_decline" and told.body["retryable"] is True


def test_money_for_a_cancelled_payment_is_booked_apart_and_never_revives_it(world: World) -> None:
    order = world.order()
    _, payment = world.begin(order)
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    assert world.read(payment).status == "cancelled"
    world.deliver_and_apply(world.paid(payment))
    now = world.read(payment)
    assert (now.status, now.received_minor) == ("cancelled", 2500)
    assert cases() == ["PAID_LATE"]
    with database.reading() as session:
        assert ledger.balance(session, f"payment:{payment.id}:unapplied", "EUR/2") == -2500
        assert session.get_one(Order, order.id).status == "awaiting_deposit"
    assert verification.verify().ok


@pytest.mark.parametrize(("received", "kind"), [(2600, "OVERPAID"), (2400, "UNDERPAID")])
def test_another_amount_than_asked_is_booked_and_shown(
    world: World, received: int, kind: str
) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment, received))
    assert world.read(payment).received_minor == received
    assert cases() == [kind]
    assert verification.verify().ok


def test_another_currency_moves_nothing(world: World) -> None:
    payment = world.payment()
    body = world.paid(payment).replace(b'"currency": "eur"', b'"currency": "usd"')
    world.deliver_and_apply(body)
    assert world.read(payment).status == "pending"
    assert cases() == ["RECON_DIFFERENCE"]
    # Nor is it remembered: what is told later in the right one is all that counts.
    world.deliver_and_apply(world.paid(payment))
    assert world.read(payment).received_minor == payment.amount_minor
    assert verification.verify().ok


def test_an_event_before_our_call_returned_finds_its_payment_by_our_id(world: World) -> None:
    payment = world.payment()
    with database.transaction() as session:
        row = session.get_one(Payment, payment.id)
        reference, row.provider_reference = row.provider_reference, None
        session.delete(session.get_one(ProviderReference, ("stripe", str(reference))))
        session.flush()
    payment.provider_reference = reference
    assert world.deliver_and_apply(world.paid(payment)).state == "processed"
    assert world.read(payment).provider_reference == reference


def test_our_id_in_a_foreign_intents_metadata_is_not_believed(world: World) -> None:
    payment = world.payment()
    foreign = world.payment()
    record = world.rail.intents[str(foreign.provider_reference)]
    record["id"], record["metadata"] = "pi_forged", {"payment_id": payment.id}
    event = world.deliver_and_apply(world.paid(foreign))
    assert event.state == "unmatched"
    assert world.read(payment).status == "pending"


def test_an_unknown_object_is_parked_and_matched_once_it_is_known(world: World) -> None:
    order = world.order()
    world.rail.intents["pi_early"] = {"id": "pi_early", "currency": "eur", "metadata": {}}
    ghost = Payment(id="pay_none", provider_reference="pi_early", amount_minor=2500)
    event = world.deliver_and_apply(world.paid(ghost))
    assert event.state == "unmatched"
    _, payment = world.begin(order)
    with database.transaction() as session:
        row = session.get_one(Payment, payment.id)
        settlement.link_reference(session, row, "stripe", "pi_early", "intent")
        inbox.rematch(session, ["pi_early"])
    assert worker.work_until_idle() == 1
    assert world.read(payment).status == "completed"


def test_states_have_their_history_and_events_their_place(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    while sequencer.number_events(ring=False):
        pass
    with database.reading() as session:
        told = events.list_after(session, 0)
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        kinds = [event.type for event in told if not event.type.startswith("inbound.")]
        assert kinds == [
            "order.created",
            "invoice.opened",
            "payment.created",
            "invoice.pending_payment",
            "payment.succeeded",
            "order.deposit_paid",
            "invoice.confirmed",
        ]
        own = events.list_after(session, 0, actor=world.bo)
        assert [event.type for event in own] == kinds
        assert events.list_after(session, 0, actor=world.eve) == []
    assert (
        count(
            StateChange, StateChange.payment_id == payment.id, StateChange.object_kind == "payment"
        )
        == 1
    )


def test_a_foreign_order_is_as_good_as_none(world: World) -> None:
    order = world.order()
    with database.reading() as session, pytest.raises(NotFound):
        orders.get_order(session, order.id, actor=world.eve)


def test_an_order_with_money_cannot_be_cancelled(world: World) -> None:
    order = world.order()
    world.deliver_and_apply(world.paid(world.begin(order)[1]))
    with database.transaction() as session, pytest.raises(IllegalTransition):
        orders.cancel_order(session, order.id, actor=world.bo, reason="changed my mind", source="t")


def test_postings_always_sum_to_nothing(world: World) -> None:
    for _ in range(3):
        world.deliver_and_apply(world.paid(world.payment()))
    with database.reading() as session:
        assert session.scalar(select(func.sum(Posting.amount_minor))) == 0
