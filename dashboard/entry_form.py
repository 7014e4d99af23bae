"""The form of a manual entry: what was typed, its lines as money, its balance, what is wrong beside each field. No routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from core import money
from core.errors import InvalidInput
from core.money import Asset, Money, asset
from core.redaction import holds_card_number
from dashboard import books, ledger_words, words
from dashboard.shapes import Input, View
from domain.books import manual
from domain.books.manual import Wanted
from domain.books.manual_lines import LONGEST_ADDRESS, MOST_LINES, Line
from domain.books.manual_offers import Offers

FEWEST_ROWS, MORE_ROWS = 4, 4
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_LONGEST_AMOUNT = 30
# What the rules call a field, and what the form calls it.
_FIELDS = {
    "orderId": "order",
    "invoiceId": "invoice",
    "providerReference": "provider_reference",
    "note": "note",
    "effectiveOn": "effective_on",
    "reversalDueOn": "reversal_due_on",
    "reference": "reference",
}


@dataclass(frozen=True)
class Row:
    """One line as it was typed. error: what is wrong with it."""

    account: str = ""
    currency: str = ""
    debit: str = ""
    credit: str = ""
    error: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed; a currency alone says nothing."""
        return not (self.account or self.debit or self.credit)


@dataclass(frozen=True)
class Typed:
    """What the form says. errors: by the name of the field."""

    rows: Sequence[Row]
    note: str = ""
    order: str = ""
    invoice: str = ""
    provider_reference: str = ""
    effective_on: str = ""
    reversal_due_on: str = ""
    reference: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """One line as money. no: its row; is_debit: which column holds the amount."""

    no: int
    account: str
    amount: Money
    is_debit: bool


def read(text: Callable[[str], str], *, more: int = 0) -> Typed:
    """Read the form. more: how many empty rows to add."""
    count = text("rows")
    rows = int(count) if count.isdecimal() and len(count) < 4 else FEWEST_ROWS
    numbers = range(1, min(max(rows, FEWEST_ROWS) + more, MOST_LINES) + 1)
    found = [
        Row(
            text(f"account{no}")[: 2 * LONGEST_ADDRESS],
            text(f"currency{no}")[:16].upper(),
            text(f"debit{no}")[: 2 * _LONGEST_AMOUNT],
            text(f"credit{no}")[: 2 * _LONGEST_AMOUNT],
        )
        for no in numbers
    ]
    return Typed(
        found,
        text("note")[: 2 * manual.LONGEST_NOTE],
        text("order")[:100],
        text("invoice")[:100],
        text("provider_reference")[: 2 * manual.LONGEST_REFERENCE],
        text("effective_on")[:20],
        text("reversal_due_on")[:20],
        text("reference")[: 2 * manual.LONGEST_REFERENCE],
    )


def chosen(typed: Typed, order_id: str | None, offered: Offers) -> Typed:
    """Put ids where a reference or a number was typed instead."""
    by_number = {number: each for each, number in offered.invoices}
    invoice = by_number.get(typed.invoice, typed.invoice)
    return replace(typed, order=order_id or typed.order, invoice=invoice)


def as_money(typed: Typed, default: str | None) -> tuple[list[Read], Typed]:
    """Read the lines as money, and say beside each line what is wrong with it.

    default: the asset of lines that name no currency; else that of the first line that names one.
    """
    named = next((row.currency for row in typed.rows if row.currency), "")
    usual = ledger_words.asset_name(named) if named else default
    found: list[Read] = []
    rows = []
    for no, row in enumerate(typed.rows):
        if row.is_empty:
            rows.append(row)
            continue
        amount, wrong = _amount(row, usual)
        if amount is not None:
            found.append(Read(no, row.account, amount, is_debit=bool(row.debit)))
        rows.append(replace(row, error=wrong))
    return found, replace(typed, rows=rows)


def _amount(row: Row, usual: str | None) -> tuple[Money | None, str | None]:
    unit = ledger_words.asset_name(row.currency) if row.currency else usual
    if unit is None:
        said = (
            f"“{row.currency}” is no currency." if row.currency else "Name a currency, such as EUR."
        )
        return None, said
    if bool(row.debit) == bool(row.credit):
        return None, "Write one amount: a debit or a credit."
    text, of = row.debit or row.credit, asset(unit)
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    example = Money(125 * 10**of.scale, of).major()
    try:
        found = money.parse(text[:_LONGEST_AMOUNT], of)
    except ValueError:
        return None, f"Write an amount of {of.code} such as {example}."
    if found.minor <= 0:
        return None, "Write an amount above nothing; the column says which way."
    return found, None


def balance(lines: Sequence[Read]) -> list[View]:
    """Add the columns up, per currency, with what they differ by."""
    sums: dict[Asset, list[int]] = {}
    for line in lines:
        both = sums.setdefault(line.amount.asset, [0, 0])
        both[0 if line.is_debit else 1] += line.amount.minor
    return [
        {
            "currency": of.code,
            "debits": words.shown(Money(debits, of)),
            "credits": words.shown(Money(credits_, of)),
            "difference": words.shown(Money(debits - credits_, of)),
            "state": ledger_words.BALANCED if debits == credits_ else ledger_words.UNBALANCED,
        }
        for of, (debits, credits_) in sorted(sums.items(), key=lambda each: each[0].code)
    ]


