"""The chart of accounts: every address that money may have, what kind it is and what it means.

An address such as `merchant:mrc_1:payable` is a pattern of this table filled in; the books know no other.
`docs/chart-of-accounts.md` is drawn from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

_PART = re.compile(r"\{(\w+)\}")
# What a part of an address may be: an id of ours, a provider, a currency.
_FILLED = r"[A-Za-z0-9_.\-]+"
RESERVED = ":reserved"


class Kind(StrEnum):
    """On which side an account grows: assets and expenses by debits, the others by credits."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    EQUITY = "equity"


class Side(StrEnum):
    """Whose ledger an account belongs to; what a buyer paid and what a seller is owed never share one."""

    BUYER = "buyer"
    SELLER = "seller"
    HOUSE = "house"


@dataclass(frozen=True)
class Pattern:
    """One line of the chart.

    label: for people, with the parts of the address in braces. is_limited: nothing may be taken of it
    that is not there, so its balance is kept beside the postings. must_be_zero: whether a period closes
    only once nothing is left on it.
    """

    template: str
    kind: Kind
    side: Side
    label: str
    means: str
    is_limited: bool = False
    must_be_zero: bool = False

    def at(self, **parts: str) -> str:
        """Fill the address in."""
        return self.template.format(**parts)

    def parts_of(self, address: str) -> dict[str, str] | None:
        """Read the parts of an address, or None when it is of another pattern."""
        found = _reader(self.template).fullmatch(address)
        return None if found is None else found.groupdict()


@cache
def _reader(template: str) -> re.Pattern[str]:
    pieces = _PART.split(template)
    written = [
        f"(?P<{piece}>{_FILLED})" if no % 2 else re.escape(piece) for no, piece in enumerate(pieces)
    ]
    return re.compile("".join(written), re.ASCII)


CLEARING = Pattern(
    "provider:{provider}:clearing",
    Kind.ASSET,
    Side.HOUSE,
    "{provider} clearing",
    "What a provider has received for us and has not paid out yet.",
)
SUSPENSE = Pattern(
    "suspense:manual:{provider}",
    Kind.ASSET,
    Side.HOUSE,
    "Suspense, {provider}",
    "What two people vouched for and the provider has not confirmed.",
    must_be_zero=True,
)
TRANSIT = Pattern(
    "transit:{provider}",
    Kind.ASSET,
    Side.HOUSE,
    "On its way from {provider}",
    "What a provider says it paid out to our bank and no bank statement shows yet.",
)
CASH = Pattern(
    "cash:{account}",
    Kind.ASSET,
    Side.HOUSE,
    "Bank account {account}",
    "What a bank account of ours holds, by its statements.",
)
DISPUTED = Pattern(
    "dispute:{dispute}:at_risk",
    Kind.ASSET,
    Side.HOUSE,
    "Disputed, {dispute}",
    "What a payer's bank holds until a dispute is decided: a claim of ours.",
)
BUYER_FUNDS = Pattern(
    "buyer:{buyer}:funds",
    Kind.LIABILITY,
    Side.BUYER,
    "Buyer's funds, {buyer}",
    "What a buyer paid in and no order holds.",
)
PAYER_FUNDS = Pattern(
    "payer:{payment}:funds",
    Kind.LIABILITY,
    Side.BUYER,
    "Payer's funds, {payment}",
    "The same for a payment whose payer has no account.",
)
WALLET = Pattern(
    "wallet:{user}:balance",
    Kind.LIABILITY,
    Side.BUYER,
    "Wallet, {user}",
    "What a person may spend: confirmed top-ups and coupons less what was spent.",
    is_limited=True,
)
ESCROW_HOLD = Pattern(
    "order:{order}:escrow_hold",
    Kind.LIABILITY,
    Side.BUYER,
    "Escrow hold, {order}",
    "What is held for an order until it is released or given back.",
    is_limited=True,
)
UNAPPLIED = Pattern(
    "payment:{payment}:unapplied",
    Kind.LIABILITY,
    Side.BUYER,
    "Unapplied, {payment}",
    "Money that came for a payment which had already ended.",
)
MERCHANT_PAYABLE = Pattern(
    "merchant:{merchant}:payable",
    Kind.LIABILITY,
    Side.SELLER,
    "Payable, {merchant}",
    "What is owed to a merchant and not paid out.",
    is_limited=True,
)
SELLER_PAYABLE = Pattern(
    "seller:{seller}:payable",
    Kind.LIABILITY,
    Side.SELLER,
    "Payable, {seller}",
    "What is owed to a seller and not paid out.",
    is_limited=True,
)
REVENUE = Pattern(
    "revenue:{merchant}",
    Kind.INCOME,
    Side.HOUSE,
    "Revenue, {merchant}",
    "What was earned: orders that are complete, wallets that were spent.",
)
PROMOTIONS = Pattern(
    "promotions:{provider}",
    Kind.EXPENSE,
    Side.HOUSE,
    "Promotions, {provider}",
    "What coupons cost: credited to wallets, paid by nobody.",
)
RAIL_FEES = Pattern(
    "fees:{provider}",
    Kind.EXPENSE,
    Side.HOUSE,
    "Fees, {provider}",
    "What a provider keeps for moving money, apart from currency exchange.",
)
DISPUTE_FEES = Pattern(
    "disputes:{provider}:fees",
    Kind.EXPENSE,
    Side.HOUSE,
    "Dispute fees, {provider}",
    "What disputes cost at a provider, won or lost.",
)
DISPUTES_LOST = Pattern(
    "disputes:lost",
    Kind.EXPENSE,
    Side.HOUSE,
    "Lost disputes",
    "What payers' banks kept.",
)
REVERSALS_LOST = Pattern(
    "reversals:lost",
    Kind.EXPENSE,
    Side.HOUSE,
    "Late failures",
    "What was taken back after it had been final, and was held no more.",
)
WRITE_OFFS = Pattern(
    "expense:write_off",
    Kind.EXPENSE,
    Side.HOUSE,
    "Write-offs",
    "What was missing of orders and given up by two people.",
)
FX_POSITION = Pattern(
    "fx:{provider}:position",
    Kind.EQUITY,
    Side.HOUSE,
    "Exchanged at {provider}",
    "Both sides of what a provider exchanged: minus in one currency, plus in the other, at its own rate.",
)
FX_FEES = Pattern(
    "fx:{provider}:fees",
    Kind.EXPENSE,
    Side.HOUSE,
    "Exchange fees, {provider}",
    "What a provider charges for exchanging, where it says so apart from its rate.",
)
FX_DIFFERENCE = Pattern(
    "fx:difference",
    Kind.INCOME,
    Side.HOUSE,
    "Exchange differences",
    "Gains and losses between the rate an amount was booked at and the rate it was exchanged at.",
)
DUST = Pattern(
    "dust:{provider}",
    Kind.INCOME,
    Side.HOUSE,
    "Dust, {provider}",
    "Fractions too small for the ledger's scale, and residues within a provider's tolerance.",
)
ADJUSTMENTS = Pattern(
    "adjustments:{name}",
    Kind.EQUITY,
    Side.HOUSE,
    "Adjustments, {name}",
    "The other side of manual entries that belong to no other account, such as opening balances.",
)

