"""What support says and does about each reason for which a bank declines a card.

A card that is reported lost or stolen, or taken for fraud, is spoken of as any decline: whoever holds it
must not learn that. Source: https://docs.stripe.com/declines/codes; requirements S55, S56
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """Three sentences for one situation."""

    what_happened: str
    tell_customer: str
    next_step: str


ISSUER = "Your bank declined the card. Please contact the issuer or try another card."
_OTHER_CARD = "The pay link still works: have them try another card."
_CALL = (
    "Have them call the issuer with the amount and the time; the code is in the reference block."
)
_QUIET = (
    "Tell the customer no more than the sentence above, and do not ask for the same card again."
    " If the order looks odd, have finance hold its release."
)


def _about(what: str, tell: str, then: str) -> Advice:
    return Advice(f"{what} No money moved.", tell, then)


_GENERIC = _about("The bank declined the card and gave no reason.", ISSUER, _CALL)
_FUNDS = _about(
    "The card lacks the funds, or the amount is over its limit.",
    "Your bank declined the card: the amount is more than it allows now. Please try another card.",
    _OTHER_CARD,
)
_EXPIRED = _about(
    "The card has expired, or its expiry date was typed wrong.",
    "The card seems to have expired. Please check the date, or try another card.",
    _OTHER_CARD,
)
_TYPED = _about(
    "The number or the security code was typed wrong.",
    "The card details do not match. Please check the number and the security code and try again.",
    "The pay link still works for the same card.",
)
_PROVE = _about(
    "The bank asks the customer to confirm the payment, and that was not done.",
    "Your bank wants you to confirm the payment. If you closed the window, open the link and try again.",
    "Have them reopen the pay page: the confirmation can be tried again.",
)
_LATER = _about(
    "The bank could not process the card just then.",
    "Your bank could not be reached. Please try again in a few minutes.",
    "Have them try the same card again later today; then another one.",
)
_NOT_FOR_THIS = _about(
    "The card is not made for this kind of payment or currency.",
    "Your card does not support this payment. Please ask your bank, or try another card.",
    _OTHER_CARD,
)
_TOO_OFTEN = _about(
    "The card was tried too often, or is over its limit.",
    "Your bank stops further tries for now. Please wait a day, or try another card.",
    "Do not send them through the same card again today.",
)
_LOST = _about("The card was reported lost or stolen.", ISSUER, _QUIET)
_FRAUD = _about("The payment was taken for fraud.", ISSUER, _QUIET)

ADVICE: Mapping[str, Advice] = {
    **dict.fromkeys(
        "authentication_required payment_intent_authentication_failure authentication_not_handled"
        " mobile_device_authentication_required".split(),
        _PROVE,
    ),
    **dict.fromkeys(
        "approve_with_id issuer_not_available processing_error reenter_transaction try_again_later".split(),
        _LATER,
    ),
    **dict.fromkeys(
        "call_issuer card_declined do_not_honor do_not_try_again generic_decline"
        " no_action_taken revocation_of_all_authorizations revocation_of_authorization"
        " service_not_allowed stop_payment_order transaction_not_allowed not_permitted".split(),
        _GENERIC,
    ),
    **dict.fromkeys(
        "card_not_supported currency_not_supported invalid_amount testmode_decline"
        " test_mode_live_card".split(),
        _NOT_FOR_THIS,
    ),
    **dict.fromkeys(
        "card_velocity_exceeded pin_try_exceeded duplicate_transaction".split(), _TOO_OFTEN
    ),
    **dict.fromkeys("expired_card invalid_expiry_month invalid_expiry_year".split(), _EXPIRED),
    **dict.fromkeys("fraudulent merchant_blacklist security_violation".split(), _FRAUD),
    **dict.fromkeys(
        "incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip invalid_account"
        " invalid_cvc invalid_number invalid_pin new_account_information_available".split(),
        _TYPED,
    ),
    **dict.fromkeys("insufficient_funds withdrawal_count_limit_exceeded".split(), _FUNDS),
    **dict.fromkeys("lost_card pickup_card restricted_card stolen_card".split(), _LOST),
}


def advice_for(code: str | None) -> Advice | None:
    """Give support's three sentences for a decline code, or None for one that says nothing more."""
    return ADVICE.get(code or "")
