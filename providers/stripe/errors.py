"""Stripe's errors to ours, as one table: what is final, what did nothing, what we do not know."""

from __future__ import annotations

from typing import NoReturn

import requests
import stripe

from core.errors import (
    PaymentDeclined,
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
)

# Certainly before the request left: nothing was done.
_BEFORE_SENDING = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
)

# Words for people, by Stripe's decline code; the code itself goes to support.
# Source: https://docs.stripe.com/declines/codes
DECLINE_WORDS = {
    "insufficient_funds": "The card has insufficient funds. Try another card.",
    "expired_card": "The card has expired. Try another card.",
    "incorrect_cvc": "The security code is wrong. Check it and try again.",
    "processing_error": "The bank could not process the card just now. Try again in a minute.",
    "lost_card": "The bank declined the card. Contact the issuer or try another card.",
    "stolen_card": "The bank declined the card. Contact the issuer or try another card.",
    "authentication_required": "The bank asks for a confirmation. Try again and confirm it.",
    "payment_intent_authentication_failure": "The confirmation failed or was closed. Try again.",
}
GENERIC_DECLINE = "The card was declined. Contact the issuer or try another card."


def decline_words(code: str | None, decline_code: str | None) -> str:
    """Give the sentence for a payer, by decline code first, then error code."""
    return DECLINE_WORDS.get(decline_code or "") or DECLINE_WORDS.get(code or "") or GENERIC_DECLINE


def _was_never_sent(error: stripe.APIConnectionError) -> bool:
    cause = error.__cause__
    if isinstance(cause, _BEFORE_SENDING):
        return True
    return isinstance(cause, requests.exceptions.ConnectionError) and (
        "NewConnectionError" in repr(cause) or "NameResolutionError" in repr(cause)
    )


def _declined(error: stripe.CardError) -> PaymentDeclined:
    decline = error.error.decline_code if error.error else None
    intent = error.error.payment_intent if error.error else None
    return PaymentDeclined(
        decline_words(error.code, decline),
        details={
            "stripeCode": decline or error.code,
            "adviceCode": getattr(error.error, "advice_code", None),
            "retryable": decline not in ("lost_card", "stolen_card", "pickup_card"),
        },
        provider=ProviderReference(intent.id if intent else None, decline or error.code),
    )


def _retry_after(error: stripe.StripeError) -> int:
    text = str((error.headers or {}).get("retry-after", ""))
    return min(int(text), 600) if text.isdigit() else 5


def translate(error: stripe.StripeError, *, changes: bool) -> NoReturn:
    """Raise our error for one of Stripe's. changes: whether the call could have done something.

    Raises: PaymentDeclined, ProviderRefused, ProviderUnavailable, ProviderUnknown
    """
    reference = ProviderReference(error.request_id, error.code)
    if isinstance(error, stripe.CardError):
        raise _declined(error) from None
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        raise ProviderUnavailable(
            "Stripe does not accept our key. An administrator must look."
        ) from None
    if isinstance(error, stripe.RateLimitError):
        raise ProviderUnavailable(
            "Stripe asks us to slow down. Try again shortly.", retry_after=_retry_after(error)
        ) from None
    if isinstance(error, stripe.APIConnectionError) and _was_never_sent(error):
        raise ProviderUnavailable("Stripe cannot be reached. Nothing was done.") from None
    status = error.http_status or 0
    if isinstance(error, stripe.APIConnectionError) or status >= 500 or status == 409:
        if changes:
            raise ProviderUnknown(provider=reference) from None
        raise ProviderUnavailable("Stripe does not answer.") from None
    message = error.user_message or "Stripe refused the request."
    raise ProviderRefused(message, provider=reference) from None
