"""Files of the books: where the API streams what a page shows, for spreadsheets and other programs. No routes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core import clock
from core.money import asset
from dashboard.listing import Asked
from dashboard.shapes import Act
from domain.books import chart_sums
from domain.books.book_queries import EntryFilter
from domain.books.trial_balance import When
from domain.desk import Session
from domain.invoices.invoice_queries import InvoiceFilter
from models.ledger import LedgerAccount

_PLAIN = {"csv": "For spreadsheets", "json": "As the API gives it"}
_PROGRAMS = {
    "hledger": ("hledger", "A plain-text journal"),
    "beancount": ("Beancount", "A plain-text ledger"),
    "double_entry": ("Debits and credits", "CSV, one row a line"),
}
_IMPORTS = {"xero": "Xero", "quickbooks": "QuickBooks"}


def _acts(path: str, values: Mapping[str, str], formats: Mapping[str, str]) -> list[Act]:
    asked = Asked(path, {name: value for name, value in values.items() if value})
    return [
        Act(f"export-{name}", name.upper(), asked.href(format=name), text=text)
        for name, text in formats.items()
    ]


def _none(why: str) -> list[Act]:
    """Offer no file, since it would hold more than is shown."""
    return [Act("export", "Export", "", enabled=False, reason=why, icon="file")]


def invoices(wanted: InvoiceFilter) -> list[Act]:
    """Offer the invoices of a filter as files."""
    if wanted.due_from or wanted.due_before:
        return _none("Choose any day for “Due” first: a file knows no such filter.")
    values = {
        "status": ",".join(wanted.status),
        "q": wanted.q or "",
        "from": clock.rfc3339(wanted.created_from) or "",
        "to": clock.rfc3339(wanted.created_to) or "",
    }
    return _acts("/api/invoices", values, _PLAIN)


def journal(session: Session, wanted: EntryFilter) -> list[Act]:
    """Offer the entries of a filter as files; none for a search, which the API does not know."""
    if wanted.text:
        return _none("Clear the search first: a file knows no such filter.")
    values = {
        "kind": ",".join(wanted.kind),
        "orderId": ",".join(wanted.order_id),
        "paymentId": ",".join(wanted.payment_id),
        "invoiceId": ",".join(wanted.invoice_id),
        "account": wanted.account or "",
        "period": wanted.period or "",
        "manual": "true" if wanted.manual else "",
        "late": "true" if wanted.is_late else "",
        "reversalDue": "true" if wanted.is_due else "",
        "from": clock.rfc3339(wanted.posted_from) or "",
        "to": clock.rfc3339(wanted.posted_to) or "",
    }
    path = "/api/journal/entries"
    asked = Asked(path, {name: value for name, value in values.items() if value})
    programs = [
        Act(f"export-{name}", label, asked.href(format=name), text=text)
        for name, (label, text) in _PROGRAMS.items()
    ]
    imports = [
        Act(
            f"export-{name}-{code}",
            f"{label}, {code}",
            asked.href(format=name, currency=code),
            text="CSV to import",
        )
        for code in chart_sums.currencies(session)
        for name, label in _IMPORTS.items()
    ]
    return [*_acts(path, values, _PLAIN), *programs, *imports]


def statement(row: LedgerAccount, since: datetime | None, until: datetime | None) -> list[Act]:
    """Offer the lines of an account over a span as files."""
    values = {
        "currency": asset(row.asset).code,
        "from": clock.rfc3339(since) or "",
        "to": clock.rfc3339(until) or "",
    }
    return _acts(f"/api/ledger/accounts/{row.address}/postings", values, _PLAIN)


def trial_balance(when: When) -> list[Act]:
    """Offer the trial balance as of a moment as files."""
    values = {
        "asOf": clock.rfc3339(when.as_of) or "",
        "knownAt": clock.rfc3339(when.known_at) or "",
    }
    return _acts("/api/ledger/trial-balance", values, _PLAIN)
