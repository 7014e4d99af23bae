"""What visitors of the demo shop do: order, pay, be declined, confirm with their bank, give up, come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from commands import (
    demo_bank,
    demo_disputes,
    demo_holds,
    demo_links,
    demo_returns,
    demo_wallets,
    demo_wire,
)
from commands.demo_shop import Shop, Visit
from core.money import Asset, Money, asset
from domain.samples.dice import Dice

_CURRENCIES = (("EUR", 45), ("USD", 22), ("GBP", 15), ("JPY", 10), ("KWD", 8))
_GOODS = (
    ("Oak dining table", 420, 1900),
    ("Weekend in the mountains for two", 260, 780),
    ("Touring bicycle, 56 cm", 640, 2400),
    ("Ceramic tea set, hand-thrown", 45, 160),
    ("Wedding flowers", 380, 1500),
    ("Used cello with bow", 900, 4200),
    ("Logo and website, three pages", 700, 2800),
    ("Garden shed, delivered and built", 1100, 3900),
    ("Portrait session, one hour", 90, 240),
    ("Vintage record player", 120, 640),
)
_PARTS = ("Design", "Production", "Delivery")
_PAYING = (
    ("visa", 50),
    ("mastercard", 25),
    ("amex", 10),
    ("visa_debit", 8),
    ("jp", 3),
    ("gb_debit", 4),
)
_DECLINED = (
    ("chargeDeclined", 40),
    ("chargeDeclinedInsufficientFunds", 35),
    ("chargeDeclinedExpiredCard", 15),
    ("chargeDeclinedProcessingError", 10),
)
_ASKING = "authenticationRequired"
# Published test numbers for the provider's hosted page.
# Source: https://docs.stripe.com/testing
_TYPED = (("4242424242424242", 70), ("4000002500003155", 20), ("4000000000000002", 10))


# Who the invoices are between; some orders name nobody, as in life, and get no electronic invoice.
_NAMED = 700
_SELLER: dict[str, object] = {
    "name": "Demo Market",
    "address": {
        "line1": "Musterstraße 1",
        "city": "Berlin",
        "postalCode": "10115",
        "country": "DE",
    },
}
_HOMES = (
    ("Rua das Flores 12", "Porto", "4050-262", "PT"),
    ("12 rue de l'Exemple", "Lyon", "69002", "FR"),
    ("Esimerkkikatu 3 B 7", "Helsinki", "00100", "FI"),
    ("Calle del Ejemplo 5", "Sevilla", "41001", "ES"),
)


def _major(dice: Dice, of: Asset, low: int, high: int) -> str:
    minor = dice.between(low, high) * 10**of.scale * (150 if of.scale == 0 else 1)
    if of.scale == 2:
        minor += dice.pick((0, 0, 0, 50, 90, 99))
    return Money(minor, of).major()


def _order(shop: Shop, dice: Dice) -> dict[str, Any]:
    what, low, high = dice.pick(_GOODS)
    of = asset(dice.weighted(_CURRENCIES))
    total = _major(dice, of, low, high)

    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": of.code}

    said: dict[str, object] = {
        "description": what,
        "total": money(total),
        "buyerId": dice.pick(shop.buyers),
        "sellerId": dice.pick(shop.sellers),
        "metadata": {"demo": "true"},
    }
    if dice.permille(_NAMED):
        line1, city, code, country = dice.pick(_HOMES)
        home = {"line1": line1, "city": city, "postalCode": code, "country": country}
        buyer = {"name": f"Demo buyer in {city}", "address": home}
        said["invoice"] = {"seller": _SELLER, "buyer": buyer}
    if dice.permille(650):
        said["deposit"] = money(_major(dice, of, max(1, low // 5), max(2, low // 3)))
    if dice.permille(300):
        share = _major(dice, of, max(1, low // 5), max(2, low // 4))
        said["milestones"] = [{"title": title, "amount": money(share)} for title in _PARTS]
    return shop.post("/api/orders", said)


def _pay(visit: Visit) -> str:
    intent = visit.intent()
    visit.shop.pause(visit.dice, 5, 80)
    card = visit.dice.weighted(_PAYING)
    visit.confirm(intent, card)
    if visit.order.get("deposit") and visit.dice.permille(250):
        return f"paid with {card}{_pay_balance(visit)}"
    return f"paid with {card}"


def _pay_balance(visit: Visit) -> str:
    """Pay the rest once the deposit has arrived."""

    def is_deposit_paid() -> bool:
        now = visit.shop.get(f"/api/orders/{visit.order['orderId']}")
        return bool(now["status"] == "DepositPaid")

    if not visit.shop.wait_for(is_deposit_paid):
        return ""
    visit.confirm(visit.intent(purpose="balance"), visit.dice.weighted(_PAYING))
    return ", then the balance"


def _declined(visit: Visit) -> str:
    intent = visit.intent()
    visit.shop.pause(visit.dice, 5, 60)
    card = visit.dice.weighted(_DECLINED)
    visit.confirm(intent, card)
    if visit.dice.permille(600):
        visit.shop.pause(visit.dice, 20, 120)
        visit.confirm(intent, visit.dice.weighted(_PAYING))
        return f"declined ({card}), then paid"
    return f"declined ({card})"


def _asked_by_bank(visit: Visit) -> str:
    intent = visit.intent()
    visit.shop.pause(visit.dice, 5, 60)
    answered = visit.confirm(intent, _ASKING)
    visit.shop.pause(visit.dice, 20, 150)
    passed = visit.dice.permille(750)
    demo_bank.decide(visit.shop, demo_bank.challenge(answered.body), passed=passed)
    if passed:
        return "confirmed with the bank and paid"
    if visit.dice.permille(500):
        visit.confirm(intent, visit.dice.weighted(_PAYING))
        return "refused at the bank, then paid with another card"
    return "refused at the bank"


def _abandoned(visit: Visit) -> str:
    visit.intent()
    return "left without paying"


def _cancelled(visit: Visit) -> str:
    intent = visit.intent()
    visit.shop.pause(visit.dice, 20, 120)
    path = f"/api/payments/{intent['paymentId']}/cancel"
    visit.shop.post(path, {"reason": "The buyer changed their mind."})
    return "cancelled"


def _checkout(visit: Visit) -> str:
    said: dict[str, object] = {"orderId": visit.order["orderId"]}
    session = visit.shop.post("/api/payments/stripe/checkout-session", said)
    visit.shop.pause(visit.dice, 20, 200)
    if visit.dice.permille(200):
        return "left the provider's page without paying"
    number = visit.dice.weighted(_TYPED)
    form = {
        "method": "card",
        "email": "visitor@demo.example",
        "name": "Demo Visitor",
        "number": number,
        "expiry": "12/34",
        "cvc": "123",
    }
    answered = demo_wire.send("POST", session["url"], form=form)
    if answered.location and "/3ds/" in answered.location:
        visit.shop.pause(visit.dice, 20, 100)
        demo_bank.decide(visit.shop, answered.location, passed=True)
        return "paid on the provider's page, confirmed with the bank"
    return f"{'paid' if answered.is_success else 'declined'} on the provider's page"


def _from_bank(visit: Visit) -> str:
    return demo_links.pay(visit) if demo_links.can_pay(visit) else _pay(visit)


Part = Callable[[Visit], str]
PARTS: tuple[tuple[Part, int], ...] = (
    (_pay, 28),
    (_checkout, 16),
    (_from_bank, 20),
    (_declined, 12),
    (_asked_by_bank, 11),
    (_abandoned, 6),
    (_cancelled, 5),
    (demo_holds.hold, 6),
    (demo_holds.debit, 4),
    (demo_returns.ask_for_refund, 8),
    (demo_returns.capture_less, 2),
    (demo_returns.refund_at_provider, 2),
    (demo_disputes.dispute, 3),
    (demo_disputes.report, 1),
)
# Played before all others, so that the desk has work when somebody first signs in.
OPENING: tuple[Part, ...] = (
    demo_returns.ask_for_refund,
    demo_returns.capture_less,
    demo_returns.refund_at_provider,
)


# How many of a thousand visitors come for their wallet, without an order.
WALLET_PERMILLE = 150


def play(shop: Shop, dice: Dice, part: Part | None = None) -> str:
    """Let one visitor order something and do with it what visitors do, or look after their wallet.

    part: which of `PARTS`, or by the dice. Gives a line for the log.
    Raises: Unexpected, OSError, http.client.HTTPException
    """
    if part is None and dice.permille(WALLET_PERMILLE):
        return dice.weighted(demo_wallets.PARTS)(shop, dice)
    visit = Visit(shop, dice, _order(shop, dice))
    shop.pause(dice, 5, 40)
    ending = (part or dice.weighted(PARTS))(visit)
    return f"{visit.title}: {ending}"
