"""Journal entries as accounting programs import them: which columns, in whose order, one row per line.

Source: Xero, import of manual journals, https://central.xero.com/s/article/Add-import-and-post-manual-journals
and https://help.xero.com/nz/ManualJournalsImport; QuickBooks Online, import of journal entries,
https://quickbooks.intuit.com/learn-support/en-us/help-article/import-export-data-files/import-journal-entries-quickbooks-online/L4tQBwbs7_US_en_US
"""

from __future__ import annotations

from collections.abc import Iterator

from core.account_numbers import number_of
from core.csvsafe import Cell
from core.ledger_text import Booked
from core.money import Money

DOUBLE_ENTRY = (
    "Date EntryId Kind AccountNumber AccountName Account Debit Credit Currency OrderId InvoiceId "
    "PaymentId ProviderReference Period Note"
).split()
XERO = (
    "*Narration *Date Description *AccountCode *TaxRate *Amount TrackingName1 TrackingOption1 "
    "TrackingName2 TrackingOption2"
).split()
QUICKBOOKS = [
    "Journal No",
    "Journal Date",
    "Account Name",
    "Debits",
    "Credits",
    "Description",
    "Currency",
]
# The rate for what is no sale, by its name in Xero's global edition; other editions have their own name
# for it (No VAT, BAS Excluded), to be put in its place there.
_NO_TAX = "Tax Exempt (0%)"
# QuickBooks keeps 21 characters of a journal's number; the last of an id are its random ones.
_NUMBER_LENGTH = 20


def _lines(entry: Booked, currency: str | None) -> Iterator[tuple[str, Money]]:
    for debit, credit, amount in entry.movements:
        if currency is None or amount.asset.code == currency:
            yield debit, amount
            yield credit, -amount


def double_entry(entry: Booked) -> Iterator[list[Cell]]:
    """Write an entry's lines under `DOUBLE_ENTRY`: every program can be told what its columns are."""
    ties = entry.ties
    for address, amount in _lines(entry, None):
        number, shown = number_of(address), abs_of(amount)
        yield [
            entry.on.isoformat(),
            entry.id,
            entry.label,
            number.code,
            number.name,
            address,
            shown.as_decimal() if amount.minor > 0 else None,
            shown.as_decimal() if amount.minor < 0 else None,
            amount.asset.code,
            ties.get("order"),
            ties.get("invoice"),
            ties.get("payment"),
            ties.get("reference"),
            ties.get("period"),
            entry.note,
        ]


def abs_of(amount: Money) -> Money:
    """Give an amount without its sign."""
    return -amount if amount.minor < 0 else amount


def xero(entry: Booked, currency: str) -> Iterator[list[Cell]]:
    """Write an entry's lines of one currency under `XERO`: debits positive, credits negative.

    Xero makes one journal of the rows with the same narration and date, and takes up to 300 rows at once.
    """
    narration = f"{entry.id} {entry.label}"
    for address, amount in _lines(entry, currency):
        said = address if not entry.note else f"{address}: {entry.note}"
        code = number_of(address).code
        day = f"{entry.on:%d/%m/%Y}"
        yield [narration, day, said, code, _NO_TAX, amount.as_decimal(), None, None, None, None]


def quickbooks(entry: Booked, currency: str) -> Iterator[list[Cell]]:
    """Write an entry's lines of one currency under `QUICKBOOKS`; accounts go by their names there."""
    for address, amount in _lines(entry, currency):
        shown = abs_of(amount).as_decimal()
        said = f"{entry.label}, {address}" + (f": {entry.note}" if entry.note else "")
        yield [
            entry.id[-_NUMBER_LENGTH:],
            f"{entry.on:%m/%d/%Y}",
            number_of(address).name,
            shown if amount.minor > 0 else None,
            shown if amount.minor < 0 else None,
            said,
            amount.asset.code,
        ]
