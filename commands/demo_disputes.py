"""Payments of the demo that come into doubt afterwards: disputed at the payer's bank, or reported as fraud.

Both wait for people, so both are bounded by what already waits; whoever comes on top just pays.
"""

from __future__ import annotations

from typing import Any

from commands import demo_returns
from commands.demo_shop import Unexpected, Visit

# So many are left for the desk to answer at a time; the shop answers what comes on top.
MOST_DISPUTES = 2
_DISPUTED = (("createDispute", 60), ("createDisputeProductNotReceived", 40))
_REPORTED = "createIssuerFraudRecord"
# What decides a dispute of a test card.
# Source: https://docs.stripe.com/testing#disputes, "Evidence"
_EVIDENCE = (("winning_evidence", 60), ("losing_evidence", 40))


def dispute(visit: Visit) -> str:
    """Pay, then have the payer's bank ask it back; the shop answers, well or badly, or leaves it for the desk.

    Raises: Unexpected, OSError
    """
    with visit.shop.desk:
        if not demo_returns.has_room_for_case(visit.shop):
            return _just_paid(visit)
        payment_id = _paid_with(visit, visit.dice.weighted(_DISPUTED))
        found = _opened(visit, payment_id)
    if found is None:
        return "paid, not disputed yet"
    is_full = len(_unanswered(visit)) > MOST_DISPUTES
    if not is_full and visit.dice.permille(400):
        return "paid, then disputed; left for the desk"
    visit.shop.pause(visit.dice, 20, 120)
    text = visit.dice.weighted(_EVIDENCE)
    said: dict[str, object] = {
        "productDescription": visit.order["description"],
        "uncategorizedText": text,
        "submit": True,
    }
    try:
        visit.shop.post(f"/api/disputes/{found['disputeId']}/evidence", said)
    except Unexpected as error:
        # Somebody of the desk was quicker.
        if error.code not in ("EVIDENCE_ALREADY_SUBMITTED", "INVALID_TRANSITION", "CONFLICT"):
            raise
        return "paid, then disputed; answered by the desk"
    return f"paid, then disputed and answered with {text.replace('_', ' ')}"


def report(visit: Visit) -> str:
    """Pay with a card whose bank warns of fraud afterwards. Raises: Unexpected, OSError."""
    with visit.shop.desk:
        if not demo_returns.has_room_for_case(visit.shop):
            return _just_paid(visit)
        payment_id = _paid_with(visit, _REPORTED)
        demo_returns.wait_for_case(visit.shop, payment_id)
    return "paid, then reported as fraud by the bank"


def _just_paid(visit: Visit) -> str:
    _paid_with(visit, "visa")
    return "paid"


def _paid_with(visit: Visit, card: str) -> str:
    intent = visit.intent()
    visit.confirm(intent, card)
    return str(intent["paymentId"])


def _opened(visit: Visit, payment_id: str) -> dict[str, Any] | None:
    """Wait until we have heard of the dispute; None when that does not come about."""
    found: list[dict[str, Any]] = []

    def is_open() -> bool:
        found.extend(visit.shop.get(f"/api/disputes?paymentId={payment_id}")["items"])
        return bool(found)

    return found[0] if visit.shop.wait_for(is_open) else None


def _unanswered(visit: Visit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = visit.shop.get("/api/disputes?status=needs_response")["items"]
    return found
