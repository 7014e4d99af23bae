"""GoCardless' words for failures, as one table: what a payer reads, and what people read of a refund."""

from __future__ import annotations

from collections.abc import Mapping

GENERIC = (
    "The bank payment did not go through; we received nothing. Try again or choose another way."
)
_ACCOUNT = "The bank does not take this account for the payment. Choose another account."
_BANK_NO = "The bank refused the payment. Contact the bank or choose another way."
_DENIED = "The payment was not confirmed at the bank. We received nothing; try again."
_LATE = "The bank's page was open for too long. We received nothing; try again."

# By cause; the scheme's own reason codes are many and say the same.
# Source: https://developer.gocardless.com/api-reference/#events-billing-request-event-causes,
# …/#events-payment-event-causes
CAUSES: Mapping[str, str] = {
    "bank_authorisation_denied": _DENIED,
    "bank_authorisation_expired": _LATE,
    "bank_authorisation_failed": _BANK_NO,
    "billing_request_bank_authorisation_denied": _DENIED,
    "billing_request_bank_authorisation_expired": _LATE,
    "billing_request_bank_authorisation_failed": _BANK_NO,
    "billing_request_failed": GENERIC,
    "payer_geo_blocked": "This payment cannot be made from where you are. Choose another way.",
    "authorisation_disputed": "The payer's bank took the payment back.",
    "bank_account_closed": _ACCOUNT,
    "bank_account_disabled": _ACCOUNT,
    "bank_account_transferred": _ACCOUNT,
    "invalid_bank_details": _ACCOUNT,
    "direct_debit_not_enabled": _ACCOUNT,
    "insufficient_funds": "The account has insufficient funds. Try another account.",
    "refer_to_payer": _BANK_NO,
    "other": GENERIC,
}


def of_cause(cause: str | None) -> str:
    """Give the sentence for a payer; a cause in no table has failed all the same, for a reason unknown."""
    return CAUSES.get(cause or "", GENERIC)


# Why a refund did not arrive, by its status.
REFUNDS: Mapping[str, str] = {
    "bounced": "The payer's bank sent it back.",
    "cancelled": "GoCardless cancelled it.",
    "failed": "GoCardless could not carry it out.",
    "funds_returned": "It did not reach the payer; its money came back to our balance.",
}
