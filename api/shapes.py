"""Orders and payments as the API shows them: the records that document them and what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from api.contract import MoneyOut, Out, money_out
from core import clock
from core.money import Asset, Money, asset, zero
from core.states import ESCROW_ON_API, ORDER_ON_API, Escrow, Lifecycle
from core.states import Order as OrderStatus
from core.states import Payment as PaymentStatus
from core.states import lifecycle as lifecycle_of
from domain.delays.eta import Eta
from models.operations import Operation
from models.orders import Milestone, Order
from models.payments import Payment
from web import identity

OrderWord = Literal[
    "AwaitingDeposit", "DepositPaid", "Paid", "Completed", "Refunded", "Cancelled", "Expired"
]
RequestWord = Literal["open", "payment", "processing", "seller_paid", "refunded", "cancelled"]
PaymentWord = Literal[
    "pending", "processing", "completed", "failed", "cancelled", "released", "refunded"
]
LifecycleWord = Literal[
    "Pending", "Paid", "Confirmed", "Expired", "Failed", "Cancelled", "Released", "Refunded"
]
EscrowWord = Literal["unfunded", "funded", "released", "refunded"]
_GRANTED = (OrderStatus.DEPOSIT_PAID, OrderStatus.PAID, OrderStatus.COMPLETED)


class MilestoneOut(Out):
    """One part of an order's work with its share of the money."""

    milestone_id: str
    title: str
    amount: MoneyOut
    status: str
    released: MoneyOut


class OfferOut(Out):
    """What a seller offers for an order."""

    seller_offer_id: str
    order_id: str
    seller_id: str
    amount: MoneyOut
    note: str | None
    status: Literal["open", "accepted", "rejected"]
    created_at: str


class OrderOut(Out):
    """An order: the marketplace's purchase request; `orderId` is its `purchaseRequestId`."""

    order_id: str
    status: OrderWord
    request_status: RequestWord
    description: str
    total: MoneyOut
    deposit: MoneyOut | None
    paid: MoneyOut
    outstanding: MoneyOut
    buyer_id: str | None
    seller_id: str | None
    merchant_id: str
    milestones: list[MilestoneOut]
    offers: list[OfferOut]
    payment_ids: list[str]
    invoice_id: str | None
    deposit_due_at: str | None
    subscription_ref: str | None
    subscription_period: str | None
    entitlement: Literal["none", "granted", "revoked"]
    release_hold: str | None
    reference: str | None
    metadata: dict[str, Any]
    livemode: bool
    demo: bool
    created_at: str
    updated_at: str


class ProviderOut(Out):
    """Where support finds the same fact at the provider."""

    reference: str | None
    code: str | None


class PaymentErrorOut(Out):
    """Why the last attempt to pay failed, in words for a person and the provider's code."""

    code: str
    message: str
    provider: ProviderOut


class ConfirmationsOut(Out):
    """How deep a transaction lies in its chain."""

    have: int
    need: int


class EtaOut(Out):
    """When the money is expected, in words and as an instant."""

    text: str
    at: str | None


class PaymentOut(Out):
    """One amount, one rail, one life. `clientSecret` and `publishableKey` are for the payer only."""

    payment_id: str
    order_id: str | None
    purpose: str
    status: PaymentWord
    lifecycle: LifecycleWord
    escrow_state: EscrowWord
    exceptions: list[str]
    amount: MoneyOut
    amount_received: MoneyOut
    amount_capturable: MoneyOut
    amount_refunded: MoneyOut
    rail: str
    provider: str
    provider_reference: str | None
    direction: Literal["in", "out"]
    failure_reason: str | None
    error: PaymentErrorOut | None
    confirmations: ConfirmationsOut | None
    eta: EtaOut | None
    supersedes: str | None
    superseded_by: str | None
    pay_url: str
    expires_at: str | None
    buyer_id: str | None
    seller_id: str | None
    merchant_id: str
    invoice_id: str | None
    subscription_ref: str | None
    reference: str | None
    metadata: dict[str, Any]
    mapping_version: int
    sequence: int
    livemode: bool
    demo: bool
    created_at: str
    updated_at: str
    client_secret: str | None = None
    publishable_key: str | None = None


class UnknownOut(Out):
    """The provider's outcome is not known; ask for the operation, never repeat under a new key."""

    operation_id: str
    status: Literal["unknown"]
    payment_id: str
    order_id: str | None


def amount(minor: int, of: Asset) -> dict[str, Any]:
    """Write minor units of an asset."""
    return dict(money_out(Money(minor, of)))


def pay_url(payment: Payment, *, public_url: str | None = None) -> str:
    """Give the address of a payment's own pay page."""
    return f"{public_url or identity.settings().public_url}/pay/{payment.public_id}"


