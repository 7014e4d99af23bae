"""What is given back through a bank leaves once, whatever answer is lost, and stands where the bank says."""

from __future__ import annotations

import pytest

from core import clock
from core.states import Operation as OperationState
from domain import database
from domain.actors import Actor
from domain.jobs import worker
from domain.payments import operations
from models.operations import Operation
from models.payments import Payment
from models.refunds import Refund
from tests.domain.bank_lives import begin
from tests.domain.refunding import ask, assert_proved, cases, one, send_all
from tests.domain.test_bank_deliveries import Bank, bank
from tests.domain.world import World
from tests.providers.truelayer import bodies
from tests.providers.truelayer.desk import Fault

__all__ = ["bank"]


@pytest.fixture
def paid(world: World, bank: Bank) -> Payment:
    """A payment of 25.00 that has settled."""
    payment = begin(world, world.order())
    bank.becomes(payment, "settled")
    bank.deliver(bank.told("payment_settled", payment))
    worker.work_until_idle()
    return bank.read(payment)


def become(bank: Bank, payment: Payment, status: str, **more: object) -> None:
    """Let the payment's only refund come to something at TrueLayer."""
    [own] = bank.desk.refunds[str(payment.provider_reference)]
    times = {"executed": "executed_at", "failed": "failed_at"}
    own |= {"status": status, times[status]: bodies.at(7)} | more


def hurry(refund: Refund) -> Operation:
    with database.transaction() as session:
        found = session.get_one(Operation, refund.operation_id)
        found.due_at = clock.now()
        return found


def test_a_refund_is_told_as_the_bank_carries_it_out(bank: Bank, paid: Payment, fin: Actor) -> None:
    refund = ask(paid, 1_000, fin)
    send_all()
    assert one(refund).state == "pending"
    assert one(refund).provider_reference == "rf-0"
    become(bank, paid, "executed")
    bank.deliver(bank.told("refund_executed", paid))
    worker.work_until_idle()
    assert one(refund).state == "succeeded"
    assert bank.read(paid).refunded_minor == 1_000
    # In rare cases the payer's bank sends it back afterwards.
    become(bank, paid, "failed", failure_reason="returned")
    bank.deliver(bank.told("refund_failed", paid, failure_reason="returned"))
    worker.work_until_idle()
    assert (one(refund).state, one(refund).failure_reason) == ("failed", "returned")
    assert bank.read(paid).refunded_minor == 0
    assert "REFUND_FAILED" in cases()
    assert_proved()


@pytest.mark.parametrize("status", [None, 500, 503])
def test_answers_that_are_lost_send_the_money_once(
    bank: Bank, paid: Payment, fin: Actor, status: int | None
) -> None:
    lost = [Fault(status, after=True), Fault(status, after=True)]
    bank.desk.fail(f"POST /v3/payments/{paid.provider_reference}/refunds", *lost)
    refund = ask(paid, 1_000, fin)
    send_all()
    assert one(refund).state == "unknown"
    assert hurry(refund).state == OperationState.UNKNOWN
    send_all()
    assert len(bank.desk.refunds[str(paid.provider_reference)]) == 1
    assert (one(refund).state, one(refund).provider_reference) == ("pending", "rf-0")
    sent = [each for each in bank.desk.requests if each.path.endswith("/refunds")]
    keys = {each.headers["idempotency-key"] for each in sent if each.method == "POST"}
    assert len(keys) == 1, "one refund, one key, whatever happened"


def test_one_that_never_arrived_is_asked_for_again_while_its_key_lives(
    bank: Bank, paid: Payment, fin: Actor
) -> None:
    bank.desk.fail(f"POST /v3/payments/{paid.provider_reference}/refunds", Fault(), Fault())
    refund = ask(paid, 1_000, fin)
    send_all()
    assert str(paid.provider_reference) not in bank.desk.refunds
    hurry(refund)
    send_all()
    assert len(bank.desk.refunds[str(paid.provider_reference)]) == 1
    assert one(refund).state == "pending"


def test_an_account_that_holds_too_little_refuses_for_good(
    bank: Bank, paid: Payment, fin: Actor
) -> None:
    bank.desk.fail("POST /v3/payments/", Fault(422, kind="insufficient-funds"))
    refund = ask(paid, 1_000, fin)
    send_all()
    assert (one(refund).state, one(refund).failure_reason) == ("failed", "insufficient-funds")
    with database.reading() as session:
        found = operations.find_by_key(session, f"refund:{refund.id}")
        assert found is None or found.state == OperationState.FAILED
