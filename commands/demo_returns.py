"""What gives the demo's desk work: refunds a merchant asks for, and what is done at the provider past us.

All of it is bounded by what already waits, so that a sandbox left alone does not drown its desk.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from commands.demo_shop import Shop, Unexpected, Visit
from core import clock
from core.money import Money, asset, parse

MOST_REFUNDS = 6
MOST_CASES = 8
# Nobody is to lose a refund from under their eyes while they read it.
OLD_SECONDS = 15 * 60.0
_CARDS = (("visa", 60), ("mastercard", 30), ("amex", 10))
_WHY = (
    "The goods came back to us unused.",
    "It arrived damaged; we agreed on part of the price with the buyer.",
    "The buyer withdrew within fourteen days.",
    "The appointment was cancelled by us.",
)
_TAKEN_BACK = "Settled with the buyer in another way."


def ask_for_refund(visit: Visit) -> str:
    """Pay, then ask for part or all of it back as the merchant's server does; a second person decides.

    At most `MOST_REFUNDS` of the merchant's wait at a time; now and then an old one is taken back.
    Raises: Unexpected, OSError
    """
    payment = _paid(visit)
    if payment is None:
        return "paid, not booked yet"
    said: dict[str, object] = {"reason": visit.dice.pick(_WHY)}
    if visit.dice.permille(650):
        back = _share(payment["amountReceived"], visit.dice.between(20, 80))
        said["amount"] = {"amount": back.major(), "currency": back.asset.code}
    with visit.shop.desk:
        waiting = _waiting(visit.shop)
        is_full = len(waiting) >= MOST_REFUNDS
        if is_full or visit.dice.permille(200):
            is_full = not take_back_oldest(visit.shop) and is_full
        if is_full:
            return "paid"
        try:
            asked = visit.shop.post(f"/api/payments/{payment['paymentId']}/refunds", said)
        except Unexpected as error:
            if error.code != "FROZEN":
                raise
            return "paid; a freeze holds refunds"
    return f"paid, then {_shown(asked['amount'])} asked back"


def take_back_oldest(shop: Shop, *, older_than: float = OLD_SECONDS) -> bool:
    """Take the run's oldest waiting refund back if it has waited long enough. Gives whether it was.

    Raises: Unexpected, OSError
    """
    own = _waiting(shop, "&mine=true")
    if not own:
        return False
    oldest = own[-1]
    waited = clock.now() - datetime.fromisoformat(oldest["requestedAt"])
    if waited.total_seconds() < older_than:
        return False
    try:
        shop.post(f"/api/approvals/{oldest['approvalId']}/cancel", {"reason": _TAKEN_BACK})
    except Unexpected as error:
        # Somebody has decided about it since.
        if error.code != "INVALID_TRANSITION":
            raise
        return False
    return True


def capture_less(visit: Visit) -> str:
    """Hold the money, then capture less of it in the provider's dashboard: the order is underpaid.

    Raises: Unexpected, OSError
    """
    intent = visit.intent(captureMethod="manual")
    visit.shop.pause(visit.dice, 5, 60)
    visit.confirm(intent, visit.dice.weighted(_CARDS))
    visit.shop.pause(visit.dice, 20, 80)
    path = f"/v1/payment_intents/{intent['providerReference']}/capture"
    with visit.shop.desk:
        if not has_room_for_case(visit.shop):
            visit.shop.at_provider(path, {})
            return "held, then captured at the provider"
        taken = _share(intent["amount"], visit.dice.between(60, 95))
        visit.shop.at_provider(path, {"amount_to_capture": str(taken.minor)})
        wait_for_case(visit.shop, intent["paymentId"])
    return f"held, then only {taken.major()} {taken.asset.code} captured at the provider"


def refund_at_provider(visit: Visit) -> str:
    """Pay, then give money back in the provider's dashboard, past us: it is adopted, with a case.

    Raises: Unexpected, OSError
    """
    payment = _paid(visit)
    if payment is None:
        return "paid, not booked yet"
    with visit.shop.desk:
        if not has_room_for_case(visit.shop):
            return "paid"
        back = _share(payment["amountReceived"], visit.dice.between(10, 60))
        form = {
            "payment_intent": payment["providerReference"],
            "amount": str(back.minor),
            "reason": "requested_by_customer",
        }
        visit.shop.at_provider("/v1/refunds", form)
        wait_for_case(visit.shop, payment["paymentId"])
    return f"paid, then {back.major()} {back.asset.code} given back at the provider"


def _paid(visit: Visit) -> dict[str, Any] | None:
    """Pay, and give the payment once it is booked; None when that does not come about."""
    intent = visit.intent()
    visit.shop.pause(visit.dice, 5, 60)
    visit.confirm(intent, visit.dice.weighted(_CARDS))
    path = f"/api/payments/{intent['paymentId']}"
    if not visit.shop.wait_for(lambda: visit.shop.get(path)["status"] == "completed"):
        return None
    return visit.shop.get(path)


def _share(whole: dict[str, str], percent: int) -> Money:
    """Give a part of an amount that cards can carry.

    Source: https://docs.stripe.com/currencies#three-decimal: they end in a nought.
    """
    of = asset(whole["currency"])
    minor = parse(whole["amount"], of).minor * percent // 100
    return Money(minor - minor % 10 if of.scale == 3 else minor, of)


def _shown(money: dict[str, str]) -> str:
    return f"{money['amount']} {money['currency']}"


def _waiting(shop: Shop, more: str = "") -> list[dict[str, Any]]:
    """List what the merchant asked for and nobody has decided, newest first."""
    found: list[dict[str, Any]] = shop.get(f"/api/approvals?state=pending{more}")["items"]
    return found


def has_room_for_case(shop: Shop) -> bool:
    """Tell whether few enough cases wait for people that one more may be made. Raises: Unexpected, OSError."""
    unsettled = shop.get("/api/exceptions?state=open,assigned")["items"]
    return len(unsettled) < MOST_CASES


def wait_for_case(shop: Shop, payment_id: str) -> None:
    """Keep the desk until the case is there: whoever counts next counts it too."""
    path = f"/api/exceptions?paymentId={payment_id}"
    shop.wait_for(lambda: bool(shop.get(path)["items"]))
