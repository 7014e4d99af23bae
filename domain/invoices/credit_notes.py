"""Credit notes: one per refund, written by the worker, and by hand; never more than the invoice says.

The database decides: an invoice's credited amount is raised by a conditional update, a CHECK stands behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock, ids
from core.book_states import Invoice as Status
from core.errors import Conflict, IllegalTransition, NotFound, invalid
from core.money import Money, asset
from core.states import Refund as RefundState
from core.strictjson import Json
from domain import audit, calendar, events
from domain.actors import Actor
from domain.invoices import (
    documents,
    drafting,
    figures,
    folios,
    following,
    invoice_events,
    numbers,
    sheets,
    totals,
)
from domain.invoices.content import sheet_of, sheet_of_note
from domain.invoices.sheets import Sheet
from domain.invoices.totals import Line, Totals
from domain.secrets import person_keys
from domain.transitions import Why
from models.invoices import CreditNote, Invoice
from models.orders import Order
from models.payments import Payment
from models.refunds import Refund

_ONE = Decimal(1)
_LATER = "Given back in full or in part"


@dataclass(frozen=True)
class Wanted:
    """What to take back of an invoice: an amount, tax included, or lines; else the whole refund."""

    reason: str
    amount: Money | None = None
    lines: Sequence[Line] = ()
    refund_id: str | None = None
    reference: str | None = None


def of_refunds(session: Session, refund_ids: Sequence[str]) -> Mapping[str, str]:
    """Give the credit notes that stand, by the refunds they are for. Transaction: caller's, reads only."""
    statement = select(CreditNote.refund_id, CreditNote.id).where(
        CreditNote.refund_id.in_(refund_ids), CreditNote.voided_at.is_(None)
    )
    return {str(refund_id): note_id for refund_id, note_id in session.execute(statement)}


def of_invoice(session: Session, invoice_id: str) -> Sequence[CreditNote]:
    """List an invoice's credit notes that stand, oldest first. Transaction: caller's, reads only."""
    statement = select(CreditNote).where(
        CreditNote.invoice_id == invoice_id, CreditNote.voided_at.is_(None)
    )
    return session.scalars(statement.order_by(CreditNote.created_at, CreditNote.id)).all()


def remaining(session: Session, invoice: Invoice) -> tuple[Sheet, Totals]:
    """Say what an invoice says, and what of it no credit note has taken back, per rate of tax.

    Transaction: caller's, with the order locked.
    """
    sheet = sheet_of(session, invoice)
    taken = [
        row for note in of_invoice(session, invoice.id) for row in sheet_of_note(note).own.taxes
    ]
    return sheet, totals.less(sheet.own, taken)


def issue(
    session: Session, order: Order, invoice: Invoice, wanted: Wanted, *, actor: Actor, why: Why
) -> CreditNote:
    """Write a credit note by hand; its number is the next of its merchant's series.

    Writes: credit_notes, invoices, invoice_payments, number_series, event_log, audit_log.
    Emits: credit_note.issued, and as `following.follow`.
    Raises: NotFound, InvalidInput, IllegalTransition when nothing of the invoice was paid,
    Conflict AMOUNT_EXCEEDED, or when the refund or the reference has one.
    Transaction: caller's, with the order locked and the invoice read under that lock.
    """
    if not invoice.paid_minor or invoice.status == Status.VOID:
        raise IllegalTransition("invoice", invoice.status, "credited")
    _assert_reference_free(session, invoice, wanted.reference)
    amount = wanted.amount
    if wanted.refund_id is not None:
        amount = _of_refund(session, order, wanted)
    sheet, left = remaining(session, invoice)
    own = _own(sheet, left, wanted, amount, invoice)
    note = _write(session, invoice, own, wanted, issued_by=actor.id, why=why)
    events.append(session, following.follow(session, order, why=why).rows)
    return note


