"""Why a card is refused, in Stripe's codes and sentences; one table, no state."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.stripe.errors import Obj, doc_url

NON_TEST_CARD = "test_mode_live_card"


@dataclass(frozen=True)
class Decline:
    """One reason. Source: https://docs.stripe.com/declines/codes."""

    code: str
    decline_code: str
    message: str
    advice: str | None = "try_again_later"
    network_code: str | None = "01"
    blocked: bool = False


_REFUSED = "Your card was declined."
DECLINES = {
    "generic_decline": Decline("card_declined", "generic_decline", _REFUSED),
    "insufficient_funds": Decline(
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
        network_code="51",
    ),
    "lost_card": Decline("card_declined", "lost_card", _REFUSED, "do_not_try_again", "41"),
    "stolen_card": Decline("card_declined", "stolen_card", _REFUSED, "do_not_try_again", "43"),
    "fraudulent": Decline(
        "card_declined", "fraudulent", _REFUSED, "do_not_try_again", None, blocked=True
    ),
    "card_velocity_exceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its "
        "amount limit.",
        network_code="65",
    ),
    "expired_card": Decline(
        "expired_card", "expired_card", "Your card has expired.", "confirm_card_data", "54"
    ),
    "incorrect_cvc": Decline(
        "incorrect_cvc",
        "incorrect_cvc",
        "Your card's security code is incorrect.",
        "confirm_card_data",
        "N7",
    ),
    "processing_error": Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        network_code="96",
    ),
    "authentication_required": Decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
        None,
        "65",
    ),
    NON_TEST_CARD: Decline(
        "card_declined",
        NON_TEST_CARD,
        "Your card was declined. Your request was in test mode, but used a non test card. For a "
        "list of valid test cards, visit: https://stripe.com/docs/testing.",
        None,
        None,
        blocked=True,
    ),
}


def refusal(decline: Decline, *, charge_id: str | None, method: Obj) -> Obj:
    """Return the error as `last_payment_error` and the 402 body carry it."""
    error: Obj = {
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": doc_url(decline.code),
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }
    if charge_id:
        error["charge"] = charge_id
    if decline.advice:
        error["advice_code"] = decline.advice
    if decline.network_code:
        error["network_decline_code"] = decline.network_code
    return error


def outcome(decline: Decline, risk: str) -> Obj:
    """Return a failed charge's `outcome`."""
    seller = "The bank did not return any further details with this decline."
    if decline.decline_code != "generic_decline":
        seller = f"The bank returned the decline code `{decline.decline_code}`."
    return {
        "advice_code": decline.advice,
        "network_advice_code": None,
        "network_decline_code": decline.network_code,
        "network_status": "not_sent_to_network" if decline.blocked else "declined_by_network",
        "reason": "highest_risk_level" if risk == "highest" else decline.decline_code,
        "risk_level": risk,
        "risk_score": {"normal": 20, "elevated": 70, "highest": 92}[risk],
        "seller_message": "Stripe blocked this payment as too risky."
        if risk == "highest"
        else seller,
        "type": "blocked" if decline.blocked else "issuer_declined",
    }


def approval(risk: str) -> Obj:
    """Return a successful charge's `outcome`."""
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": "elevated_risk_level" if risk == "elevated" else None,
        "risk_level": risk,
        "risk_score": {"normal": 20, "elevated": 70}.get(risk, 20),
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