def _entitlement(order: Order) -> str:
    if order.subscription_ref is not None:
        return order.entitlement or "none"
    if order.status in _GRANTED:
        return "granted"
    return "revoked" if order.status == OrderStatus.REFUNDED else "none"


def _milestone(row: Milestone, of: Asset) -> dict[str, Any]:
    return {
        "milestoneId": row.id,
        "title": row.title,
        "amount": amount(row.amount_minor, of),
        "status": row.status,
        "released": amount(row.released_minor, of),
    }


def order(
    row: Order, *, milestones: Sequence[Milestone] = (), payment_ids: Sequence[str] = ()
) -> dict[str, Any]:
    """Write an order with its milestones and the ids of its payments."""
    of = asset(row.asset)
    outstanding = max(0, row.total_minor - row.paid_minor)
    return {
        "orderId": row.id,
        "status": ORDER_ON_API[OrderStatus(row.status)],
        "requestStatus": row.request_status,
        "description": row.description,
        "total": amount(row.total_minor, of),
        "deposit": None if row.deposit_minor is None else amount(row.deposit_minor, of),
        "paid": amount(row.paid_minor, of),
        "outstanding": amount(outstanding, of),
        "buyerId": row.buyer_id,
        "sellerId": row.seller_id,
        "merchantId": row.merchant_id,
        "milestones": [_milestone(each, of) for each in milestones],
        "offers": [],
        "paymentIds": list(payment_ids),
        "invoiceId": row.invoice_id,
        "depositDueAt": clock.rfc3339(row.deposit_due_at),
        "subscriptionRef": row.subscription_ref,
        "subscriptionPeriod": row.subscription_period,
        "entitlement": _entitlement(row),
        "releaseHold": row.release_hold,
        "reference": row.reference,
        "metadata": row.meta,
        "livemode": row.livemode,
        "demo": row.demo,
        "createdAt": clock.rfc3339(row.created_at),
        "updatedAt": clock.rfc3339(row.updated_at),
    }


def lifecycle(row: Payment) -> Lifecycle:
    """Derive source 004's word for a payment."""
    return lifecycle_of(row.status, row.failure_reason)


def _error(row: Payment) -> dict[str, Any] | None:
    """Say why the last attempt failed: the payment itself, or the card while it is still open."""
    is_declined = row.status == PaymentStatus.FAILED and row.failure_reason != "expired"
    if not is_declined and (row.status != PaymentStatus.PENDING or row.provider_code is None):
        return None
    return {
        "code": "PAYMENT_FAILED",
        "message": row.provider_message or "The payment did not go through.",
        "provider": {"reference": row.provider_reference, "code": row.provider_code},
    }


def payment(
    row: Payment,
    *,
    exceptions: Sequence[str] = (),
    public_url: str | None = None,
    expected: Eta | None = None,
) -> dict[str, Any]:
    """Write a payment; public_url is needed outside a request, as in a stream. expected: when it is final."""
    of = asset(row.asset)
    return {
        "paymentId": row.id,
        "orderId": row.order_id,
        "purpose": row.purpose,
        "status": row.status,
        "lifecycle": lifecycle(row).value,
        "escrowState": ESCROW_ON_API[Escrow(row.escrow_state)],
        "exceptions": list(exceptions),
        "amount": amount(row.amount_minor, of),
        "amountReceived": amount(row.received_minor, of),
        "amountCapturable": amount(row.capturable_minor, of),
        "amountRefunded": amount(row.refunded_minor, of),
        "rail": row.rail,
        "provider": row.provider,
        "providerReference": row.provider_reference,
        "direction": row.direction,
        "failureReason": row.failure_reason,
        "error": _error(row),
        "confirmations": None,
        "eta": expected.wire() if expected else None,
        "supersedes": row.supersedes_id,
        "supersededBy": row.superseded_by_id,
        "payUrl": pay_url(row, public_url=public_url),
        "expiresAt": clock.rfc3339(row.expires_at),
        "buyerId": row.buyer_id,
        "sellerId": row.seller_id,
        "merchantId": row.merchant_id,
        "invoiceId": row.invoice_id,
        "subscriptionRef": row.subscription_ref,
        "reference": row.reference,
        "metadata": row.meta,
        "mappingVersion": row.mapping_version,
        "sequence": row.event_sequence,
        "livemode": row.livemode,
        "demo": row.demo,
        "createdAt": clock.rfc3339(row.created_at),
        "updatedAt": clock.rfc3339(row.updated_at),
    }


def unknown(operation: Operation, row: Payment) -> dict[str, Any]:
    """Write that the outcome of an operation is not known."""
    return {
        "operationId": operation.id,
        "status": "unknown",
        "paymentId": row.id,
        "orderId": row.order_id,
    }


def nothing(of: Asset) -> dict[str, Any]:
    """Write no money of an asset."""
    return dict(money_out(zero(of)))
