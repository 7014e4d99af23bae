"""How invoices and credit notes read on the desk: states, rows, documents, what may be done with them. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.book_states import Document as Printing
from core.book_states import Invoice as Status
from core.money import Money, asset
from core.permissions import Permission
from dashboard import listing, verified, words
from dashboard.journal_words import on
from dashboard.shapes import Act, Ref, State, View
from domain import calendar
from domain.actors import Actor
from domain.desk import Session
from domain.invoices import figures, invoice_desk
from domain.invoices.invoice_queries import UNPAID
from models.invoices import CreditNote, Document, Invoice
from models.payments import Payment

STATES: Mapping[str, State] = {
    "open": State("Open", "open", "quiet", "Nobody has paid it"),
    "pending_payment": State("Being paid", "half", "info", "An attempt to pay it is open"),
    "paid": State("Paid, not final", "half", "info", "The money was seen and is not final"),
    "confirmed": State("Paid", "done", "good", "The money is final"),
    "refunded": State("Refunded", "refunded", "quiet", "All of it went back"),
    "void": State("Void", "cancelled", "quiet", "It asks for nothing; its number stays"),
}
PURPOSES = {"deposit": "Deposit", "balance": "Final", "full": "Whole order"}
PRINTED = State("Printed", "done", "good")
PRINTING = State("Being printed", "half", "info")
NOT_PRINTABLE = State("Not printed", "failed", "bad", "People look into it")
NOT_ASKED = State("Not printed yet", "dotted", "quiet")
ISSUED = State("Issued", "done", "good")
TAKEN_BACK = State("Void", "cancelled", "quiet", "Its refund failed after all; its number stays")


def state_of(row: Invoice) -> State:
    """Show how an invoice stands."""
    return STATES[row.status]


def overdue(row: Invoice) -> State | None:
    """Say that an invoice should have been paid by now, and since when."""
    if row.status not in UNPAID or row.due_on is None or row.due_on >= calendar.today():
        return None
    days = (calendar.today() - row.due_on).days
    return State(f"{words.counted(days, 'day')} overdue", "warn", "bad", f"Due on {on(row.due_on)}")


def title(row: Invoice) -> str:
    """Say what an invoice bills."""
    return f"{PURPOSES.get(row.purpose, row.purpose)} invoice"


def row_view(row: Invoice, names: Mapping[str, str], actor: Actor) -> View:
    """Prepare one row; who may only know how it stands reads its number and its state."""
    found: View = {
        "id": row.id,
        "version": listing.version(row.updated_at, row.status),
        "href": f"/invoices/{row.id}",
        "number": row.number,
        "state": state_of(row),
        "order": words.short(row.order_id),
        "order_href": f"/orders/{row.order_id}",
        "demo": row.demo,
        "shows_sums": actor.may(Permission.INVOICES_READ),
    }
    if not found["shows_sums"]:
        return found
    return found | {
        "sub": PURPOSES.get(row.purpose, row.purpose),
        "overdue": overdue(row),
        "total": words.money(row.total_minor, row.asset),
        "paid": words.money(row.paid_minor, row.asset),
        "due": words.shown(figures.due(row)),
        "is_due": figures.due(row).minor > 0,
        "buyer": names.get(row.buyer_id or ""),
        "issued": on(row.issued_on),
        "due_on": on(row.due_on) if row.due_on else None,
    }


def lines(rows: Sequence[Invoice], actor: Actor) -> list[View] | None:
    """Prepare an order's invoices as lines of its page; None for who may not even know of them."""
    if not actor.may(Permission.INVOICES_STATUS):
        return None
    return [row_view(row, {}, actor) for row in rows]


def of_payment(session: Session, payment: Payment, actor: Actor) -> list[tuple[str, Ref]]:
    """Lead from a payment to the invoices that it is for or pays."""
    if not actor.may(Permission.INVOICES_STATUS):
        return []
    found = invoice_desk.of_payment(session, payment, actor=actor)
    return [
        ("Invoice", words.ref("invoice id", row.id, href=f"/invoices/{row.id}", text=row.number))
        for row in found
    ]


