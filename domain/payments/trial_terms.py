"""What a trial grants and what proves a card for it, as the operator of this installation set it."""

from __future__ import annotations

from config import TRIAL_LIMIT, Settings, parse_trial_limit
from core.money import Asset, Money, asset
from models.effects import Trial

_limit: list[Money] = [parse_trial_limit(TRIAL_LIMIT)]
# What is held, in the smallest unit of a currency without decimals: Stripe takes about half a dollar and up.
# Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_LEAST_WITHOUT_DECIMALS = 100


def configure(settings: Settings) -> None:
    """Take the operator's limit."""
    _limit[0] = settings.trial_limit


def limit() -> Money:
    """Give how much a trial grants, in the account's currency."""
    return _limit[0]


def hold() -> Money:
    """Give what is held on a card to prove it, and let go at once: 1.00 of the account's currency."""
    of = _limit[0].asset
    return Money(10**of.scale if of.scale >= 2 else _LEAST_WITHOUT_DECIMALS, of)


def asset_of(trial: Trial) -> Asset:
    """Give the currency of a trial as it was when it was asked for."""
    return asset(trial.asset)
