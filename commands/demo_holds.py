"""Money of the demo that does not arrive at once: held on a card until somebody takes it, or debited days later."""

from __future__ import annotations

from commands import demo_wire
from commands.demo_shop import Visit
from core.money import Money, asset, parse

# So many holds are left for the desk at a time; the shop takes what comes on top.
MOST_HOLDS = 5
# Published test accounts: one pays, one is slow to, one is refused after the order looked paid.
# Source: https://docs.stripe.com/payments/sepa-debit/accept-a-payment
_ACCOUNTS = (
    ("DE89370400440532013000", 60),
    ("DE08370400440532013003", 25),
    ("DE62370400440532013001", 15),
)


def hold(visit: Visit) -> str:
    """Hold the money; the shop captures all or a part of it, lets it go, or leaves it for the desk.

    Raises: Unexpected, OSError
    """
    intent = visit.intent(captureMethod="manual")
    visit.shop.pause(visit.dice, 5, 60)
    visit.confirm(intent, "visa")
    path = f"/api/payments/{intent['paymentId']}"
    if not visit.shop.wait_for(lambda: visit.shop.get(path)["lifecycle"] == "Paid"):
        return "held, not heard of yet"
    what = visit.dice.weighted((("leave", 40), ("all", 30), ("part", 15), ("void", 15)))
    if what == "leave" and _left(visit) <= MOST_HOLDS:
        return "held, left for the desk"
    visit.shop.pause(visit.dice, 20, 120)
    if what == "void":
        visit.shop.post(f"{path}/cancel", {"reason": "Out of stock; the hold is let go."})
        return "held, then let go"
    said: dict[str, object] = {}
    if what == "part":
        said["amount"] = _part(intent["amount"], visit.dice.between(40, 90))
    taken = visit.shop.post(f"{path}/capture", said)["amountReceived"]
    return f"held, then {taken['amount']} {taken['currency']} captured"


def _left(visit: Visit) -> int:
    """Count what is held or on its way, with this one."""
    return len(visit.shop.get("/api/payments?lifecycle=Paid&limit=50")["items"])


def _part(whole: dict[str, str], percent: int) -> dict[str, str]:
    """Give a part of an amount that cards can carry: three decimals end in a nought."""
    of = asset(whole["currency"])
    minor = parse(whole["amount"], of).minor * percent // 100
    minor -= minor % 10 if of.scale == 3 else 0
    return {"amount": Money(minor, of).major(), "currency": of.code}


def debit(visit: Visit) -> str:
    """Have a bank account debited on the provider's page, where the currency allows it: paid days later, or not.

    Raises: Unexpected, OSError
    """
    said: dict[str, object] = {"orderId": visit.order["orderId"]}
    session = visit.shop.post("/api/payments/stripe/checkout-session", said)
    visit.shop.pause(visit.dice, 20, 200)
    if session["amount"]["currency"] != "EUR":
        return "left the provider's page, which takes no debit in this currency"
    form = {
        "method": "sepa_debit",
        "email": "visitor@demo.example",
        "name": "Demo Visitor",
        "iban": visit.dice.weighted(_ACCOUNTS),
    }
    answered = demo_wire.send("POST", session["url"], form=form)
    return f"debit {'asked for' if answered.is_success else 'refused'} on the provider's page"