CHART: tuple[Pattern, ...] = (
    CLEARING,
    SUSPENSE,
    TRANSIT,
    CASH,
    DISPUTED,
    BUYER_FUNDS,
    PAYER_FUNDS,
    WALLET,
    ESCROW_HOLD,
    UNAPPLIED,
    MERCHANT_PAYABLE,
    SELLER_PAYABLE,
    REVENUE,
    PROMOTIONS,
    RAIL_FEES,
    DISPUTE_FEES,
    DISPUTES_LOST,
    REVERSALS_LOST,
    WRITE_OFFS,
    FX_POSITION,
    FX_FEES,
    FX_DIFFERENCE,
    DUST,
    ADJUSTMENTS,
)
_BY_HEAD: Mapping[str, list[Pattern]] = {
    head: [each for each in CHART if each.template.split(":")[0] == head]
    for head in {each.template.split(":")[0] for each in CHART}
}


def find(address: str) -> Pattern | None:
    """Find the pattern of an address, of its reserved part too; None: the chart has no such account."""
    plain = address.removesuffix(RESERVED)
    candidates = _BY_HEAD.get(plain.split(":")[0], [])
    return next((each for each in candidates if each.parts_of(plain) is not None), None)


def label_of(address: str, say: Callable[[str, str], str] = lambda _, value: value) -> str:
    """Name an account for people; an address that is not of the chart stays as it is.

    say: how a part of the address reads, by its name in the pattern (`provider`, `merchant`) and its value.
    """
    pattern = find(address)
    if pattern is None:
        return address
    parts = pattern.parts_of(address.removesuffix(RESERVED)) or {}
    said = pattern.label.format(**{name: say(name, value) for name, value in parts.items()})
    said = said[0].upper() + said[1:]
    return f"{said}, reserved" if address.endswith(RESERVED) else said
