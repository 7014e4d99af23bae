"""Who may do what with money and with the rights over it: the one table that no door can go around.

Source: states.md section 3. Printed to `docs/states.md`. `domain/money_out.py` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.money import Money, asset
from core.permissions import Permission


class Act(StrEnum):
    """One guarded act; also the kind of its approval."""

    REFUND = "refund"
    MARK_PAYMENT = "mark_payment"
    WRITE_OFF = "write_off"
    FREEZE_LIFT = "freeze_lift"
    RULE_ENABLE = "rule_enable"
    ROLE_CHANGE = "role_change"


class Second(StrEnum):
    """When a second person must agree."""

    ALWAYS = "always"
    ABOVE_THRESHOLD = "above_threshold"
    WHEN_GRANTING = "when_granting"


@dataclass(frozen=True)
class Rule:
    """One row of the table. asks: permission of a person on the desk; requests: of a caller of the API,
    who only ever requests; asks_above: of a person who asks for more than the threshold; agrees: of
    the second person, who has always just proved themselves.
    """

    label: str
    asks: Permission
    requests: Permission
    agrees: Permission
    second: Second
    asker_steps_up: bool
    is_held_by_freeze: bool
    asks_above: Permission | None = None


P = Permission
RULES: Mapping[Act, Rule] = {
    Act.REFUND: Rule(
        "Refund",
        asks=P.REFUNDS_ASK,
        requests=P.REFUNDS_REQUEST,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ABOVE_THRESHOLD,
        asker_steps_up=True,
        is_held_by_freeze=True,
        asks_above=P.REFUNDS_REQUEST,
    ),
    Act.MARK_PAYMENT: Rule(
        "Mark a payment by hand",
        asks=P.PAYMENTS_RECONCILE,
        requests=P.PAYMENTS_RECONCILE,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.WRITE_OFF: Rule(
        "Write-off",
        asks=P.EXCEPTIONS_BULK,
        requests=P.EXCEPTIONS_BULK,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.FREEZE_LIFT: Rule(
        "Lift a freeze",
        asks=P.FREEZES_LIFT,
        requests=P.FREEZES_LIFT,
        agrees=P.FREEZES_LIFT,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.RULE_ENABLE: Rule(
        "Enable a rule",
        asks=P.RULES_ENABLE,
        requests=P.RULES_ENABLE,
        agrees=P.RULES_ENABLE,
        second=Second.ALWAYS,
        asker_steps_up=False,
        is_held_by_freeze=False,
    ),
    Act.ROLE_CHANGE: Rule(
        "Change of a role",
        asks=P.USERS_APPROVE,
        requests=P.USERS_APPROVE,
        agrees=P.USERS_APPROVE,
        second=Second.WHEN_GRANTING,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
}

# How old a second factor may be where one is asked for, and how long a request waits.
STEP_UP_SECONDS = 300
APPROVAL_SECONDS = 24 * 3600
# Up to here one person may refund; above it, and in any other currency, a second one agrees.
THRESHOLDS_MAJOR: Mapping[str, int] = {
    "EUR": 500,
    "USD": 500,
    "GBP": 500,
    "CHF": 500,
    "JPY": 75_000,
    "SEK": 5_000,
    "NOK": 5_000,
    "DKK": 5_000,
    "PLN": 2_000,
    "KWD": 150,
}


def threshold(code: str) -> Money | None:
    """Give the largest amount that one person may move alone in a currency; None: not even the smallest."""
    major = THRESHOLDS_MAJOR.get(code)
    if major is None:
        return None
    of = asset(code)
    return Money(major * 10**of.scale, of)


def is_above_threshold(amount: Money) -> bool:
    """Tell whether an amount needs a second person."""
    most = threshold(amount.asset.code)
    return most is None or most < amount
