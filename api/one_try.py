"""How the end of one try of a kept card is told: refused, refused before, or waiting for its owner."""

from __future__ import annotations

from typing import Any

from api import steps
from core.errors import AppError, Conflict, PaymentDeclined, ProviderReference
from core.states import Payment as Status
from domain.payments import operations
from models.payments import Payment


def declined(error: AppError, payment: Payment) -> AppError:
    """Tell a refused charge with the transaction that keeps it."""
    refusal = steps.declined(error, payment)
    refusal.details = refusal.details | {"transactionId": payment.id}
    return refusal


def failed(payment: Payment) -> AppError:
    """Tell again how a transaction ended without money."""
    if payment.status == Status.CANCELLED:
        return Conflict("This transaction was cancelled.", details={"transactionId": payment.id})
    details = {
        "transactionId": payment.id,
        "stripeCode": payment.provider_code,
        "adviceCode": None,
        "retryable": False,
    }
    provider = ProviderReference(payment.provider_reference, payment.provider_code)
    return PaymentDeclined(payment.provider_message, details=details, provider=provider)


def waits_for_payer(payment: Payment) -> dict[str, Any]:
    """Tell what the payer's browser needs so that they can confirm at their bank."""
    return {
        "transactionId": payment.id,
        "requires3DS": True,
        "clientSecret": operations.client_secret(payment),
        "paymentIntentId": payment.provider_reference,
    }
