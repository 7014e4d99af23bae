"""What a document says, as plain values: who builds one fills these in; how it looks is not decided here.

Amounts are minor units of the document's `asset` (`EUR/2` or `EUR`). Each kind refuses sums that do not
add up, so that no document can be printed that contradicts itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from core.money import asset

INVOICE, DEPOSIT_INVOICE, CREDIT_NOTE = "invoice", "deposit_invoice", "credit_note"
# A document longer than this is an export, not a letter.
MOST_LINES = 1000


class DoesNotAddUp(ValueError):
    """The sums of a document contradict each other; the message names them, never a person."""


def _assert_equal(what: str, said: int, found: int) -> None:
    if said != found:
        raise DoesNotAddUp(f"{what} is said to be {said}, but adds up to {found}")


def _assert_short(lines: Sequence[object]) -> None:
    if len(lines) > MOST_LINES:
        raise ValueError(f"a document has at most {MOST_LINES} lines")


def _assert_said(what: str, text: str) -> None:
    """An empty word is no word: a standard's reader refuses it, and a person wonders."""
    if not any(each.isprintable() and not each.isspace() for each in text):
        raise ValueError(f"{what} without a word")


def _assert_decimal(text: str) -> None:
    try:
        is_plain = Decimal(text).is_finite() and "e" not in text.lower()
    except InvalidOperation:
        is_plain = False
    if not is_plain:
        raise ValueError("a quantity or a rate is no plain decimal")


@dataclass(frozen=True)
class Party:
    """Who sells or buys. address: its lines as written, without place and country.

    country: two letters of ISO 3166-1. identifier: what we call them by (a merchant's id).
    registration: the number in a register of companies.
    """

    name: str
    address: tuple[str, ...] = ()
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    vat_id: str | None = None
    registration: str | None = None
    email: str | None = None
    identifier: str | None = None

    def __post_init__(self) -> None:
        _assert_said("a party", self.name)


@dataclass(frozen=True)
class Line:
    """One thing that is sold. quantity, tax_rate (percent): plain decimals, such as `1.5` and `19`.

    unit_minor: the price of one; net_minor: the amount; both without tax.
    """

    description: str
    quantity: str
    unit_minor: int
    net_minor: int
    tax_rate: str = "0"

    def __post_init__(self) -> None:
        _assert_decimal(self.quantity)
        _assert_decimal(self.tax_rate)
        _assert_said("a line", self.description)


@dataclass(frozen=True)
class Tax:
    """The tax of one rate: on what, and how much."""

    rate: str
    base_minor: int
    tax_minor: int

    def __post_init__(self) -> None:
        _assert_decimal(self.rate)


@dataclass(frozen=True)
class Reference:
    """Another document, by its number."""

    number: str
    issued_on: date


@dataclass(frozen=True)
class Deducted:
    """An earlier invoice over a part, which a final invoice takes off. taxes: its own, all positive."""

    of: Reference
    taxes: tuple[Tax, ...]

    @property
    def net_minor(self) -> int:
        """What is taken off before tax."""
        return sum(tax.base_minor for tax in self.taxes)


@dataclass(frozen=True)
class Bill:
    """An invoice, a deposit invoice or a credit note, as it was issued. Amounts are positive.

    document: INVOICE, DEPOSIT_INVOICE or CREDIT_NOTE. taxes, net, tax and total: of this document, what
    was deducted is taken off. prepaid_minor: what was paid before this was printed; credited_minor,
    written_off_minor: what nobody is asked for any more by then. of: the invoice that
    a credit note is of. supersedes: the one that an invoice was issued anew for. reason: why a credit note
    was issued. pay_url: where it can be paid. is_void: it was taken back before it was printed. is_test: no
    money is owed, and every page says so.
    Raises: DoesNotAddUp, ValueError.
    """

    document: str
    number: str
    asset: str
    issued_on: date
    seller: Party
    buyer: Party | None
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    order_id: str
    deducted: tuple[Deducted, ...] = ()
    prepaid_minor: int = 0
    credited_minor: int = 0
    written_off_minor: int = 0
    due_on: date | None = None
    of: Reference | None = None
    supersedes: Reference | None = None
    reference: str | None = None
    reason: str | None = None
    note: str | None = None
    pay_url: str | None = None
    is_void: bool = False
    is_test: bool = True

    @property
    def due_minor(self) -> int:
        """What is still to be paid, or given back."""
        return self.total_minor - self.settled_minor

    @property
    def settled_minor(self) -> int:
        """What of the total is not to be paid any more, for one reason or another."""
        return self.prepaid_minor + self.credited_minor + self.written_off_minor

    @property
    def lines_minor(self) -> int:
        """What the lines add up to, before anything is deducted."""
        return sum(line.net_minor for line in self.lines)

    def __post_init__(self) -> None:
        if self.document not in (INVOICE, DEPOSIT_INVOICE, CREDIT_NOTE):
            raise ValueError("an unknown kind of document")
        asset(self.asset)
        _assert_short((*self.lines, *self.deducted))
        _assert_said("a number", self.number)
        if not self.lines:
            raise ValueError("a document without lines")
        if self.pay_url is not None and not self.pay_url.startswith(("https://", "http://")):
            raise ValueError("a pay page has a web address")
        _assert_equal("tax", self.tax_minor, sum(tax.tax_minor for tax in self.taxes))
        _assert_equal("net", self.net_minor, sum(tax.base_minor for tax in self.taxes))
        _assert_equal("total", self.total_minor, self.net_minor + self.tax_minor)
        for rate in {Decimal(line.tax_rate) for line in self.lines} | set(self._bases()):
            billed = sum(x.net_minor for x in self.lines if Decimal(x.tax_rate) == rate)
            _assert_equal(f"base of {rate} %", self._bases().get(rate, 0), billed - self._off(rate))

    def _bases(self) -> dict[Decimal, int]:
        return {Decimal(tax.rate): tax.base_minor for tax in self.taxes}

    def _off(self, rate: Decimal) -> int:
        rows = [tax for each in self.deducted for tax in each.taxes]
        return sum(tax.base_minor for tax in rows if Decimal(tax.rate) == rate)


