"""Which call each kind of operation makes at its provider; no transaction is open meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.money import Money, asset
from core.purposes import TRANSACTION_TYPE, Purpose
from core.strictjson import Json
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.seam import Created, NewPayment, Rail, Reading

# Money out is sent by a job of its own, which reads the freezes before each call.
REFUND = "refund"
Call = Callable[[Rail, Operation, Payment], Created | Reading]


def text_of(value: Json) -> str | None:
    """Give a text of an operation's request, or None."""
    return value if isinstance(value, str) else None


def new_payment(operation: Operation, payment: Payment) -> NewPayment:
    """Say what to ask a provider for, from an operation and its payment."""
    said = operation.request
    purpose = Purpose(payment.purpose)
    return NewPayment(
        payment_id=payment.id,
        operation_id=operation.id,
        order_id=payment.order_id or "",
        amount=Money(payment.amount_minor, asset(payment.asset)),
        description=str(said.get("description") or "Payment"),
        manual_capture=said.get("captureMethod") == "manual",
        success_url=text_of(said.get("successUrl")),
        cancel_url=text_of(said.get("cancelUrl")),
        expires_at=payment.expires_at if operation.kind == "create_checkout" else None,
        demo=payment.demo,
        type=TRANSACTION_TYPE.get(purpose),
        customer=text_of(said.get("customer")),
        card=text_of(said.get("card")),
    )


def _create_intent(rail: Rail, operation: Operation, payment: Payment) -> Created:
    return rail.create_intent(new_payment(operation, payment), key=operation.provider_key)


def _create_checkout(rail: Rail, operation: Operation, payment: Payment) -> Created:
    return rail.create_checkout(new_payment(operation, payment), key=operation.provider_key)


def _cancel(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    return rail.cancel(str(payment.provider_reference), key=operation.provider_key)


def _refund(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    said = operation.request
    amount = Money(int(str(said["amountMinor"])), asset(str(said["asset"])))
    metadata = {
        "refund_id": str(said["refundId"]),
        "payment_id": payment.id,
        "operation_id": operation.id,
    }
    if payment.demo:
        metadata["demo"] = "true"
    reference, key = str(payment.provider_reference), operation.provider_key
    return rail.refund(reference, amount, key=key, metadata=metadata)


CALLS: Mapping[str, Call] = {
    "create_intent": _create_intent,
    "create_checkout": _create_checkout,
    "cancel": _cancel,
    "expire": _cancel,
    REFUND: _refund,
}
# They make the payment at its provider: refused, the payment has failed; lost, it is looked for.
CREATES = frozenset({"create_intent", "create_checkout"})


def make(operation: Operation, payment: Payment) -> Created | Reading:
    """Make the provider call of an operation.

    Calls: the provider. Raises: the provider errors.
    """
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    return CALLS[operation.kind](rail, operation, payment)
