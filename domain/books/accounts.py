"""Naming accounts: one function per line of the chart that code posts to."""

from __future__ import annotations

from dataclasses import dataclass

from core import chart
from core.chart import RESERVED, Pattern


@dataclass(frozen=True)
class Account:
    """An address of the chart. kind: as in `core.chart.Kind`; merchant_id: whose it is, if a merchant's."""

    address: str
    kind: str
    merchant_id: str | None = None


def _at(pattern: Pattern, merchant_id: str | None = None, **parts: str) -> Account:
    return Account(pattern.at(**parts), pattern.kind.value, merchant_id)


def clearing(provider: str) -> Account:
    """Name what a provider holds for us until it pays out."""
    return _at(chart.CLEARING, provider=provider)


def suspense(provider: str) -> Account:
    """Name what people vouched a provider holds for us, until it says so itself."""
    return _at(chart.SUSPENSE, provider=provider)


def transit(provider: str) -> Account:
    """Name what a provider paid out and no bank statement shows yet."""
    return _at(chart.TRANSIT, provider=provider)


def buyer_funds(buyer_id: str | None, payment_id: str) -> Account:
    """Name what a buyer has paid in; without a known buyer it hangs on the payment."""
    if buyer_id:
        return _at(chart.BUYER_FUNDS, buyer=buyer_id)
    return _at(chart.PAYER_FUNDS, payment=payment_id)


def wallet(user_id: str) -> Account:
    """Name what a person may spend: theirs, owed by us."""
    return _at(chart.WALLET, user=user_id)


def promotions(provider: str) -> Account:
    """Name what coupons cost us: money that nobody paid in."""
    return _at(chart.PROMOTIONS, provider=provider)


def escrow_hold(order_id: str, merchant_id: str) -> Account:
    """Name what is held for an order until it is released or refunded."""
    return _at(chart.ESCROW_HOLD, merchant_id, order=order_id)


def unapplied(payment_id: str) -> Account:
    """Name money that came for a payment that had already ended."""
    return _at(chart.UNAPPLIED, payment=payment_id)


def merchant_payable(merchant_id: str) -> Account:
    """Name what is owed to a merchant and not paid out."""
    return _at(chart.MERCHANT_PAYABLE, merchant_id, merchant=merchant_id)


def revenue(merchant_id: str) -> Account:
    """Name what was earned with a merchant."""
    return _at(chart.REVENUE, merchant_id, merchant=merchant_id)


def rail_fees(provider: str) -> Account:
    """Name what a provider keeps for moving money."""
    return _at(chart.RAIL_FEES, provider=provider)


def exchanged(provider: str) -> Account:
    """Name both sides of what a provider exchanged."""
    return _at(chart.FX_POSITION, provider=provider)


def exchange_fees(provider: str) -> Account:
    """Name what a provider charges for exchanging, apart from its rate."""
    return _at(chart.FX_FEES, provider=provider)


def cash(account: str) -> Account:
    """Name what a bank account of ours holds, by its statements."""
    return _at(chart.CASH, account=account)


def dust(provider: str) -> Account:
    """Name residues within a provider's tolerance."""
    return _at(chart.DUST, provider=provider)


def disputed(dispute_id: str, merchant_id: str) -> Account:
    """Name what a payer's bank holds until the dispute is decided: a claim of ours."""
    return _at(chart.DISPUTED, merchant_id, dispute=dispute_id)


def dispute_fees(provider: str) -> Account:
    """Name what disputes cost at a provider, won or lost."""
    return _at(chart.DISPUTE_FEES, provider=provider)


def adjustments(name: str) -> Account:
    """Name the other side of entries that belong to no other account."""
    return _at(chart.ADJUSTMENTS, name=name)


DISPUTES_LOST = _at(chart.DISPUTES_LOST)
REVERSALS_LOST = _at(chart.REVERSALS_LOST)
WRITE_OFFS = _at(chart.WRITE_OFFS)


def reserved(account: Account) -> Account:
    """Name the part of an account that is kept back for something that is not over yet."""
    return Account(f"{account.address}{RESERVED}", account.kind, account.merchant_id)


def named(address: str, merchant_id: str | None = None) -> Account | None:
    """Find the account of an address that people typed; None: the chart has none such."""
    pattern = chart.find(address)
    return None if pattern is None else Account(address, pattern.kind.value, merchant_id)