def wanted(typed: Typed, lines: Sequence[Read], offered: Offers) -> tuple[Wanted | None, Typed]:
    """Make of the form what is asked for, or say what keeps it from being asked."""
    errors: dict[str, str] = {}
    days = {name: _day(getattr(typed, name), name, errors) for name in _DAYS}
    errors |= {name: said for name, said in _NEEDED.items() if not getattr(typed, name)}
    if typed.order and offered.asset is None:
        errors["order"] = "There is no such order."
    for name in ("note", "provider_reference", "reference"):
        if holds_card_number(getattr(typed, name)):
            errors[name] = "This looks like a card number. Card numbers are never kept here."
    rows = [
        replace(row, error="Name an account.")
        if not row.account and not row.is_empty and not row.error
        else row
        for row in typed.rows
    ]
    if not lines:
        errors["lines"] = "Write at least one debit and one credit."
    typed = replace(typed, rows=rows, errors=errors)
    if errors or any(row.error for row in rows):
        return None, typed
    found = Wanted(
        note=typed.note,
        order_id=typed.order,
        invoice_id=typed.invoice,
        provider_reference=typed.provider_reference,
        lines=[
            Line(
                each.amount,
                debit=each.account if each.is_debit else None,
                credit=None if each.is_debit else each.account,
            )
            for each in lines
        ],
        effective_on=days["effective_on"],
        reversal_due_on=days["reversal_due_on"],
        reference=typed.reference or None,
    )
    return found, typed


_DAYS = ("effective_on", "reversal_due_on")
_NEEDED = {
    "order": "Say to which order it belongs.",
    "invoice": "Say to which invoice of the order it belongs.",
    "provider_reference": "Say what the provider calls this money.",
    "note": "Say why, for whoever reads it in a year.",
}


def _day(text: str, name: str, errors: dict[str, str]) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        errors[name] = "Use a day such as 2026-11-21."
        return None


def refused(typed: Typed, lines: Sequence[Read], error: InvalidInput) -> Typed:
    """Put each thing that the rules found wrong beside its field."""
    errors: dict[str, str] = {}
    rows = list(typed.rows)
    fields = error.details.get("fields")
    for each in fields if isinstance(fields, list | tuple) else ():
        name, said = str(each["field"]), str(each["message"])
        parts = name.split(".")
        if parts[0] == "postings" and len(parts) > 1 and parts[1].isdecimal():
            no = lines[int(parts[1])].no
            rows[no] = replace(rows[no], error=said)
        elif parts[0] == "postings":
            errors["lines"] = said
        else:
            errors[_FIELDS.get(name, "lines")] = said
    return replace(typed, rows=rows, errors=errors)


def view(typed: Typed, lines: Sequence[Read], offered: Offers) -> View:
    """Prepare the form with what was typed."""
    errors = typed.errors
    due = typed.reversal_due_on or manual.due_by_policy().isoformat()
    return {
        "rows": [_row(no, row) for no, row in enumerate(typed.rows, 1)],
        "count": len(typed.rows),
        "may_add": len(typed.rows) < MOST_LINES,
        "lines_error": errors.get("lines"),
        "balance": balance(lines),
        "accounts": [{"value": each, "label": books.account(each)} for each in offered.accounts],
        "invoices": [{"value": each, "label": number} for each, number in offered.invoices],
        "references": offered.references,
        "currency": asset(offered.asset).code if offered.asset else None,
        "ties": _ties(typed),
        "note": Input(
            *("note", "Note", "text-area"),
            value=typed.note,
            error=errors.get("note"),
            hint="Why, and on what it rests. Kept with the entry for ever.",
            required=True,
            maxlength=manual.LONGEST_NOTE,
        ),
        "days": _days(typed, due),
    }


def _ties(typed: Typed) -> list[Input]:
    return [
        _text(
            "order",
            "Order",
            typed,
            hint="Its id or reference. What may be chosen below follows it.",
        ),
        _text(
            "invoice",
            "Invoice",
            typed,
            hint="An invoice of that order, by its number or id.",
            suggests="offered-invoices",
        ),
        _text(
            "provider_reference",
            "Provider reference",
            typed,
            hint="What the provider calls this money, such as pi_… or po_….",
            maxlength=manual.LONGEST_REFERENCE,
            suggests="offered-references",
        ),
    ]


def _days(typed: Typed, due: str) -> list[Input]:
    errors = typed.errors
    return [
        Input(
            *("effective_on", "Takes effect on", "date"),
            value=typed.effective_on,
            error=errors.get("effective_on"),
            hint="Today when left empty. A closed month takes none.",
            optional=True,
        ),
        Input(
            *("reversal_due_on", "To be reversed by", "date"),
            value=due,
            error=errors.get("reversal_due_on"),
            hint="A case reminds of it; it is not reversed by itself.",
            required=True,
        ),
        _text(
            "reference",
            "Your reference",
            typed,
            hint="Posted once and for all, whoever asks.",
            optional=True,
            maxlength=manual.LONGEST_REFERENCE,
        ),
    ]


def _text(
    name: str,
    label: str,
    typed: Typed,
    *,
    hint: str,
    optional: bool = False,
    maxlength: int | None = None,
    suggests: str | None = None,
) -> Input:
    return Input(
        name,
        label,
        value=getattr(typed, name),
        error=typed.errors.get(name),
        hint=hint,
        required=not optional,
        optional=optional,
        maxlength=maxlength,
        autocomplete="off",
        suggests=suggests,
    )


def _row(no: int, row: Row) -> View:
    return {
        "no": no,
        "account": row.account,
        "currency": row.currency,
        "debit": row.debit,
        "credit": row.credit,
        "error": row.error,
    }
