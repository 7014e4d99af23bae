"""What the demo's people do with their wallets: keep cards, pay in, turn coupons into credit, try first.

Nobody orders anything here. The shop calls the API for its people; only a trial is one's own to start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from commands import demo_bank, demo_wire
from commands.demo_shop import Shop, Unexpected
from core import ids
from core.money import Money, asset
from domain.samples.dice import Dice

MOST_CARDS = 3
_CARDS = (("visa", 50), ("mastercard", 25), ("amex", 10), ("authenticationRequired", 8), ("chargeCustomerFail", 7))  # fmt: skip
_CURRENCIES = (("EUR", 60), ("USD", 40))
_GIFTS = (("Welcome", 500), ("Thank you for waiting", 1000), ("Anniversary", 1500))


def top_up(shop: Shop, dice: Dice) -> str:
    """Pay into a wallet with a kept card; some banks ask first, and some cards are kept and then refused.

    Raises: Unexpected, OSError
    """
    buyer = dice.pick(shop.buyers)
    card = kept_card(shop, dice, buyer)
    amount = Money(dice.between(5, 120) * 100, asset(dice.weighted(_CURRENCIES)))
    said: dict[str, object] = {
        "userId": buyer,
        "paymentMethodId": card,
        "amount": amount.major(),
        "currency": amount.asset.code.lower(),
        "idempotencyKey": ids.new("demo"),
    }
    shown = f"Wallet: {amount.major()} {amount.asset.code}"
    try:
        answered = shop.post("/v1/stripe/transactions/confirm", said)
    except Unexpected as error:
        if error.code != "PAYMENT_FAILED":
            raise
        return f"{shown} declined"
    if not answered.get("requires3DS"):
        return f"{shown} paid in"
    passed = _at_bank(shop, dice, answered)
    return f"{shown} {'paid in, confirmed with the bank' if passed else 'refused at the bank'}"


def coupon(shop: Shop, dice: Dice) -> str:
    """Hand out a coupon in the provider's dashboard, and have somebody turn it into credit.

    Now and then it is one over a share, which a wallet cannot take. Raises: Unexpected, OSError
    """
    name, minor = dice.pick(_GIFTS)
    code = f"DEMO{ids.token(6)}"
    form = {"id": code, "name": name, "duration": "once", "metadata[demo]": "true"}
    is_share = dice.permille(150)
    form |= {"percent_off": "10"} if is_share else {"amount_off": str(minor), "currency": "eur"}
    shop.at_provider("/v1/coupons", form)
    shop.pause(dice, 5, 60)
    said: dict[str, object] = {"couponId": code, "userId": dice.pick(shop.buyers)}
    try:
        shop.post("/v1/stripe/coupons/apply", said)
    except Unexpected as error:
        if error.code != "COUPON_UNSUPPORTED":
            raise
        return f"Wallet: coupon {code} over a share refused"
    return f"Wallet: coupon {code} turned into credit"


def start_trial(shop: Shop, dice: Dice) -> str:
    """Prove a card by a small hold that is let go, and get the trial; who has had theirs is told the same.

    Raises: Unexpected, OSError
    """
    buyer = dice.pick(shop.buyers)
    if not _cards(shop, buyer):
        keep_card(shop, dice, buyer, "visa")
    try:
        answered = shop.post("/v1/start-trial", {}, token=shop.sign_in(buyer))
    except Unexpected as error:
        if error.code not in ("PAYMENT_FAILED", "CONFLICT"):
            raise
        return "Trial: the card was declined"
    if answered.get("requires3DS"):
        passed = _at_bank(shop, dice, answered)
        return f"Trial: the card was {'proved with the bank' if passed else 'refused at the bank'}"
    return "Trial: the card was proved"


Part = Callable[[Shop, Dice], str]
PARTS: Sequence[tuple[Part, int]] = ((top_up, 70), (coupon, 20), (start_trial, 10))


def kept_card(shop: Shop, dice: Dice, buyer: str) -> str:
    """Give a card that somebody keeps, now and then a new one. Raises: Unexpected, OSError."""
    known = _cards(shop, buyer)
    if known and (len(known) >= MOST_CARDS or dice.permille(800)):
        return str(dice.pick(known)["paymentMethodId"])
    return keep_card(shop, dice, buyer, dice.weighted(_CARDS))


def keep_card(shop: Shop, dice: Dice, buyer: str, card: str) -> str:
    """Keep a card as its owner's browser does, with the provider's own form. Gives its name.

    One at a time: a person has one form open, whoever asks for it.
    Raises: Unexpected when it is not kept in time, OSError
    """
    with shop.cards:
        return _keep_card(shop, dice, buyer, card)


def _keep_card(shop: Shop, dice: Dice, buyer: str, card: str) -> str:
    known = {each["paymentMethodId"] for each in _cards(shop, buyer)}
    begun = shop.post("/v1/stripe/payment-methods/setup", {"userId": buyer})
    shop.pause(dice, 5, 60)
    form = {
        "client_secret": begun["clientSecret"],
        "payment_method": f"pm_card_{card}",
        "use_stripe_sdk": "true",
    }
    path = f"/v1/setup_intents/{begun['setupIntentId']}/confirm"
    confirmed = _browser("POST", shop, path, form)
    if confirmed.get("status") == "requires_action":
        demo_bank.decide(shop, demo_bank.challenge(confirmed), passed=True)
    fresh: list[str] = []

    def is_kept() -> bool:
        names = {each["paymentMethodId"] for each in _cards(shop, buyer)}
        fresh.extend(names - known)
        return bool(fresh)

    if not shop.wait_for(is_kept):
        raise Unexpected("the card that was set up is not kept")
    return fresh[0]


def _cards(shop: Shop, buyer: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.get(f"/v1/stripe/payment-methods?userId={buyer}")[
        "paymentMethods"
    ]
    return found


def _at_bank(shop: Shop, dice: Dice, waiting: dict[str, Any]) -> bool:
    """Answer the bank as the payer does. Gives whether it agreed."""
    secret = waiting["clientSecret"]
    path = f"/v1/payment_intents/{waiting['paymentIntentId']}?client_secret={secret}"
    intent = _browser("GET", shop, path)
    shop.pause(dice, 20, 120)
    passed = dice.permille(800)
    demo_bank.decide(shop, demo_bank.challenge(intent), passed=passed)
    return passed


def _browser(
    method: str, shop: Shop, path: str, form: dict[str, str] | None = None
) -> dict[str, Any]:
    """Ask the stand-in as a payer's browser does: with the publishable key and the client secret."""
    headers = {"Authorization": f"Bearer {shop.publishable_key}"}
    answered = demo_wire.send(method, shop.stripe + path, form=form, headers=headers)
    if not answered.is_success:
        raise Unexpected(f"the stand-in answered {answered.status} to a browser")
    return answered.body
