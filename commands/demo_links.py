"""Visitors of the demo shop who pay from their bank account: agree, agree at a slow bank, are refused, decline."""

from __future__ import annotations

from commands import demo_wire
from commands.demo_shop import Unexpected, Visit

CURRENCIES = frozenset({"EUR", "GBP"})
# What the stand-in's banks do with an order: at once, later, not at all; and a payer who says no.
_ENDINGS = (
    ("mock-instant-bank", 55),
    ("mock-slow-bank", 25),
    ("mock-refusing-bank", 10),
    ("", 10),
)
_WORDS = {
    "mock-instant-bank": "paid from a bank account",
    "mock-slow-bank": "ordered at a bank that sends it later",
    "mock-refusing-bank": "ordered at a bank that refused",
    "": "declined at their own bank",
}


def can_pay(visit: Visit) -> bool:
    """Tell whether the order can be paid from a bank account here."""
    return bool(visit.shop.bank) and visit.order["total"]["currency"] in CURRENCIES


def pay(visit: Visit) -> str:
    """Ask for a link, and do at the bank what the payer does there.

    Raises: Unexpected, OSError
    """
    said: dict[str, object] = {"orderId": visit.order["orderId"]}
    link = visit.shop.post("/api/payments/bank/link", said)
    visit.shop.pause(visit.dice, 20, 120)
    bank = visit.dice.weighted(_ENDINGS)
    act, document = ("authorise", {"bank": bank}) if bank else ("decline", {})
    url = f"{visit.shop.bank}/_sandbox/payments/{link['providerReference']}/{act}"
    answered = demo_wire.send("POST", url, document=document)
    if not answered.is_success:
        raise Unexpected(f"the stand-in bank answered {answered.status}")
    return _WORDS[bank]
