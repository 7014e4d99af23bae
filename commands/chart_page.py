"""The page `docs/chart-of-accounts.md`, drawn from core/chart.py, core/account_numbers.py and core/entry_kinds.py."""

from __future__ import annotations

from collections.abc import Iterator

from core.account_numbers import NUMBERS
from core.chart import CHART, RESERVED, Kind, Pattern, Side
from core.entry_kinds import KINDS, Tie
from domain.books import manual
from domain.books.manual_lines import NOT_BY_HAND

_HEAD = f"""\
# Chart of accounts

<!-- Written by `flask --app wsgi chart-write` from core/chart.py, core/account_numbers.py and
     core/entry_kinds.py. Change the tables there. -->

Every address that money may have is one of these patterns filled in; the books know no other. Assets and
expenses grow by debits, the others by credits. Each account is kept apart per currency.

An account with a *limit* gives nothing that is not there: its balance is kept beside its postings and
decided by the database. What is set aside of an account lies in its part `…{RESERVED}`. *Number* is what
an accounting program calls the line; it is what the exports `xero`, `quickbooks` and `double_entry` use.
"""
_TITLES = {
    Kind.ASSET: "Assets",
    Kind.LIABILITY: "Liabilities",
    Kind.EQUITY: "Equity",
    Kind.INCOME: "Income",
    Kind.EXPENSE: "Expenses",
}
_SIDES = {Side.BUYER: "buyers", Side.SELLER: "sellers", Side.HOUSE: "house"}
_TIES = {
    Tie.ORDER: "order",
    Tie.INVOICE: "invoice",
    Tie.PAYMENT: "payment",
    Tie.REFERENCE: "provider's reference",
    Tie.REVERSED: "the entry it reverses",
    Tie.RESERVED: "the reservation it ends",
    Tie.NOTE: "note",
}


def page() -> str:
    """Draw the whole page."""
    return "\n".join([_HEAD, *_accounts(), *_kinds(), *_by_hand()]) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _accounts() -> Iterator[str]:
    for kind in Kind:
        yield f"## {_TITLES[kind]}\n"
        yield _row("number", "address", "name", "ledger of", "what it holds", "")
        yield "|---|---|---|---|---|---|"
        for pattern in CHART:
            if pattern.kind == kind:
                yield _account(pattern)
        yield ""


def _account(pattern: Pattern) -> str:
    marks = []
    if pattern.is_limited:
        marks.append("limit")
    if pattern.must_be_zero:
        marks.append("nothing left when a period closes")
    number = NUMBERS[pattern]
    cells = (number.code, f"`{pattern.template}`", number.name, _SIDES[pattern.side])
    return _row(*cells, pattern.means, ", ".join(marks))


def _kinds() -> Iterator[str]:
    yield "## Kinds of entries\n"
    yield "The database refuses an entry of another kind, or one that lacks what its kind must carry.\n"
    yield _row("kind", "what it records", "must carry")
    yield "|---|---|---|"
    for name, kind in KINDS.items():
        ties = ", ".join(_TIES[tie] for tie in Tie if tie in kind.needs)
        yield _row(f"`{name}`", kind.label, ties or "–")
    yield ""


def _by_hand() -> Iterator[str]:
    yield "## Entries by hand\n"
    closed = ", ".join(f"`{pattern.template}`" for pattern in NOT_BY_HAND)
    yield (
        "Finance or an admin asks, another of them agrees; both have just shown a second factor on the desk.\n"
        "People post to every line above but reserved parts and "
        f"{closed}. An account that is one\n"
        "order's or one party's is touched only by an entry of that order, a buyer's money never reaches a\n"
        "seller by hand, and an account with a limit gives only what it holds. An entry is never edited: it\n"
        f"is reversed once, in the open period, and a case reminds of it after {manual.REVERSAL_DAYS} days or on the day\n"
        "that was said."
    )