def document_view(row: Document | None, href: str, actor: Actor) -> View:
    """Say how a document stands; it turns by itself while it is being printed."""
    state = NOT_ASKED
    if row is not None:
        state = {
            Printing.WAITING.value: PRINTING,
            Printing.PRINTED.value: PRINTED,
            Printing.DEAD.value: NOT_PRINTABLE,
        }[row.state]
    is_printed = state is PRINTED
    return {
        "state": state,
        "is_waiting": state is PRINTING,
        "may_ask": state is NOT_ASKED,
        "href": href if is_printed and actor.may(Permission.INVOICES_READ) else None,
        "sha256": words.ref("hash of the document", row.pdf_sha256)
        if row is not None and row.pdf_sha256
        else None,
        "printed": words.moment(row.printed_at) if row is not None and row.printed_at else None,
        "size": _size(row.pdf_bytes) if row is not None and row.pdf_bytes else None,
    }


def _size(octets: int) -> str:
    return f"{-(-octets // 1024):,} KiB"


def note_view(row: CreditNote, document: Document | None, actor: Actor, number: str) -> View:
    """Prepare one credit note; who may only know how it stands reads its number and its state.

    number: of its invoice.
    """
    found: View = {
        "id": row.id,
        "version": listing.version(row.created_at, row.voided_at or ""),
        "number": row.number,
        "state": ISSUED if row.voided_at is None else TAKEN_BACK,
        "invoice": number,
        "invoice_href": f"/invoices/{row.invoice_id}",
        "demo": row.demo,
        "document": None,
    }
    if not actor.may(Permission.INVOICES_READ):
        return found
    return found | {
        "reason": row.reason,
        "amount": words.money(row.amount_minor, row.asset),
        "refund_href": f"/refunds/{row.refund_id}" if row.refund_id else None,
        "issued": on(row.issued_on),
        "document": document_view(document, f"/api/credit-notes/{row.id}.pdf", actor),
    }


def acts(row: Invoice, actor: Actor) -> list[Act]:
    """Offer what may be done with an invoice, and say why not otherwise."""
    return [
        _act("void", "Void", row, why_not_void(row, actor), "ban"),
        _act("reissue", "Issue anew", row, why_not_reissue(row, actor), "replay"),
        _act("credit", "Credit note", row, why_not_credit(row, actor), "undo"),
    ]


def _act(name: str, label: str, row: Invoice, why_not: str | None, icon: str) -> Act:
    return Act(name, label, f"/invoices/{row.id}/{name}", why_not is None, why_not, icon=icon)


def why_not_void(row: Invoice, actor: Actor) -> str | None:
    """Say why this person cannot void an invoice as it stands; None: the rules decide."""
    if not actor.may(Permission.INVOICES_ISSUE):
        return "Finance and admins void invoices."
    if verified.lacks_kyc(actor):
        return verified.KYC_WORDS
    if row.status == Status.VOID:
        return "It is void already."
    if row.status == Status.PENDING_PAYMENT:
        return "An attempt to pay it is open. Cancel or await that payment first."
    if row.status != Status.OPEN or row.paid_minor:
        return "Money came for it. A credit note takes it back."
    return None


def why_not_reissue(row: Invoice, actor: Actor) -> str | None:
    """Say why this person cannot issue an invoice anew as it stands; None: the rules decide."""
    why_not = why_not_void(row, actor)
    if row.status == Status.VOID and actor.may(Permission.INVOICES_ISSUE):
        return None
    return why_not


def why_not_credit(row: Invoice, actor: Actor) -> str | None:
    """Say why this person cannot credit an invoice as it stands; None: the rules decide."""
    if not actor.may(Permission.CREDIT_NOTES_ISSUE):
        return "Finance and admins write credit notes."
    if row.status == Status.VOID:
        return "It is void and asks for nothing."
    if not row.paid_minor:
        return "Nobody has paid it. Void it instead."
    if figures.creditable_minor(row) <= 0:
        return "All of it was credited."
    return None


def creditable(row: Invoice) -> Money:
    """Give what no credit note has taken back yet."""
    return Money(max(0, figures.creditable_minor(row)), asset(row.asset))


def progress(row: Invoice) -> Sequence[View]:
    """List the sums of an invoice: what it asks, what came, what is left."""
    of = asset(row.asset)
    found = [
        ("Total, tax included", row.total_minor),
        ("Paid", row.paid_minor),
        ("Of it final", row.confirmed_minor),
        ("Given back", row.refunded_minor),
        ("Credited", row.credited_minor),
        ("Given up", row.written_off_minor),
    ]
    always = ("Total, tax included", "Paid")
    rows: list[View] = [
        {"label": label, "money": words.shown(Money(minor, of))}
        for label, minor in found
        if minor or label in always
    ]
    return [*rows, {"label": "Still due", "money": words.shown(figures.due(row)), "is_last": True}]
