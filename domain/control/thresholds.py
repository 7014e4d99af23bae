"""How much one person may move alone, as the operator of this installation set it."""

from __future__ import annotations

from config import Settings
from core.money import Money
from core.money_out import LIMITS, is_above, parse_limits

_limits: dict[str, Money] = parse_limits(LIMITS)


def configure(settings: Settings) -> None:
    """Take the operator's limits."""
    _limits.clear()
    _limits.update(settings.second_person_above)


def is_above_threshold(amount: Money) -> bool:
    """Tell whether an amount is more than one person may move alone in its currency."""
    return is_above(amount, _limits)


def threshold(code: str) -> Money | None:
    """Give the most that one person may move alone in a currency; None: nothing at all."""
    return _limits.get(code)
