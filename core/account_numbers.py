"""The number and the plain name under which an accounting program keeps each line of the chart.

An accounting program has one account where Paydesk has one per order or person, so a line of the chart
is one account there. Numbers follow the usual ranges: 1 assets, 2 liabilities, 3 equity, 4 income, 5 expenses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import chart
from core.chart import RESERVED, Pattern


@dataclass(frozen=True)
class Number:
    """One account of an accounting program."""

    code: str
    name: str


NUMBERS: Mapping[Pattern, Number] = {
    chart.CLEARING: Number("1100", "Provider clearing"),
    chart.TRANSIT: Number("1110", "Payouts in transit"),
    chart.CASH: Number("1200", "Bank"),
    chart.SUSPENSE: Number("1300", "Suspense"),
    chart.DISPUTED: Number("1400", "Disputed payments"),
    chart.BUYER_FUNDS: Number("2100", "Buyers' funds"),
    chart.PAYER_FUNDS: Number("2110", "Payers' funds"),
    chart.WALLET: Number("2120", "Wallets"),
    chart.ESCROW_HOLD: Number("2200", "Escrow holds"),
    chart.UNAPPLIED: Number("2210", "Unapplied receipts"),
    chart.MERCHANT_PAYABLE: Number("2300", "Payable to merchants"),
    chart.SELLER_PAYABLE: Number("2310", "Payable to sellers"),
    chart.FX_POSITION: Number("3100", "Currency position"),
    chart.ADJUSTMENTS: Number("3900", "Adjustments"),
    chart.REVENUE: Number("4100", "Revenue"),
    chart.FX_DIFFERENCE: Number("4200", "Exchange differences"),
    chart.DUST: Number("4300", "Rounding residues"),
    chart.RAIL_FEES: Number("5100", "Provider fees"),
    chart.FX_FEES: Number("5110", "Exchange fees"),
    chart.DISPUTE_FEES: Number("5200", "Dispute fees"),
    chart.DISPUTES_LOST: Number("5210", "Lost disputes"),
    chart.REVERSALS_LOST: Number("5220", "Late failures"),
    chart.PROMOTIONS: Number("5300", "Promotions"),
    chart.WRITE_OFFS: Number("5400", "Write-offs"),
}
# An account that no line of the chart knows is never left out of a file: it would not balance.
UNKNOWN = Number("9999", "Not of the chart")


def number_of(address: str) -> Number:
    """Give the account under which an accounting program keeps an address, reserved parts with their account."""
    pattern = chart.find(address.removesuffix(RESERVED))
    return UNKNOWN if pattern is None else NUMBERS[pattern]
