"""GoCardless' deliveries from the door to the books: verified, each event stored once, asked about, applied."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from core import clock
from core.errors import BadSignature
from core.states import Operation as OperationState
from domain import database
from domain.inbox import receiving
from domain.jobs import janitor, worker
from domain.payments import operations
from domain.secrets import secrets
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.deliveries import LiveSecret, Sent
from providers.seam import Rail
from providers.values import Thing
from tests.domain.bank_lives import begin
from tests.domain.gocardless_lives import Teller
from tests.domain.world import World
from tests.providers.desk_http import Fault
from tests.providers.gocardless import bodies
from tests.providers.gocardless.desk import SECRET, Desk, open_desk

LIVE = LiveSecret("scv_gc", SECRET, "test")


@dataclass
class Bank:
    """GoCardless as a test has it: its desk, and our rail to it."""

    world: World
    desk: Desk
    rail: Rail

    def deliver(self, *events: Thing, secret: str = SECRET) -> receiving.Received:
        body = bodies.batch(*events)
        headers = {"Webhook-Signature": bodies.signed(secret, body)}
        sent = Sent("POST", "/api/webhooks/bank/gocardless", body, headers.get)
        return receiving.receive("gocardless", sent, headers=headers.items())

    def tell(self, payment: Payment, *kinds: str) -> list[Thing]:
        """Write events of a payment, and let GoCardless list them too."""
        tell = Teller(payment)
        events = [each | {"id": f"{each['id']}-{payment.id}"} for each in tell.events(*kinds)]
        self.desk.events += events
        return events

    def read(self, payment: Payment) -> Payment:
        return self.world.read(payment)


@pytest.fixture
def bank(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    def live(provider: str) -> list[LiveSecret]:
        return [LIVE] if provider == "gocardless" else list(real(provider))

    real = secrets.live
    monkeypatch.setattr(secrets, "live", live)
    monkeypatch.setattr("domain.secrets.credential_uses.count", lambda _: None)
    monkeypatch.setitem(registry._built, "gocardless", registry._built["gocardless"])
    with open_desk() as (desk, rail):
        registry._built["gocardless"] = rail
        yield Bank(world, desk, rail)


def rows() -> list[tuple[str, str]]:
    with database.reading() as session:
        found = session.scalars(select(InboundEvent).order_by(InboundEvent.id))
        return [(row.type, row.state) for row in found]


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def begun(bank: Bank) -> Payment:
    return begin(bank.world, bank.world.order(), "gocardless")


def hurry_events() -> None:
    with database.transaction() as session:
        for row in session.scalars(select(InboundEvent)):
            row.due_at = clock.now()


def test_a_payment_is_booked_from_what_the_payment_says_not_from_its_event(bank: Bank) -> None:
    payment = begun(bank)
    assert payment.hosted_url
    bank.desk.pays(str(payment.provider_reference), "submitted")
    bank.deliver(*bank.tell(payment, "billing_requests.fulfilled", "payments.submitted"))
    worker.work_until_idle()
    assert bank.read(payment).status == "processing"
    # Somebody says that it was confirmed; what counts is what the payment itself says.
    bank.deliver(*bank.tell(payment, "payments.confirmed"))
    worker.work_until_idle()
    assert bank.read(payment).received_minor == 0
    bank.desk.pays(str(payment.provider_reference))
    bank.deliver(*bank.tell(payment, "payments.paid_out"))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.received_minor) == ("completed", payment.amount_minor)


def test_a_batch_of_two_hundred_and_fifty_is_stored_once_however_it_comes_again(bank: Bank) -> None:
    chance = random.Random(5)
    payments = [begun(bank) for _ in range(5)]
    for payment in payments:
        bank.desk.pays(str(payment.provider_reference))
    events = [
        event
        for payment in payments
        for event in bank.tell(payment, "billing_requests.fulfilled", "payments.confirmed")
    ]
    events += [bodies.event("mandates.active", id=f"EVM{n}") for n in range(230)]
    batch = [*events, *events[:10]]
    assert len(batch) == 250
    for number in range(4):
        chance.shuffle(batch)
        received = bank.deliver(*batch)
        assert received.is_duplicate == (number > 0)
    assert len(rows()) == 240
    worker.work_until_idle()
    hurry_events()
    worker.work_until_idle()
    for payment in payments:
        now = bank.read(payment)
        assert (now.status, now.received_minor) == ("completed", payment.amount_minor)
    assert cases() == []


def test_one_bad_event_is_set_aside_and_the_rest_of_its_batch_counts(bank: Bank) -> None:
    payment = begun(bank)
    bank.desk.pays(str(payment.provider_reference))
    good = bank.tell(payment, "billing_requests.fulfilled", "payments.confirmed")
    bank.deliver(good[0], {"hello": "there"}, good[1])
    worker.work_until_idle()
    assert bank.read(payment).status == "completed"
    assert sorted(state for _, state in rows()) == ["processed", "processed", "quarantined"]


def test_a_payments_event_waits_until_its_request_has_named_it(bank: Bank) -> None:
    payment = begun(bank)
    name = str(payment.provider_reference)
    bank.desk.pays(name)
    bank.deliver(*bank.tell(payment, "payments.confirmed"))
    worker.work_until_idle()
    assert [state for _, state in rows()] == ["unmatched"]
    bank.deliver(*bank.tell(payment, "billing_requests.fulfilled"))
    worker.work_until_idle()
    assert bank.read(payment).status == "completed"
    assert cases() == []


def test_a_payment_that_copies_our_id_is_credited_to_nobody(bank: Bank) -> None:
    payment = begun(bank)
    other = "PM999"
    bank.desk.payments[other] = bodies.payment(
        "confirmed", other, metadata={"payment_id": payment.id}
    )
    [said] = bank.tell(payment, "payments.confirmed")
    bank.deliver(said | {"links": {"payment": other}})
    worker.work_until_idle()
    assert bank.read(payment).received_minor == 0
    assert [state for _, state in rows()] == ["unmatched"]


def test_what_they_did_not_sign_is_not_stored(bank: Bank) -> None:
    payment = begun(bank)
    for secret in ("a-secret-of-somebody-else", ""):
        with pytest.raises(BadSignature):
            bank.deliver(*bank.tell(payment, "payments.confirmed"), secret=secret)
    assert rows() == []


def test_an_empty_batch_is_acknowledged_and_one_that_is_none_is_set_aside(bank: Bank) -> None:
    assert list(bank.deliver().inbound_ids) == []
    body = b'{"hello": "there"}'
    headers = {"Webhook-Signature": bodies.signed(SECRET, body)}
    sent = Sent("POST", "/api/webhooks/bank/gocardless", body, headers.get)
    receiving.receive("gocardless", sent, headers=headers.items())
    assert [state for _, state in rows()] == ["quarantined"]


def operation_of(payment: Payment) -> Operation:
    with database.reading() as session:
        found = operations.find_by_key(session, f"create:{payment.id}")
    assert found is not None
    return found


def finish(operation: Operation) -> None:
    with database.transaction() as session:
        session.get_one(Operation, operation.id).due_at = clock.now()
    assert janitor.finish_operation()


@pytest.mark.parametrize("call", ["POST /billing_requests", "POST /billing_request_flows"])
@pytest.mark.parametrize("is_done", [True, False])
def test_answers_lost_at_either_call_are_gone_on_with_and_make_one_page(
    bank: Bank, call: str, is_done: bool
) -> None:
    bank.desk.fail(call, Fault(after=is_done), Fault(after=is_done))
    payment = begun(bank)
    assert operation_of(payment).state == OperationState.UNKNOWN
    assert bank.read(payment).sub_state == "unknown_outcome"
    finish(operation_of(payment))
    now = bank.read(payment)
    assert (now.provider_reference, now.status) == ("BRQ000", "pending")
    assert now.hosted_url
    assert len(bank.desk.billing_requests) == 1


def test_what_was_lost_and_paid_meanwhile_is_found_without_a_second_request(bank: Bank) -> None:
    bank.desk.fail("POST /billing_request_flows", Fault(), Fault())
    payment = begun(bank)
    bank.desk.pays("BRQ000")
    finish(operation_of(payment))
    now = bank.read(payment)
    assert (now.provider_reference, now.status) == ("BRQ000", "processing")
    assert len(bank.desk.billing_requests) == 1


def test_a_creation_that_never_arrived_is_ended_only_after_absence_was_seen_twice(
    bank: Bank,
) -> None:
    bank.desk.fail("POST /billing_requests", Fault(), Fault())
    payment = begun(bank)
    with database.transaction() as session:
        row = session.get_one(Operation, operation_of(payment).id)
        row.created_at = clock.after(-bank.rail.key_lifetime_seconds - 1)
    finish(operation_of(payment))
    assert bank.read(payment).status == "pending"
    finish(operation_of(payment))
    assert bank.read(payment).status == "failed"
    assert not bank.desk.billing_requests


def test_one_that_fails_after_it_was_good_is_booked_back_with_a_case(bank: Bank) -> None:
    payment = begun(bank)
    name = str(payment.provider_reference)
    bank.desk.pays(name)
    bank.deliver(*bank.tell(payment, "billing_requests.fulfilled", "payments.confirmed"))
    worker.work_until_idle()
    assert bank.read(payment).status == "completed"
    bank.desk.pays(name, "failed")
    bank.deliver(*bank.tell(payment, "payments.failed", "payments.late_failure_settled"))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.failure_reason) == ("failed", "late_failure")
    assert now.reversed_minor == payment.amount_minor
    assert cases() == ["LATE_FAILURE"]


def test_a_denial_leaves_the_payment_open_with_words_for_its_payer(bank: Bank) -> None:
    payment = begun(bank)
    bank.deliver(*bank.tell(payment, "billing_requests.bank_authorisation_denied"))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.sub_state) == ("pending", "requires_payment_method")
    assert now.provider_code == "billing_request_bank_authorisation_denied"
