"""Proofs of the invoices for `flask verify`: numbers without gaps, sums as the payments say, credits within."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

from sqlalchemy import Row, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from domain.invoices import figures, folios, numbers
from domain.invoices.folios import Folio
from models.invoices import CreditNote, Invoice, NumberSeries
from models.orders import Order

_CHUNK = 1000
_LOOKS = 3
_Key = tuple[str, str, int, bool]


def series(session: Session) -> Iterator[str | None]:
    """Check that the numbers of each series run from one to its last, each borne once, none left out."""
    last = {
        (row.merchant_id, row.kind, row.year, row.livemode): row.last
        for row in session.scalars(select(NumberSeries))
    }
    borne = [
        select(
            model.merchant_id.label("merchant_id"),
            literal(kind).label("kind"),
            model.livemode.label("livemode"),
            model.number.label("number"),
            model.number_no.label("number_no"),
            func.substr(model.number, length, 4).label("year"),
        )
        for model, kind, length in (
            (Invoice, numbers.INVOICE, len("INV-") + 1),
            (CreditNote, numbers.CREDIT_NOTE, len("CN-") + 1),
        )
    ]
    rows = union_all(*borne).order_by("merchant_id", "kind", "livemode", "year", "number_no")
    seen: set[_Key] = set()
    with session.execute(rows.execution_options(yield_per=_CHUNK)) as found:
        for key, of_series in groupby(found, key=_series_of):
            seen.add(key)
            yield from _counted(key, of_series, last.get(key, 0))
    for key in sorted(set(last) - seen):
        yield f"series {_named(key)} is at {last[key]}, nothing bears a number of it"


def _series_of(row: Row[tuple[str, str, bool, str, int, str]]) -> _Key:
    year = int(row.year) if row.year.isdigit() else 0
    return row.merchant_id, row.kind, year, row.livemode


def _named(key: _Key) -> str:
    merchant_id, kind, year, livemode = key
    return f"{kind} {year} of {merchant_id} ({'live' if livemode else 'test'})"


def _counted(
    key: _Key, rows: Iterator[Row[tuple[str, str, bool, str, int, str]]], last: int
) -> Iterator[str | None]:
    following = 0
    for row in rows:
        following += 1
        if row.number_no != following:
            yield f"series {_named(key)}: {row.number} stands where {following} is due"
            return
        written = numbers.written(key[1], key[2], following)
        yield None if row.number == written else f"{row.number} is written otherwise than {written}"
    if following != last:
        yield f"series {_named(key)} is at {last}, its documents end at {following}"


def standings(session: Session) -> Iterator[str | None]:
    """Check that each invoice stands where its order's payments put it, and who pays what of it."""
    orders = select(Order).order_by(Order.id).execution_options(yield_per=_CHUNK)
    with session.scalars(orders) as found:
        while chunk := list(islice(found, _CHUNK)):
            loaded = folios.load(session, chunk)
            for order in chunk:
                said = list(_problems(loaded[order.id]))
                yield from said if not any(said) else _again(session, order)


def _again(session: Session, order: Order) -> Iterator[str | None]:
    """Look once more at what seemed wrong: it is read in several statements, and money moves meanwhile."""
    said: list[str | None] = []
    for _ in range(_LOOKS):
        session.refresh(order)
        said = list(_problems(folios.load(session, [order])[order.id]))
        if not any(said):
            break
    yield from said


def _problems(folio: Folio) -> Iterator[str | None]:
    order = folio.order
    newest = folio.invoices[-1].id if folio.invoices else None
    if order.invoice_id != newest:
        yield f"{order.id} names {order.invoice_id} as its invoice, {newest} is the newest that stands"
    folded = folio.folded()
    for invoice in folio.invoices:
        to = folded.standings[invoice.id]
        said = (to.status.value, to.paid, to.confirmed, to.refunded, to.written_off)
        found = (
            invoice.status,
            invoice.paid_minor,
            invoice.confirmed_minor,
            invoice.refunded_minor,
            invoice.written_off_minor,
        )
        same = said == found
        yield None if same else f"{invoice.id} stands at {found}, its payments say {said}"
    paid = {key: pair for key, pair in folio.pairs.items() if pair.paid}
    if paid != folded.pairs:
        yield f"the invoices of {order.id} are paid as {paid}, its payments say {folded.pairs}"


def voided(session: Session) -> Iterator[str | None]:
    """Check that no void invoice holds money, stands for anything or is an order's current one."""
    statement = (
        select(Invoice, Order.invoice_id)
        .join(Order, Order.id == Invoice.order_id)
        .where(Invoice.status.not_in(figures.STANDING))
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for invoice, current in rows:
            holds = invoice.paid_minor or invoice.credited_minor or invoice.open_key
            wrong = holds or current == invoice.id
            yield f"{invoice.id} is void, and holds money or stands" if wrong else None


def credited(session: Session) -> Iterator[str | None]:
    """Check that each invoice counts as credited what its credit notes take back, never more than it says."""
    stands = CreditNote.voided_at.is_(None)
    without_refund = stands & CreditNote.refund_id.is_(None)
    totals = (
        select(
            CreditNote.invoice_id,
            func.sum(case((stands, CreditNote.amount_minor), else_=0)).label("all"),
            func.sum(case((without_refund, CreditNote.amount_minor), else_=0)).label("allowed"),
            func.sum(case((stands, CreditNote.tax_minor), else_=0)).label("tax"),
        )
        .group_by(CreditNote.invoice_id)
        .subquery()
    )
    statement = select(Invoice, totals.c.all, totals.c.allowed, totals.c.tax).outerjoin(
        totals, totals.c.invoice_id == Invoice.id
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for invoice, total, allowed, tax in rows:
            yield _credit_problem(invoice, int(total or 0), int(allowed or 0), int(tax or 0))


def _credit_problem(invoice: Invoice, total: int, allowed: int, tax: int) -> str | None:
    found = (invoice.credited_minor, invoice.allowed_minor)
    if found != (total, allowed):
        return f"{invoice.id} counts {found} as credited, its credit notes say {(total, allowed)}"
    if total > invoice.total_minor or tax > invoice.tax_minor:
        return f"{invoice.id} is credited by {total} with tax {tax}, more than it says"
    return None