@dataclass(frozen=True)
class Total:
    """What one currency moved in a month: debits and credits, equal when the books balance."""

    asset: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True)
class Check:
    """One item of a checklist. count: how many were looked at or found; note: what to say of it."""

    item: str
    is_ok: bool
    count: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Carried:
    """Something that is left open, and why."""

    item: str
    reason: str
    count: int | None = None


@dataclass(frozen=True)
class Chain:
    """A hash chain as it stood: which, how many rows, and the hash of the last one."""

    name: str
    length: int
    head: str


@dataclass(frozen=True)
class Signer:
    """Who signed. act: such as `Asked for the close` or `Agreed`."""

    name: str
    role: str
    act: str
    at: datetime


@dataclass(frozen=True)
class Certificate:
    """The close of a month. period: `2026-11`; close_no: which closing of it; verify: how to check it.

    late_facts: how many entries of the month were booked after an earlier close. reopened: sentences
    about each time it was reopened. Raises: DoesNotAddUp when a currency does not balance.
    """

    period: str
    entity: str
    close_no: int
    closed_at: datetime
    zone: str
    totals: tuple[Total, ...]
    checklist: tuple[Check, ...]
    carried_forward: tuple[Carried, ...]
    chains: tuple[Chain, ...]
    snapshot_sha256: str
    signers: tuple[Signer, ...]
    verify: tuple[str, ...]
    entries: int = 0
    accounts: int = 0
    note: str = ""
    reopened: tuple[str, ...] = ()
    is_test: bool = True

    def __post_init__(self) -> None:
        for total in self.totals:
            _assert_equal(f"credits in {total.asset}", total.credit_minor, total.debit_minor)
        _assert_short((*self.totals, *self.checklist, *self.carried_forward))


@dataclass(frozen=True)
class StatementLine:
    """One posting of an account; exactly one of debit and credit. balance_minor: after it."""

    on: date
    description: str
    reference: str
    debit_minor: int | None
    credit_minor: int | None
    balance_minor: int


@dataclass(frozen=True)
class Subtotal:
    """What lines of one sort come to, such as `Fees`: debits and credits of them."""

    label: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True)
class Statement:
    """An account over a time. credit_grows: a credit raises the balance (what is owed to somebody).

    account: the address; label: what it is called; holder: whose it is. through: the last day.
    prepared_by: who keeps the books. subtotals: parts of the sums, each line in one at most.
    Raises: DoesNotAddUp.
    """

    title: str
    account: str
    label: str
    holder: Party
    asset: str
    since: date
    through: date
    opening_minor: int
    lines: tuple[StatementLine, ...]
    closing_minor: int
    prepared_at: datetime
    zone: str
    credit_grows: bool = True
    note: str = ""
    is_test: bool = True
    prepared_by: str = ""
    subtotals: tuple[Subtotal, ...] = ()

    @property
    def debits_minor(self) -> int:
        """What all debits come to."""
        return sum(line.debit_minor or 0 for line in self.lines)

    @property
    def credits_minor(self) -> int:
        """What all credits come to."""
        return sum(line.credit_minor or 0 for line in self.lines)

    def __post_init__(self) -> None:
        asset(self.asset)
        _assert_short(self.lines)
        balance = self.opening_minor
        for line in self.lines:
            moved = (line.credit_minor or 0) - (line.debit_minor or 0)
            balance += moved if self.credit_grows else -moved
            _assert_equal("balance", line.balance_minor, balance)
        _assert_equal("closing", self.closing_minor, balance)
        debits = sum(each.debit_minor for each in self.subtotals)
        credited = sum(each.credit_minor for each in self.subtotals)
        if debits > self.debits_minor or credited > self.credits_minor:
            raise DoesNotAddUp("the subtotals come to more than all lines")


Content: TypeAlias = Bill | Certificate | Statement
