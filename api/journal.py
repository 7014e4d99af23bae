"""The journal: entries listed, read and exported; people ask here that one be posted or reversed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import Field, StringConstraints

from api import book_exports, journal_files
from api.book_shapes import EntryOut, entry
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyIn,
    NoBody,
    NoQuery,
    Pending,
    RangeQuery,
    Reference,
    Session,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    place_of,
    run_once,
)
from api.contract.paging import cursor
from api.contract.records import ErrorOut
from api.days import Day
from api.journal_files import Wanted as Filed
from core import clock, entry_kinds
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from domain import calendar
from domain.books import book_queries, manual, manual_reversals
from domain.books.book_queries import EntryFilter
from domain.books.manual import Wanted
from domain.books.manual_lines import LONGEST_ADDRESS, MOST_LINES, Line
from domain.database import reading
from domain.payments.payments import Page
from models.control import Approval

blueprint = Blueprint("journal", __name__)
AROUND = (b'{"items":[', b'],"nextCursor":null}')


def _text(longest: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=longest, strip_whitespace=True)


Note = Annotated[str, _text(manual.LONGEST_NOTE)]
Id = Annotated[str, _text(64)]
Address = Annotated[str, _text(LONGEST_ADDRESS)]
Named = Annotated[str, _text(manual.LONGEST_REFERENCE)]


class EntryQuery(RangeQuery):
    """Which entries. account: an address they touch; manual: those that people wrote; period: the month
    they are booked in; late: of a closed month, booked in an open one; reversalDue: to be reversed and
    not reversed yet. currency: of the lines of an export for an accounting program.
    """

    order_id: Several = ()
    invoice_id: Several = ()
    payment_id: Several = ()
    account: str | None = Field(default=None, max_length=200)
    source: str | None = Field(default=None, max_length=64)
    manual: bool | None = None
    kind: Several = ()
    period: str | None = Field(default=None, pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    late: bool = False
    reversal_due: bool = False
    currency: str | None = Field(default=None, max_length=16)
    format: (
        Literal["csv", "json", "hledger", "beancount", "double_entry", "xero", "quickbooks"] | None
    ) = Field(default=None, description=journal_files.DESCRIPTION)


class MovementIn(In):
    """One amount that leaves `credit` and arrives at `debit`. One of the two may be missing: what such
    lines debit must be what they credit, in each currency.
    """

    debit: Address | None = None
    credit: Address | None = None
    amount: MoneyIn


class EntryIn(In):
    """An entry by hand. providerReference: the provider's name of the money it is about; reversalDueOn:
    when it is to be reversed at the latest, a month from today unless said; effectiveOn: the day it
    takes effect, the day it is agreed to unless said. reference: the caller's own name, posted once.
    """

    note: Note
    order_id: Id
    invoice_id: Id
    provider_reference: Named
    postings: list[MovementIn] = Field(min_length=1, max_length=MOST_LINES)
    reversal_due_on: Day | None = None
    effective_on: Day | None = None
    reference: Reference | None = None


class ReverseIn(In):
    """Why an entry is reversed."""

    note: Note
    reference: Reference | None = None


def _filter(asked: EntryQuery) -> EntryFilter:
    if unknown := [each for each in asked.kind if each not in entry_kinds.KINDS]:
        known = ", ".join(entry_kinds.KINDS)
        raise invalid("kind", f"{unknown[0][:40]!r} is not among {known}.", code="unknown_value")
    return EntryFilter(
        order_id=asked.order_id,
        invoice_id=asked.invoice_id,
        payment_id=asked.payment_id,
        account=asked.account,
        source=asked.source,
        manual=asked.manual,
        kind=asked.kind,
        period=asked.period,
        is_late=asked.late,
        is_due=asked.reversal_due,
        posted_from=asked.since,
        posted_to=asked.until,
    )


def _currency(asked: EntryQuery) -> str | None:
    if asked.currency is None:
        return None
    try:
        return str(asset(asked.currency))
    except ValueError as error:
        raise invalid("currency", f"{asked.currency!r} is no currency we know.") from error


@endpoint(
    blueprint,
    "GET",
    "/api/journal/entries",
    access=Permission.JOURNAL_READ,
    query=EntryQuery,
    answers={200: Listed[EntryOut]},
    summary="List journal entries, newest first, or export them.",
    requirement="S46",
)
def entries(call: Call[NoBody, EntryQuery]) -> Answer | Response:
    asked, place = call.query, place_of(call.query)
    wanted, currency = _filter(asked), _currency(asked)
    if asked.format == "csv":
        rows = book_exports.entry_cells(wanted)
        return csv_answer("journal", book_exports.ENTRY_COLUMNS, rows)
    if asked.format == "json":
        return json_stream(book_exports.entry_documents(wanted), around=AROUND)
    if asked.format is not None:
        return journal_files.answer(asked.format, Filed(wanted, currency, call.actor))
    with reading() as session:
        page = Page(place.limit, place.before)
        rows_found, more = book_queries.list_entries(session, wanted, page=page)
        ids = [row.id for row in rows_found]
        movements = book_queries.movements_of(session, ids)
        reversals = book_queries.reversals_of(session, ids)
    items = [entry(row, movements[row.id], reversals.get(row.id)) for row in rows_found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/journal/entries/{entryId}",
    access=Permission.JOURNAL_READ,
    answers={200: EntryOut},
    errors=["NOT_FOUND"],
    summary="Read one journal entry with its movements.",
    requirement="S46",
)
def show_entry(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = book_queries.get_entry(session, call.path["entryId"])
        movements = book_queries.movements_of(session, [row.id])
        reversals = book_queries.reversals_of(session, [row.id])
    return Answer(200, entry(row, movements[row.id], reversals.get(row.id)))


def _wanted(body: EntryIn) -> Wanted:
    return Wanted(
        note=body.note,
        order_id=body.order_id,
        invoice_id=body.invoice_id,
        provider_reference=body.provider_reference,
        lines=[
            Line(each.amount.money(field=f"postings.{no}.amount"), each.debit, each.credit)
            for no, each in enumerate(body.postings)
        ],
        effective_on=body.effective_on,
        reversal_due_on=body.reversal_due_on,
        reference=body.reference,
    )


def _asked(row: Approval, **more: object) -> Answer:
    """Write what waits for a second person, down to each line."""
    details: dict[str, Any] = row.details
    said: dict[str, Any] = {
        "status": "pending_approval",
        "approvalId": row.id,
        "approvalExpiresAt": clock.rfc3339(row.expires_at),
        "contentHash": row.content_hash,
        "note": details["note"],
        "orderId": row.order_id,
        "invoiceId": details["invoiceId"],
        "providerReference": details["providerReference"],
        "postings": [
            {
                "debit": each["debit"],
                "credit": each["credit"],
                "amount": {"amount": each["amount"], "currency": each["currency"]},
            }
            for each in details["postings"]
        ],
    }
    return Answer(202, said | more)


@endpoint(
    blueprint,
    "POST",
    "/api/journal/entries",
    access=Permission.JOURNAL_POST,
    body=EntryIn,
    answers={202: Pending, 400: ErrorOut, 409: ErrorOut},
    key="R",
    errors=["UNBALANCED", "PERIOD_CLOSED", "AMOUNT_EXCEEDED", "CONFLICT"],
    events=["approval.requested", "journal.posted"],
    summary="Ask that an entry be posted by hand; a second person agrees on the desk.",
    requirement="S68",
)
def post(call: Call[EntryIn, NoQuery]) -> Answer:
    wanted = _wanted(call.body)

    def work(session: Session) -> Answer:
        row = manual.ask(session, wanted, actor=call.actor, source=call.source)
        effective, due = row.details["effectiveOn"], row.details["reversalDueOn"]
        return _asked(row, effectiveOn=effective, reversalDueOn=due)

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/journal/entries/{entryId}/reverse",
    access=Permission.JOURNAL_POST,
    body=ReverseIn,
    answers={202: Pending, 409: ErrorOut},
    key="R",
    errors=["NOT_FOUND", "AMOUNT_EXCEEDED", "CONFLICT"],
    events=["approval.requested", "journal.posted"],
    summary="Ask that an entry by hand be reversed, in the open period; a second person agrees.",
    requirement="S68",
)
def reverse(call: Call[ReverseIn, NoQuery]) -> Answer:
    entry_id = call.path["entryId"]

    def work(session: Session) -> Answer:
        row = manual_reversals.ask(
            session, entry_id, note=call.body.note, actor=call.actor, source=call.source
        )
        return _asked(row, reverses=entry_id, effectiveOn=calendar.today().isoformat())

    return run_once(call, work)
