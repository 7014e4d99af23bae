"""TrueLayer's deliveries from the door to the books: verified, stored once, asked about, applied, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from core import clock
from core.errors import BadSignature
from core.states import Operation as OperationState
from domain import database
from domain.actors import system
from domain.inbox import receiving
from domain.jobs import janitor, worker
from domain.payments import asking, operations
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.seam import Rail
from tests.domain.bank_lives import begin
from tests.domain.world import World
from tests.providers.truelayer import bodies
from tests.providers.truelayer.desk import Desk, Fault, open_desk
from tests.providers.truelayer.forging import Forger, Key, key_set, stamp


@dataclass
class Bank:
    """TrueLayer as a test has it: its desk, our rail to it, and the key it signs with."""

    world: World
    desk: Desk
    rail: Rail
    key: Key = field(default_factory=lambda: Key("theirs-1"))

    def deliver(self, said: dict[str, object], key: Key | None = None) -> receiving.Received:
        forger = Forger(
            key or self.key,
            header={"jku": f"{self.rail.hosts[0]}/.well-known/jwks"},
            headers={"X-Tl-Webhook-Timestamp": stamp(clock.unix())},
            body=bodies.written(said),
        )
        return receiving.receive("truelayer", forger.sent(), headers=forger.headers.items())

    def becomes(self, payment: Payment, status: str, **more: object) -> None:
        """Let a payment come to something at TrueLayer, without a word."""
        name = str(payment.provider_reference or next(iter(self.desk.payments)))
        kept = {
            each: self.desk.payments[name][each]
            for each in ("amount_in_minor", "currency", "metadata")
        }
        self.desk.payments[name] = bodies.payment(status, name, **(kept | more))

    def told(self, kind: str, payment: Payment, **more: object) -> dict[str, object]:
        tags = {"payment_id": payment.id}
        name = str(payment.provider_reference or next(iter(self.desk.payments)))
        return bodies.event(kind, name, metadata=tags, **more)

    def read(self, payment: Payment) -> Payment:
        return self.world.read(payment)


@pytest.fixture
def bank(world: World) -> Iterator[Bank]:
    with open_desk() as (desk, rail):
        registry._built["truelayer"] = rail
        found = Bank(world, desk, rail)
        desk.key_set = key_set(found.key)
        yield found


def rows() -> list[tuple[str, str]]:
    with database.reading() as session:
        found = session.scalars(select(InboundEvent).order_by(InboundEvent.id))
        return [(row.type, row.state) for row in found]


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def test_a_payment_is_booked_from_what_its_bank_says_not_from_its_event(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    assert payment.hosted_url
    bank.deliver(bank.told("payment_executed", payment))
    worker.work_until_idle()
    assert bank.read(payment).status == "processing"
    # Somebody says that it settled; what counts is what the payment itself says.
    bank.becomes(payment, "executed")
    bank.deliver(bank.told("payment_settled", payment))
    worker.work_until_idle()
    assert bank.read(payment).received_minor == 0
    bank.becomes(payment, "settled")
    bank.deliver(bank.told("payment_settled", payment, event_id="again"))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.received_minor) == ("completed", payment.amount_minor)
    assert {state for _, state in rows()} <= {"processed", "no_effect"}


def test_the_same_event_is_stored_once_however_often_it_comes(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    said = bank.told("payment_executed", payment)
    first = bank.deliver(said)
    assert not first.is_duplicate
    assert all(bank.deliver(said).is_duplicate for _ in range(5))
    assert len(rows()) == 1
    with database.reading() as session:
        row = session.get_one(InboundEvent, first.inbound_id)
        assert (row.provider, row.mode, row.secret_version_id) == ("truelayer", "test", None)
        assert row.signature_scheme == "truelayer_es512"


def test_what_they_did_not_sign_is_not_stored(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    for key in (Key("eve"), Key(bank.key.kid)):
        with pytest.raises(BadSignature):
            bank.deliver(bank.told("payment_settled", payment), key)
    assert rows() == []


def test_a_signed_body_that_is_no_event_is_set_aside_and_acknowledged(bank: Bank) -> None:
    bank.deliver({"hello": "there"})
    bank.deliver(bodies.event("payment_executed") | {"payment_id": None})
    worker.work_until_idle()
    assert [state for _, state in rows()] == ["quarantined", "quarantined"]


def test_types_without_effect_are_acknowledged_and_shown_as_ignored(bank: Bank) -> None:
    for kind in ("payment_link_disabled", "mandate_revoked", "of_next_year", "payout_executed"):
        bank.deliver({"type": kind, "event_version": 1, "event_id": kind, "payout_id": "po"})
    worker.work_until_idle()
    assert {state for _, state in rows()} == {"ignored"}


def test_their_keys_rotate_in_mid_stream_and_no_delivery_is_lost(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    bank.deliver(bank.told("payment_authorized", payment))
    old, new = bank.key, Key("theirs-2")
    bank.desk.key_set = key_set(old, new)
    # The minute's one fetch has been made; what comes within it is sent again later.
    with pytest.raises(BadSignature):
        bank.deliver(bank.told("payment_executed", payment), new)
    sets = bank.rail.key_sets  # type: ignore[attr-defined]
    for known in sets._sets.values():
        known.tried_at -= 61
    bank.deliver(bank.told("payment_executed", payment), new)
    bank.deliver(bank.told("payment_creditable", payment), old)
    assert len(rows()) == 3


def start(bank: Bank) -> tuple[Operation, Payment]:
    """Begin a payment whose creation is lost twice."""
    bank.desk.fail("POST /v3/payments", Fault(after=True), Fault(after=True))
    payment = begin(bank.world, bank.world.order())
    with database.reading() as session:
        operation = operations.find_by_key(session, f"create:{payment.id}")
        assert operation is not None
        return operation, payment


def hurry(operation: Operation) -> None:
    with database.transaction() as session:
        session.get_one(Operation, operation.id).due_at = clock.now()


def test_a_lost_creation_is_unknown_and_found_by_the_same_call(bank: Bank) -> None:
    operation, payment = start(bank)
    assert operation.state == OperationState.UNKNOWN
    assert bank.read(payment).sub_state == "unknown_outcome"
    hurry(operation)
    assert janitor.finish_operation()
    now = bank.read(payment)
    assert (now.provider_reference, now.status) == ("pm-0", "pending")
    assert now.hosted_url
    assert len(bank.desk.payments) == 1


def test_a_lost_creation_is_never_made_anew_once_its_key_may_be_forgotten(bank: Bank) -> None:
    operation, payment = start(bank)
    bank.desk.keys.clear()
    with database.transaction() as session:
        row = session.get_one(Operation, operation.id)
        row.created_at = clock.after(-bank.rail.key_lifetime_seconds - 1)
    for _ in range(janitor.UNKNOWN_CASE_ATTEMPTS):
        hurry(operation)
        assert janitor.finish_operation()
    assert len(bank.desk.payments) == 1, "nothing was made anew"
    assert bank.read(payment).status == "pending", "and nothing was concluded from silence"
    assert cases() == ["UNKNOWN_OUTCOME"]
    # Nobody has the token to pay it with, so it lapses there; its event names us and ends it here.
    lapsed = {"failure_stage": "authorization_required", "failure_reason": "expired"}
    bank.becomes(payment, "failed", **lapsed)
    bank.deliver(bank.told("payment_failed", payment, **lapsed))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.failure_reason, now.provider_reference) == ("failed", "expired", "pm-0")


def test_an_event_that_overtakes_the_answer_to_our_own_call_finds_its_payment(bank: Bank) -> None:
    operation, payment = start(bank)
    bank.becomes(payment, "settled")
    bank.deliver(bank.told("payment_settled", payment))
    worker.work_until_idle()
    assert bank.read(payment).status == "completed"
    hurry(operation)
    janitor.finish_operation()
    now = bank.read(payment)
    assert (now.status, now.received_minor) == ("completed", payment.amount_minor)
    assert len(bank.desk.payments) == 1


def test_what_no_event_told_is_asked_for(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    for status, stands in (
        ("authorizing", "pending"),
        ("executed", "processing"),
        ("settled", "completed"),
    ):
        bank.becomes(payment, status)
        asking.ask(payment.id, actor=system("test"), source="test")
        assert bank.read(payment).status == stands


def test_a_refusal_fails_the_payment_with_their_code(bank: Bank) -> None:
    bank.desk.fail("POST /v3/payments", Fault(400, kind="invalid-parameters"))
    payment = begin(bank.world, bank.world.order())
    now = bank.read(payment)
    assert (now.status, now.provider_code) == ("failed", "invalid-parameters")


def test_a_provider_that_is_busy_is_asked_again_when_it_said(bank: Bank) -> None:
    bank.desk.fail("POST /v3/payments", Fault(429, retry_after="600"))
    payment = begin(bank.world, bank.world.order())
    assert bank.read(payment).status == "pending"
    with database.reading() as session:
        operation = operations.find_by_key(session, f"create:{payment.id}")
    assert operation is not None
    assert operation.due_at is not None
    assert operation.due_at > clock.after(590), "as long as it was asked to wait"
    hurry(operation)
    assert janitor.finish_operation()
    assert bank.read(payment).provider_reference == "pm-0"


def test_one_that_was_taken_back_after_it_had_settled_is_booked_back(bank: Bank) -> None:
    payment = begin(bank.world, bank.world.order())
    bank.becomes(payment, "settled")
    bank.deliver(bank.told("payment_reversed", payment))
    bank.deliver(bank.told("payment_settled", payment))
    worker.work_until_idle()
    now = bank.read(payment)
    assert (now.status, now.failure_reason) == ("failed", "late_failure")
    assert now.reversed_minor == payment.amount_minor
    assert "LATE_FAILURE" in cases()
