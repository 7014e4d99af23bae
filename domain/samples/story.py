"""What happened to one sample order: chosen by dice, told as plain values; rows are made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.money import Asset, asset
from core.states import Order as OrderStatus
from core.states import Payment as Status
from core.states import PaymentSub
from domain.samples.cast import Cast
from domain.samples.dice import Dice

_CURRENCIES = (("EUR", 55), ("USD", 20), ("GBP", 12), ("JPY", 7), ("KWD", 6))
_GOODS = (
    "Oak dining table with six chairs",
    "Fitted kitchen, birch",
    "Touring bicycle, 56 cm",
    "Two weeks in Lofoten for two",
    "Engagement ring, garnet",
    "Day sailer, 6.2 m, used",
    "Wedding flowers",
    "Upright piano, restored",
    "Trade fair stand, 24 m²",
    "Camera with two lenses",
    "Garden studio, delivered",
    "Set of nine windows",
)
_PARTS = ("Design", "Production", "Delivery", "Installation")
_DECLINES = (
    ("insufficient_funds", "The card has insufficient funds. Try another card."),
    ("generic_decline", "The card was declined. Contact the issuer or try another card."),
    ("expired_card", "The card has expired. Try another card."),
)
_CARDS = (("visa", 60), ("mastercard", 32), ("amex", 8))
YOUNG, WAITING = timedelta(hours=20), timedelta(days=3)
# What became of an attempt, in 1000.
_ENDS = (("completed", 850), ("expired", 65), ("declined", 25), ("cancelled", 55), ("stuck", 5))


@dataclass(frozen=True)
class Attempt:
    """One payment's life. Amounts in minor units; told_at: when the provider told of its money,
    or of what it waits for; ended_at: the last change.
    """

    purpose: str
    method: str
    end: str
    amount_minor: int
    begun_at: datetime
    told_at: datetime
    ended_at: datetime
    brand: str
    last4: str
    decline: tuple[str, str] | None

    @property
    def status(self) -> Status:
        """The status it ended in."""
        return _STATUS[self.end]

    @property
    def sub_state(self) -> PaymentSub:
        """The sub-state it ended in."""
        return _SUBS.get(self.end, PaymentSub.NONE)

    @property
    def received_minor(self) -> int:
        """What arrived."""
        return self.amount_minor if self.end == "completed" else 0


@dataclass(frozen=True)
class Story:
    """One order with its attempts to pay, oldest first. milestones: title, minor units."""

    description: str
    asset: Asset
    total_minor: int
    deposit_minor: int | None
    merchant_id: str
    buyer_id: str
    seller_id: str
    made_at: datetime
    attempts: list[Attempt]
    milestones: list[tuple[str, int]] = field(default_factory=list)

    @property
    def status(self) -> OrderStatus:
        """Where the order stands after its last attempt."""
        last = self.attempts[-1]
        if self.paid_minor:
            both = last.purpose == "balance" and last.end == "completed"
            return OrderStatus.PAID if both else OrderStatus.DEPOSIT_PAID
        return _ORDER_STATUS.get(last.end, OrderStatus.AWAITING_DEPOSIT)

    @property
    def paid_minor(self) -> int:
        """What arrived for the order."""
        return sum(attempt.received_minor for attempt in self.attempts)


_STATUS = {
    "open": Status.PENDING,
    "challenged": Status.PENDING,
    "held": Status.PROCESSING,
    "debiting": Status.PROCESSING,
    "stuck": Status.PROCESSING,
    "completed": Status.COMPLETED,
    "expired": Status.FAILED,
    "declined": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
_SUBS = {
    "open": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "challenged": PaymentSub.REQUIRES_ACTION,
    "held": PaymentSub.REQUIRES_CAPTURE,
}
_ORDER_STATUS = {
    "expired": OrderStatus.EXPIRED,
    "cancelled": OrderStatus.CANCELLED,
}


def tell(dice: Dice, cast: Cast, at: datetime, now: datetime) -> Story:
    """Make up what happened to an order made at `at`, as it looks at `now`."""
    of = asset(dice.weighted(_CURRENCIES))
    total = _price(dice, of)
    deposit = _round(total * dice.between(1, 5) // 10, of) if dice.permille(700) else None
    attempts = [_attempt(dice, "deposit", deposit or total, at, now)]
    first = attempts[0]
    if deposit and first.end == "completed" and dice.permille(300):
        later = first.ended_at + timedelta(minutes=dice.between(60, 20_000))
        if later < now:
            attempts.append(_attempt(dice, "balance", total - deposit, later, now))
    return Story(
        description=dice.pick(_GOODS),
        asset=of,
        total_minor=total,
        deposit_minor=deposit,
        merchant_id=dice.pick(cast.merchants),
        buyer_id=dice.pick(cast.buyers),
        seller_id=dice.pick(cast.sellers),
        made_at=at - timedelta(minutes=dice.between(2, 90)),
        attempts=attempts,
        milestones=_milestones(dice, total, of) if dice.permille(350) else [],
    )


def _price(dice: Dice, of: Asset) -> int:
    major = dice.between(19, 240) if dice.permille(600) else dice.between(240, 6_400)
    return _round(major * 10**of.scale * (120 if of.scale == 0 else 1) + dice.below(100), of)


def _round(minor: int, of: Asset) -> int:
    # Stripe takes three-decimal amounts only when they end in 0.
    return max(minor - minor % 10, 10) if of.scale == 3 else max(minor, 1)


def _milestones(dice: Dice, total: int, of: Asset) -> list[tuple[str, int]]:
    count = dice.between(2, len(_PARTS))
    share = _round(total // count, of)
    parts = [(title, share) for title in _PARTS[: count - 1]]
    return [*parts, (_PARTS[count - 1], total - share * (count - 1))]


def _attempt(dice: Dice, purpose: str, minor: int, at: datetime, now: datetime) -> Attempt:
    end = _end(dice, now - at)
    told_at = min(at + timedelta(seconds=dice.between(15, 900)), now)
    ended_at = told_at
    if end == "expired":
        ended_at = at + timedelta(hours=24)
    return Attempt(
        purpose=purpose,
        method="checkout" if dice.permille(250) else "intent",
        end=end,
        amount_minor=minor,
        begun_at=at,
        told_at=told_at,
        ended_at=ended_at,
        brand=dice.weighted(_CARDS),
        last4=f"{dice.below(10_000):04d}",
        decline=dice.pick(_DECLINES) if end == "declined" else None,
    )


def _end(dice: Dice, age: timedelta) -> str:
    if age < YOUNG and dice.permille(400):
        return dice.weighted((("open", 80), ("challenged", 20)))
    if age < WAITING and dice.permille(160):
        return dice.weighted((("held", 50), ("debiting", 50)))
    end = dice.weighted(_ENDS)
    is_early = age < WAITING and end in ("expired", "stuck")
    return "completed" if is_early else end
