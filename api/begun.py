"""What starting a payment answers: an intent, a checkout page or a link to the payer's bank."""

from __future__ import annotations

from typing import Any

from api import shapes
from api.contract import Answer, MoneyOut, Out, Session
from api.shapes import EtaOut, LifecycleWord, PaymentWord
from core import clock
from core.money import asset
from domain.delays import eta
from domain.payments import operations
from models.payments import Payment
from providers import registry


class IntentOut(Out):
    """A payment to be completed with Stripe Elements or on the pay page."""

    payment_id: str
    order_id: str | None
    status: PaymentWord
    lifecycle: LifecycleWord
    client_secret: str | None
    publishable_key: str
    amount: MoneyOut
    provider: str
    provider_reference: str | None
    pay_url: str
    expires_at: str | None


class CheckoutOut(Out):
    """A payment to be completed on Stripe's page at `url`."""

    payment_id: str
    order_id: str | None
    status: PaymentWord
    url: str | None
    session_id: str | None
    amount: MoneyOut
    expires_at: str | None


class LinkOut(Out):
    """A payment to be agreed to at the payer's own bank, from the page at `url`.

    bankReference: what their statement and ours will say; null where the provider chooses it.
    """

    payment_id: str
    order_id: str | None
    status: PaymentWord
    url: str | None
    provider: str
    provider_reference: str | None
    bank_reference: str | None
    amount: MoneyOut
    eta: EtaOut | None
    pay_url: str
    expires_at: str | None


def _intent(payment: Payment) -> dict[str, Any]:
    return {
        "paymentId": payment.id,
        "orderId": payment.order_id,
        "status": payment.status,
        "lifecycle": shapes.lifecycle(payment).value,
        "clientSecret": operations.client_secret(payment),
        "publishableKey": registry.get(payment.provider).publishable_key,
        "amount": shapes.amount(payment.amount_minor, asset(payment.asset)),
        "provider": payment.provider,
        "providerReference": payment.provider_reference,
        "payUrl": shapes.pay_url(payment),
        "expiresAt": clock.rfc3339(payment.expires_at),
    }


def _checkout(payment: Payment) -> dict[str, Any]:
    return {
        "paymentId": payment.id,
        "orderId": payment.order_id,
        "status": payment.status,
        "url": payment.hosted_url,
        "sessionId": payment.provider_reference,
        "amount": shapes.amount(payment.amount_minor, asset(payment.asset)),
        "expiresAt": clock.rfc3339(payment.expires_at),
    }


def _link(session: Session, payment: Payment) -> dict[str, Any]:
    expected = eta.of_payment(session, payment)
    return {
        "paymentId": payment.id,
        "orderId": payment.order_id,
        "status": payment.status,
        "url": payment.hosted_url,
        "provider": payment.provider,
        "providerReference": payment.provider_reference,
        "bankReference": payment.bank_reference,
        "amount": shapes.amount(payment.amount_minor, asset(payment.asset)),
        "eta": expected.wire() if expected is not None else None,
        "payUrl": shapes.pay_url(payment),
        "expiresAt": clock.rfc3339(payment.expires_at),
    }


def _body(session: Session, payment: Payment) -> dict[str, Any]:
    if payment.method == "link":
        return _link(session, payment)
    return _checkout(payment) if payment.method == "checkout" else _intent(payment)


def begun_answer(session: Session, payment: Payment, *, is_new: bool) -> Answer:
    """Answer with an attempt to pay: 201 for a new one, 200 for the one that is open already."""
    body = _body(session, payment)
    location = f"/api/payments/{payment.id}"
    return Answer(201, body, location=location) if is_new else Answer(200, body)
