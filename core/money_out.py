"""Who may do what with money and with the rights over it: the one table that no door can go around.

Source: states.md section 3. Printed to `docs/states.md`. `domain/control/money_out.py` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.money import Money, asset, parse
from core.permissions import Permission


class Act(StrEnum):
    """One guarded act; also the kind of its approval."""

    REFUND = "refund"
    MARK_PAYMENT = "mark_payment"
    WRITE_OFF = "write_off"
    FREEZE_LIFT = "freeze_lift"
    RULE_ENABLE = "rule_enable"
    ROLE_CHANGE = "role_change"
    DISPUTE_ACCEPT = "dispute_accept"
    PERIOD_CLOSE = "period_close"
    PERIOD_REOPEN = "period_reopen"
    MANUAL_ENTRY = "manual_entry"
    ENTRY_REVERSAL = "entry_reversal"


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
    # The bank took the money already: giving up moves nothing out, but it cannot be undone.
    Act.DISPUTE_ACCEPT: Rule(
        "Give a dispute up",
        asks=P.DISPUTES_ACCEPT,
        requests=P.DISPUTES_ACCEPT,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.MANUAL_ENTRY: Rule(
        "Manual journal entry",
        asks=P.JOURNAL_POST,
        requests=P.JOURNAL_POST,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.ENTRY_REVERSAL: Rule(
        "Reversal of a manual entry",
        asks=P.JOURNAL_POST,
        requests=P.JOURNAL_POST,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.PERIOD_CLOSE: Rule(
        "Close of a month",
        asks=P.PERIODS_CLOSE,
        requests=P.PERIODS_CLOSE,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
    Act.PERIOD_REOPEN: Rule(
        "Reopening of a month",
        asks=P.PERIODS_REOPEN,
        requests=P.PERIODS_REOPEN,
        agrees=P.APPROVALS_DECIDE,
        second=Second.ALWAYS,
        asker_steps_up=True,
        is_held_by_freeze=False,
    ),
}

# How old a second factor may be where one is asked for, and how long a request waits.
STEP_UP_SECONDS = 300
APPROVAL_SECONDS = 24 * 3600
# Up to here one person may move money alone; above it, and in any other currency, a second agrees.
# What an installation starts with; its operator sets others in SECOND_PERSON_ABOVE.
LIMITS = "EUR:500,USD:500,GBP:500,CHF:500,JPY:75000,SEK:5000,NOK:5000,DKK:5000,PLN:2000,KWD:150"


def parse_limits(text: str) -> dict[str, Money]:
    """Read `EUR:500,JPY:75000` (major units): the most that one person moves alone, by currency.

    Raises: ValueError for an unknown currency, one that is named twice, or an amount that is none.
    """
    found: dict[str, Money] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        code, colon, amount = part.partition(":")
        of = asset(code.strip())
        if not colon or of.code in found:
            raise ValueError(f"{part!r} must be one CODE:amount for each currency")
        found[of.code] = parse(amount.strip(), of)
        if found[of.code].minor < 0:
            raise ValueError(f"{part!r} must not be less than nothing")
    return found


def is_above(amount: Money, limits: Mapping[str, Money]) -> bool:
    """Tell whether an amount needs a second person; a currency without a limit always does."""
    most = limits.get(amount.asset.code)
    return most is None or most < amount
