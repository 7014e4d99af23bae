"""What support says and does about each reason for which a payment from a bank account fails.

An account that is blocked, or a payment taken for fraud, is spoken of as any refusal: whoever pays from
it must not learn that. The words are those of the providers of the rail `bank`.
Source: https://docs.truelayer.com/docs/single-payment-statuses;
https://developer.gocardless.com/api-reference/#events-payment-causes; requirements S55, S59
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.payments.decline_advice import Advice

BANK = (
    "Your bank did not carry out the payment. Please contact your bank or pay from another account."
)
_OTHER_ACCOUNT = "The pay link still works: have them pay from another account."


def _about(what: str, tell: str, then: str) -> Advice:
    return Advice(f"{what} We have received nothing.", tell, then)


_REFUSED = _about(
    "The payer's bank refused the payment and gave no reason.",
    BANK,
    "Have them ask their bank, with the amount and the time; the code is in the reference block.",
)
_FUNDS = _about(
    "The account does not hold enough, or the amount is over its limit.",
    "Your bank did not carry out the payment: the amount is more than your account allows now."
    " Please pay from another account.",
    _OTHER_ACCOUNT,
)
_NOT_AGREED = _about(
    "The payer did not agree to the payment at their bank, or could not sign in there.",
    "You have not agreed to the payment at your bank. Please open the link and try again.",
    "Have them reopen the pay link: they can try again, also with another bank.",
)
_STOPPED = _about(
    "The payer stopped the payment at their bank.",
    "The payment was stopped before you had agreed to it. You can use the same link to try again.",
    "Ask whether they still want to pay; the pay link still works.",
)
_LATE = _about(
    "The payer did not agree in time; the page of their bank has closed.",
    "The page of your bank was open for too long. Please open the link and try again.",
    "Have them reopen the pay link.",
)
_ACCOUNT = _about(
    "The bank does not take this account for the payment: it is closed, moved or of another kind.",
    "Your bank does not take this account for the payment. Please pay from another account.",
    _OTHER_ACCOUNT,
)
_LATER = _about(
    "The bank or the banks' network could not take the payment just then.",
    "Your bank could not be reached. Please try again in a few minutes.",
    "Have them try again later today; then with another bank.",
)
_QUIET = _about(
    "The payment was stopped by a check for fraud or of who holds the account.",
    BANK,
    "Tell the customer no more than the sentence above."
    " If the order looks odd, have finance hold its release.",
)

ADVICE: Mapping[str, Advice] = {
    **dict.fromkeys(
        "provider_rejected rejected failed unknown unknown_error constraint_violation refer_to_payer"
        " bank_authorisation_failed billing_request_bank_authorisation_failed".split(),
        _REFUSED,
    ),
    **dict.fromkeys("insufficient_funds payment_limit_exceeded".split(), _FUNDS),
    **dict.fromkeys(
        "authorization_failed not_authorized invalid_credentials invalid_otp".split(), _NOT_AGREED
    ),
    **dict.fromkeys(
        "canceled user_canceled_at_provider bank_authorisation_denied"
        " billing_request_bank_authorisation_denied".split(),
        _STOPPED,
    ),
    **dict.fromkeys(
        "expired provider_expired bank_authorisation_expired"
        " billing_request_bank_authorisation_expired".split(),
        _LATE,
    ),
    **dict.fromkeys(
        "invalid_account_details invalid_account_holder_name invalid_remitter_account invalid_sort_code"
        " bank_account_closed bank_account_transferred invalid_bank_details".split(),
        _ACCOUNT,
    ),
    **dict.fromkeys(
        "provider_error scheme_unavailable internal_server_error".split(),
        _LATER,
    ),
    **dict.fromkeys("blocked verification_declined".split(), _QUIET),
}
