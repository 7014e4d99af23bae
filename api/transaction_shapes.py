"""Transactions as `/v1/stripe` shows them: the records that document them and what writes them."""

from __future__ import annotations

from typing import Any, Literal

from api.contract import Out
from api.v1_shapes import Number, number
from core import clock
from core.money import asset
from core.states import Payment as Status
from domain.payments.transaction_queries import TransactionSeen
from models.effects import CouponUse
from models.payments import Payment


class TransactionEffectOut(Out):
    """What follows from the money, and whether it was carried out."""

    kind: str
    status: Literal["pending", "applied", "failed"]


class TransactionCouponOut(Out):
    """The coupon that paid."""

    id: str
    name: str | None
    amount_off: Number
    currency: str


class TransactionOut(Out):
    """A payment without an order. Amounts in major units.

    timedOut: the asked status was not reached in time; ask again after Retry-After.
    """

    transaction_id: str
    type: Literal["payment", "coupon", "payment_method_validation"]
    status: Literal[
        "created", "pending", "requires_action", "succeeded", "failed", "canceled", "refunded"
    ]
    effect: TransactionEffectOut
    amount: Number
    currency: str
    amount_refunded: Number
    payment_method_id: str | None
    card_brand: str | None
    card_last4: str | None
    payment_intent_id: str | None
    invoice_id: str | None
    coupon: TransactionCouponOut | None
    stripe_code: str | None
    error_message: str | None
    receipt_url: str | None
    created_at: str
    updated_at: str
    timed_out: Literal[True] | None = None


class TransactionsOut(Out):
    """A page of transactions, newest first. total: of the filter, whatever the page."""

    transactions: list[TransactionOut]
    total: int
    limit: int
    offset: int


def wire(seen: TransactionSeen) -> dict[str, Any]:
    """Write a transaction."""
    row, of = seen.payment, asset(seen.payment.asset)
    return {
        "transactionId": row.id,
        "type": seen.kind,
        "status": seen.word.value,
        "effect": {"kind": seen.effect.kind, "status": seen.effect.status},
        "amount": number(row.amount_minor, row.asset),
        "currency": of.code,
        "amountRefunded": number(row.refunded_minor, row.asset),
        "paymentMethodId": row.method_id,
        "cardBrand": row.card_brand,
        "cardLast4": row.card_last4,
        "paymentIntentId": _intent(row),
        "invoiceId": seen.coupon.invoice_reference if seen.coupon else None,
        "coupon": _coupon(seen.coupon),
        "stripeCode": row.provider_code,
        "errorMessage": _message(row),
        "receiptUrl": row.receipt_url,
        "createdAt": clock.rfc3339(row.created_at),
        "updatedAt": clock.rfc3339(row.updated_at),
    }


def _intent(row: Payment) -> str | None:
    """Give the intent's id; a setup or an invoice is none.

    Source: https://docs.stripe.com/api/payment_intents/object (`pi_`)
    """
    reference = row.provider_reference or ""
    return reference if reference.startswith("pi_") else None


def _coupon(used: CouponUse | None) -> dict[str, Any] | None:
    if used is None:
        return None
    return {
        "id": used.coupon_id,
        "name": used.name,
        "amountOff": number(used.amount_minor, used.asset),
        "currency": asset(used.asset).code,
    }


def _message(row: Payment) -> str | None:
    """Say why it failed, or why the last try did while it is still open."""
    if row.status == Status.FAILED or (row.status == Status.PENDING and row.provider_code):
        return row.provider_message or "The payment did not go through."
    return None
