"""TrueLayer's words for failures, as one table: which end each means here, and what a payer reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One reason. kind: the fact that it states; words: for the payer."""

    kind: str
    words: str


GENERIC = (
    "The bank payment did not go through; we received nothing. Try again or choose another way."
)
_BANK_NO = "The bank refused the payment. Contact the bank or choose another way."
_ACCOUNT = "The bank does not take this account for the payment. Choose another account."
_LATER = "The bank or its network could not take the payment just now. Try again in a few minutes."
_CANCELLED = "The payment was cancelled before it was confirmed. We received nothing."

# Source: https://docs.truelayer.com/docs/single-payment-statuses (failure reasons)
REASONS: Mapping[str, Failure] = {
    "authorization_failed": Failure(
        "failed", "The payment was not confirmed at the bank. Try again."
    ),
    "blocked": Failure("failed", _BANK_NO),
    "canceled": Failure("cancelled", _CANCELLED),
    "constraint_violation": Failure("failed", GENERIC),
    "expired": Failure("expired", "The payment was not confirmed in time. We received nothing."),
    "failed": Failure("failed", GENERIC),
    "insufficient_funds": Failure(
        "failed", "The account has insufficient funds. Try another account."
    ),
    "internal_server_error": Failure("failed", _LATER),
    "invalid_account_details": Failure("failed", _ACCOUNT),
    "invalid_account_holder_name": Failure("failed", _ACCOUNT),
    "invalid_beneficiary_account": Failure("failed", GENERIC),
    "invalid_credentials": Failure("failed", "The sign-in at the bank failed. Try again."),
    "invalid_mandate_state": Failure("failed", GENERIC),
    "invalid_otp": Failure("failed", "The code entered at the bank was wrong. Try again."),
    "invalid_remitter_account": Failure("failed", _ACCOUNT),
    "invalid_request": Failure("failed", GENERIC),
    "invalid_sort_code": Failure("failed", _ACCOUNT),
    "mandate_revoked": Failure("failed", GENERIC),
    "not_authorized": Failure("failed", "The payment was not confirmed at the bank. Try again."),
    "payment_limit_exceeded": Failure(
        "failed",
        "The payment is above a limit of the account. Ask the bank or try another account.",
    ),
    "provider_error": Failure("failed", _LATER),
    "provider_expired": Failure(
        "expired", "The bank's page was open for too long. We received nothing; try again."
    ),
    "provider_rejected": Failure("failed", _BANK_NO),
    "rejected": Failure("failed", _BANK_NO),
    "scheme_unavailable": Failure("failed", _LATER),
    "unknown": Failure("failed", GENERIC),
    "unknown_error": Failure("failed", GENERIC),
    "user_canceled_at_provider": Failure("cancelled", _CANCELLED),
    # Whoever is suspected must not learn of it from us.
    "verification_declined": Failure("failed", _BANK_NO),
}

# Where in its life a payment failed, for support.
STAGES: Mapping[str, str] = {
    "authorization_required": "before the payer began",
    "authorizing": "while the payer was confirming it",
    "authorized": "after the payer had confirmed it",
    "executed": "after the bank had accepted it",
}

# Why a refund or payout failed, for people.
# Source: https://docs.truelayer.com/docs/payout-and-refund-statuses
SENDING: Mapping[str, str] = {
    "blocked": "Blocked by a regulatory check.",
    "insufficient_funds": "Our merchant account does not hold enough.",
    "invalid_iban": "The payer's account cannot be reached.",
    "invalid_scan": "The payer's account cannot be reached.",
    "scan_conversion": "The payer's account cannot be reached.",
    "returned": "The payer's bank sent it back.",
    "scheme_error": "The banks' network could not carry it out.",
    "server_error": "TrueLayer could not carry it out.",
    "unknown": "TrueLayer does not say why.",
}


def failure(reason: str | None) -> Failure:
    """Give what a reason means; one that is in no table has failed all the same, for a reason unknown."""
    return REASONS.get(reason or "", Failure("failed", GENERIC))


def sentence(found: Failure, stage: str | None) -> str:
    """Write what is kept with the payment: the payer's words, and for support where it failed."""
    place = STAGES.get(stage or "")
    return f"{found.words} ({place})" if place else found.words
