"""Amounts as people and statements write them; both currencies have two decimals."""

from __future__ import annotations


def plain(amount: int) -> str:
    """Return an amount without its currency and without groups, such as `-1234.50`."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def shown(amount: int, currency: str) -> str:
    """Return an amount for people, such as `1,234.50 EUR`."""
    return f"{amount // 100:,}.{amount % 100:02d} {currency}"