def _of_refund(session: Session, order: Order, wanted: Wanted) -> Money:
    refund = session.get(Refund, wanted.refund_id)
    if refund is None or refund.order_id != order.id:
        raise invalid("refundId", "There is no refund of this order with this id.")
    known = session.scalars(select(CreditNote).where(CreditNote.refund_id == refund.id)).first()
    if known is not None:
        raise Conflict(
            "This refund has a credit note already.",
            details={"creditNoteId": known.id, "number": known.number},
        )
    if refund.state != RefundState.SUCCEEDED:
        raise IllegalTransition("refund", refund.state, "credited")
    whole = Money(refund.amount_minor, asset(refund.asset))
    if wanted.amount is not None and whole < wanted.amount:
        raise _exceeded(whole)
    return wanted.amount or whole


def _assert_reference_free(session: Session, invoice: Invoice, reference: str | None) -> None:
    if reference is None:
        return
    taken = session.scalars(
        select(CreditNote).where(
            CreditNote.merchant_id == invoice.merchant_id,
            CreditNote.livemode.is_(invoice.livemode),
            CreditNote.reference == reference,
        )
    ).first()
    if taken is not None:
        raise Conflict(
            "There is a credit note with this reference already.",
            details={"creditNoteId": taken.id, "number": taken.number},
        )


def _exceeded(most: Money) -> Conflict:
    return Conflict(
        f"At most {most.major()} {most.asset.code} can still be credited.",
        code="AMOUNT_EXCEEDED",
        details={"creditable": {"amount": most.major(), "currency": most.asset.code}},
    )


def _own(
    sheet: Sheet, left: Totals, wanted: Wanted, amount: Money | None, invoice: Invoice
) -> Sheet:
    """Say what the note says: its lines, or one per rate by the weight of what is left of the invoice."""
    whole = replace(sheet, deducted=(), note=None)
    if wanted.lines:
        own = drafting.added(wanted.lines)
        rows = totals.by_rate(left.taxes)
        for row in own.taxes:
            most = rows.get(row.rate)
            if most is None:
                said = f"The invoice has no line taxed at {row.rate} %."
                raise invalid("lines", said, code="unknown_rate")
            if most.base < row.base or most.tax < row.tax:
                raise _exceeded(left.gross)
        return replace(whole, lines=tuple(wanted.lines), whole=own)
    if amount is None:
        raise invalid("amount", "Say an amount, lines or a refund.", code="required")
    if left.gross < amount or not left.gross.minor:
        raise _exceeded(left.gross)
    part = totals.share(left, amount)
    rows_of = tuple(row for row in part.taxes if row.gross.minor)
    words = f"Credit for {invoice.number}: {wanted.reason}"[:200]
    lines = tuple(Line(words, _ONE, row.base, row.rate, row.base) for row in rows_of)
    return replace(whole, lines=lines, whole=totals.add_up(rows_of))


def _write(
    session: Session, invoice: Invoice, sheet: Sheet, wanted: Wanted, *, issued_by: str, why: Why
) -> CreditNote:
    own, now = sheet.own, clock.now()
    _raise(session, invoice, own.gross.minor, is_allowed=wanted.refund_id is None)
    note_id, day = ids.new("cn"), calendar.day_of(now)
    whose = person_keys.books_of(invoice.buyer_id, day)
    sealed = sheets.seal(session, sheet, whose, f"credit_notes|sealed|{note_id}")
    number_no, number = numbers.take(
        session, invoice.merchant_id, numbers.CREDIT_NOTE, day=day, livemode=invoice.livemode
    )
    note = CreditNote(
        id=note_id,
        number=number,
        number_no=number_no,
        invoice_id=invoice.id,
        order_id=invoice.order_id,
        merchant_id=invoice.merchant_id,
        refund_id=wanted.refund_id,
        asset=invoice.asset,
        amount_minor=own.gross.minor,
        tax_minor=own.tax.minor,
        reason=wanted.reason,
        sealed=sealed,
        reference=wanted.reference,
        issued_by=issued_by,
        issued_on=day,
        livemode=invoice.livemode,
        demo=invoice.demo,
        created_at=now,
    )
    session.add(note)
    session.flush()
    documents.queue(session, "credit_note", note.id)
    _tell(session, "credit_note.issued", note, invoice, why)
    return note


