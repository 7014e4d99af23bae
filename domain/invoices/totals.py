"""What an invoice's lines add up to, to the minor unit: line by line, then tax once per rate; pure.

Source: EN 16931-1 section 6.4, rules BR-CO-10 to BR-CO-17; CEF semantic rounding: half away from zero
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from core.money import LARGEST_MINOR, Money

_DIGITS = 60
_LONGEST_RATE = 12
ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    """One line as it is billed. unit: the price of one without tax; rate: percent; net: without tax."""

    description: str
    quantity: Decimal
    unit: Money
    rate: Decimal
    net: Money


@dataclass(frozen=True)
class TaxRow:
    """What is taxed at one rate, and its tax."""

    rate: Decimal
    base: Money
    tax: Money

    @property
    def gross(self) -> Money:
        """Base and tax together."""
        return self.base + self.tax


@dataclass(frozen=True)
class Totals:
    """All rows of tax, the highest rate first, with their sums."""

    taxes: tuple[TaxRow, ...]
    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        """What is to be paid for it."""
        return self.net + self.tax


def rounded(exact: Decimal) -> int:
    """Round to whole minor units, a half away from zero."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _minor(exact: Decimal, like: Money) -> Money:
    """Give exact minor units as money of the same asset. Raises: ValueError when it is too large."""
    if abs(exact) > LARGEST_MINOR:
        raise ValueError("the amount is too large")
    return Money(rounded(exact), like.asset)


def line(description: str, quantity: Decimal, unit: Money, rate: Decimal) -> Line:
    """Price one line: quantity times unit price, rounded once. Raises: ValueError when it is too large."""
    with localcontext() as context:
        context.prec = _DIGITS
        net = _minor(quantity * unit.minor, unit)
    return Line(description, quantity, unit, rate, net)


def tax_of(base: Money, rate: Decimal) -> Money:
    """Tax what is billed at one rate, rounded once."""
    with localcontext() as context:
        context.prec = _DIGITS
        return _minor(base.minor * rate / 100, base)


def add_up(rows: Sequence[TaxRow]) -> Totals:
    """Sum rows of tax; those of the same rate become one."""
    by_rate: dict[Decimal, TaxRow] = {}
    for row in rows:
        known = by_rate.get(row.rate)
        by_rate[row.rate] = (
            row if known is None else TaxRow(row.rate, known.base + row.base, known.tax + row.tax)
        )
    of = rows[0].base.asset
    taxes = tuple(by_rate[rate] for rate in sorted(by_rate, reverse=True))
    net = Money(sum(row.base.minor for row in taxes), of)
    tax = Money(sum(row.tax.minor for row in taxes), of)
    return Totals(taxes, net, tax)


def of_lines(lines: Sequence[Line]) -> Totals:
    """Sum lines: what is taxed per rate, the tax of each rate, all of it. At least one line."""
    bases: dict[Decimal, Money] = {}
    for each in lines:
        bases[each.rate] = bases[each.rate] + each.net if each.rate in bases else each.net
    return add_up([TaxRow(rate, base, tax_of(base, rate)) for rate, base in bases.items()])


def split_gross(gross: Money, rate: Decimal) -> TaxRow:
    """Split an amount that includes its tax into base and tax, which add up to it again."""
    with localcontext() as context:
        context.prec = _DIGITS
        net = _minor(gross.minor * 100 / (100 + rate), gross)
    return TaxRow(rate, net, gross - net)


def share(whole: Totals, part: Money) -> Totals:
    """Take a part of a taxed whole, by the weight of each rate; its rows add up to the part.

    Neither the base nor the tax of a rate is ever more than the whole's, so that the rest of it is no
    less than nothing. part: at most the whole. Raises: ValueError when the whole is nothing.
    """
    parts = part.allocate([row.gross.minor for row in whole.taxes])
    return add_up([_within(row, amount) for amount, row in zip(parts, whole.taxes, strict=True)])


def _within(row: TaxRow, gross: Money) -> TaxRow:
    least, most = max(0, gross.minor - row.base.minor), min(row.tax.minor, gross.minor)
    tax = Money(min(max(split_gross(gross, row.rate).tax.minor, least), most), gross.asset)
    return TaxRow(row.rate, gross - tax, tax)


def less(whole: Totals, taken: Iterable[TaxRow]) -> Totals:
    """Take rows off a whole, rate by rate."""
    return add_up([*whole.taxes, *(TaxRow(row.rate, -row.base, -row.tax) for row in taken)])


def rate_behind(net: Money, tax: Money) -> Decimal | None:
    """Find the shortest percentage that makes this tax of this base, or None when there is none below 100."""
    if net.minor <= 0 or tax.minor < 0:
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(tax.minor) * 100 / net.minor
        for places in range(_LONGEST_RATE):
            rate = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
            if rate < 100 and tax_of(net, rate) == tax:
                return rate
    return None


def by_rate(rows: Iterable[TaxRow]) -> Mapping[Decimal, TaxRow]:
    """Give rows of tax by their rate."""
    return {row.rate: row for row in rows}
