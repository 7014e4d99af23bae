"""Which bills EN 16931 can express, and what the others lack: in words for people, and codes for machines.

Source: EN 16931-1, BR-DEC, BR-CL-03, BR-CL-14, BR-S-02.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from babel import Locale

from core.money import asset
from printing.contents import Bill

# BR-DEC: amounts have at most two decimals.
MOST_DECIMALS = 2
# Not in the list of currencies that BR-CL-03 allows: no currencies of ISO 4217 at all, or too new.
TOKENS = frozenset("USDT USDC PYUSD DAI ETH BNB MATIC BTC".split())


@dataclass(frozen=True)
class Lack:
    """One thing that keeps a bill from being an electronic invoice. field: of the order's `invoice` that
    would say it, or None where nothing that is entered can help.
    """

    code: str
    said: str
    field: str | None = None


def why_not(bill: Bill) -> tuple[Lack, ...]:
    """Say what a bill lacks for the standard to express it; empty when it can."""
    return (*_currency(bill), *_parties(bill), *_tax(bill))


def _currency(bill: Bill) -> Sequence[Lack]:
    of = asset(bill.asset)
    if of.code in TOKENS:
        return [Lack("currency_not_iso", f"{of.code} is not a currency of ISO 4217.")]
    if of.scale <= MOST_DECIMALS:
        return []
    finest = 10 ** (of.scale - MOST_DECIMALS)
    if not any(minor % finest for minor in _amounts(bill)):
        return []
    said = f"Amounts in {of.code} have more than the two decimals the standard allows."
    return [Lack("too_many_decimals", said)]


def _parties(bill: Bill) -> Sequence[Lack]:
    found = []
    for who, party in (("seller", bill.seller), ("buyer", bill.buyer)):
        if party is None:
            found.append(Lack(f"{who}_missing", f"The {who} is not known.", who))
        elif party.country not in countries():
            said = f"The {who}'s country is not known."
            found.append(Lack(f"{who}_country_missing", said, f"{who}.address.country"))
    return found


def _tax(bill: Bill) -> Sequence[Lack]:
    if bill.seller.vat_id is not None or not any(Decimal(tax.rate) for tax in bill.taxes):
        return []
    said = "The seller's VAT ID is not known."
    return [Lack("seller_vat_id_missing", said, "seller.vatId")]


def _amounts(bill: Bill) -> Sequence[int]:
    lines = [line.net_minor for line in bill.lines]
    rows = [*bill.taxes, *(tax for each in bill.deducted for tax in each.taxes)]
    taxes = [minor for tax in rows for minor in (tax.base_minor, tax.tax_minor)]
    return [*lines, *taxes, bill.prepaid_minor, bill.settled_minor]


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    names = [str(name) for name in Locale("en").territories]
    # CLDR also knows regions that ISO 3166-1 has not, and the placeholder.
    strange = {
        "AC",
        "CP",
        "CQ",
        "DG",
        "EA",
        "EU",
        "EZ",
        "IC",
        "QO",
        "TA",
        "UN",
        "XA",
        "XB",
        "XK",
        "ZZ",
    }
    return frozenset(name for name in names if len(name) == 2 and name not in strange)
