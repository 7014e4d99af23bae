"""Which call each kind of operation makes at its provider; no transaction is open meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core import clock
from core.money import Money, asset
from core.purposes import TRANSACTION_TYPE, Purpose
from core.strictjson import Json
from domain.disputes import dispute_calls
from domain.payments import kept_cards, letting_go, payers
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.coupon_seam import NewCoupon
from providers.new_payment import Created, NewPayment
from providers.said import Reading
from providers.seam import Rail

# Money out is sent by a job of its own, which reads the freezes before each call.
REFUND = "refund"
APPLY_COUPON = "apply_coupon"
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


def key_lives(rail: Rail, operation: Operation) -> bool:
    """Tell whether the provider still knows the key of an operation's calls."""
    return (clock.now() - operation.created_at).total_seconds() < rail.key_lifetime_seconds


def _create_intent(rail: Rail, operation: Operation, payment: Payment) -> Created:
    return rail.create_intent(new_payment(operation, payment), key=operation.provider_key)


def _create_link(rail: Rail, operation: Operation, payment: Payment) -> Created:
    new = replace(
        new_payment(operation, payment),
        return_url=text_of(operation.request.get("providerReturn")),
        bank_reference=payment.bank_reference,
        payer=payers.of(payment) if rail.names_payer else None,
    )
    return rail.create_link(new, key=operation.provider_key)


def _create_checkout(rail: Rail, operation: Operation, payment: Payment) -> Created:
    return rail.create_checkout(new_payment(operation, payment), key=operation.provider_key)


def _customer(operation: Operation, payment: Payment) -> str:
    """Name the payer as the provider knows them; from now on it does."""
    attempt = kept_cards.Attempt(operation.attempts, operation.created_at)
    person, mode = str(payment.buyer_id), payment.livemode
    return kept_cards.ensure_customer(
        person, payment.provider, livemode=mode, demo=payment.demo, attempt=attempt
    )


def _create_setup(rail: Rail, operation: Operation, payment: Payment) -> Created:
    new = replace(new_payment(operation, payment), customer=_customer(operation, payment))
    return rail.create_setup(new, key=operation.provider_key)


def _cancel(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    return rail.cancel(str(payment.provider_reference), key=operation.provider_key)


def _capture(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    said = operation.request
    amount = Money(int(str(said["amountMinor"])), asset(str(said["asset"])))
    return rail.capture(str(payment.provider_reference), amount, key=operation.provider_key)


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


def _apply_coupon(rail: Rail, operation: Operation, payment: Payment) -> Created:
    """Spend a coupon on its person, whom the provider comes to know by this if it does not yet."""
    said, customer = operation.request, _customer(operation, payment)
    is_first = operation.fence == 1 and not operation.attempts
    new = NewCoupon(
        replace(new_payment(operation, payment), customer=customer),
        coupon_id=str(said["coupon"]),
        promotion=text_of(said.get("promotion")),
        look_since=None if is_first else operation.created_at,
        may_make=key_lives(rail, operation),
    )
    return rail.apply_coupon(new, key=operation.provider_key)


CALLS: Mapping[str, Call] = {
    "create_intent": _create_intent,
    "create_checkout": _create_checkout,
    "create_link": _create_link,
    "create_setup": _create_setup,
    APPLY_COUPON: _apply_coupon,
    "cancel": _cancel,
    letting_go.KIND: letting_go.call,
    "expire": _cancel,
    "capture": _capture,
    REFUND: _refund,
    dispute_calls.EVIDENCE: dispute_calls.submit_evidence,
    dispute_calls.CLOSE: dispute_calls.close,
}
OF_DISPUTES = frozenset({dispute_calls.EVIDENCE, dispute_calls.CLOSE})
# They make the payment at its provider: refused, the payment has failed; lost, it is looked for.
CREATES = frozenset(
    {"create_intent", "create_setup", "create_checkout", "create_link", APPLY_COUPON}
)
# They take several calls, and themselves go on with whatever of them was done.
RESUMES = frozenset({APPLY_COUPON})


def make(operation: Operation, payment: Payment) -> Created | Reading:
    """Make the provider call of an operation.

    Calls: the provider. Raises: the provider errors.
    """
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    return CALLS[operation.kind](rail, operation, payment)