def _raise(session: Session, invoice: Invoice, minor: int, *, is_allowed: bool) -> None:
    """Count a credit on its invoice; the database decides whether so much of it is left."""
    values: dict[str, object] = {
        "credited_minor": Invoice.credited_minor + minor,
        "updated_at": clock.now(),
    }
    if is_allowed:
        values["allowed_minor"] = Invoice.allowed_minor + minor
    statement = (
        update(Invoice)
        .where(
            Invoice.id == invoice.id,
            Invoice.credited_minor + minor <= Invoice.total_minor,
            Invoice.status != Status.VOID.value,
        )
        .values(values)
        .returning(Invoice.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        raise _exceeded(Money(figures.creditable_minor(invoice), asset(invoice.asset)))
    session.refresh(invoice)


def _tell(session: Session, kind: str, note: CreditNote, invoice: Invoice, why: Why) -> None:
    row = invoice_events.credit_note(session, kind, note, invoice, why=why)
    events.append(session, [row])
    after: dict[str, Json] = {
        "invoiceId": invoice.id,
        "number": note.number,
        "amountMinor": note.amount_minor,
        "taxMinor": note.tax_minor,
        "asset": note.asset,
        "refundId": note.refund_id,
    }
    audit.write(
        session,
        "credit_note.issue" if note.voided_at is None else "credit_note.void",
        actor=why.actor,
        object_kind="credit_note",
        object_id=note.id,
        source=why.source,
        reason=why.reason,
        after=after,
    )


def for_refund(
    session: Session, payment: Payment, order: Order, refund_id: str, *, why: Why
) -> CreditNote | None:
    """Write the credit note of a refund that succeeded, unless it has one or nothing was taken back.

    What went back of money that came twice, too much or too late takes nothing of the invoice back.
    Writes, Emits: as `issue`. Transaction: caller's, with the payment and its order locked.
    """
    refund = session.get(Refund, refund_id, populate_existing=True)
    if refund is None or refund.state != RefundState.SUCCEEDED:
        return None
    if session.scalar(select(CreditNote.id).where(CreditNote.refund_id == refund.id)) is not None:
        return None
    folio = folios.of_order(session, order)
    invoice = next((row for row in folio.invoices if row.id == payment.invoice_id), None)
    if invoice is None:
        return None
    noted = sum(
        note.amount_minor for note in of_invoice(session, invoice.id) if note.refund_id is not None
    )
    returned = folio.folded().standings[invoice.id].returned - noted
    minor = min(refund.amount_minor, returned, figures.creditable_minor(invoice))
    if minor <= 0:
        return None
    wanted = Wanted(_LATER, Money(minor, asset(refund.asset)), refund_id=refund.id)
    sheet, left = remaining(session, invoice)
    own = _own(sheet, left, wanted, wanted.amount, invoice)
    return _write(session, invoice, own, wanted, issued_by=why.actor.id, why=why)


def void_of_refund(session: Session, order: Order, refund_id: str, *, why: Why) -> None:
    """Take a refund's credit note back, as the refund failed after all; its number stays with it.

    Writes: credit_notes, invoices, event_log, audit_log. Emits: credit_note.voided.
    Transaction: caller's, with the payment and its order locked.
    """
    statement = select(CreditNote).where(
        CreditNote.refund_id == refund_id, CreditNote.voided_at.is_(None)
    )
    note = session.scalars(statement.execution_options(populate_existing=True)).first()
    if note is None:
        return
    invoice = session.get_one(Invoice, note.invoice_id, populate_existing=True)
    if invoice.order_id != order.id:
        raise NotFound
    note.voided_at, note.void_reason = clock.now(), "The refund failed after it had succeeded"
    session.flush()
    lower = (
        update(Invoice)
        .where(Invoice.id == invoice.id)
        .values(credited_minor=Invoice.credited_minor - note.amount_minor, updated_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    session.execute(lower)
    session.refresh(invoice)
    _tell(session, "credit_note.voided", note, invoice, why)
