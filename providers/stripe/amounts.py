"""Stripe's integers to our minor units and back: its exponents differ from ISO 4217 for a few currencies."""

from __future__ import annotations

from core.money import Asset, Money, asset

# Stripe keeps two decimals for these although ISO 4217 has none; the last two digits must be 00.
# Source: https://docs.stripe.com/currencies#special-cases
_TWO_AT_STRIPE = frozenset({"ISK", "UGX"})


def _factor(of: Asset) -> int:
    return 100 if of.code in _TWO_AT_STRIPE else 1


def to_stripe(amount: Money) -> int:
    """Give the integer that Stripe takes for an amount.

    Raises: ValueError for three-decimal amounts that do not end in 0, which Stripe refuses.
    """
    if amount.asset.scale == 3 and amount.minor % 10:
        raise ValueError(f"{amount.asset.code} amounts must end in 0 at Stripe")
    return amount.minor * _factor(amount.asset)


def from_stripe(amount: int, currency: str) -> Money:
    """Read Stripe's integer and lower-case currency.

    Raises: ValueError for a currency we do not know.
    """
    of = asset(currency)
    return Money(amount // _factor(of), of)


def is_whole(amount: int, of: Asset) -> bool:
    """Tell whether Stripe's integer is a whole number of the ledger's units, as fees need not be."""
    return amount % _factor(of) == 0
