"""Bringing an order's invoices to where its payments put them: after every change of either, one way only."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core import clock
from core.book_states import Invoice as Status
from domain.invoices import folios, invoice_events
from domain.invoices.drafting import DEPOSIT
from domain.invoices.folding import Standing
from domain.transitions import Why, move_together
from models.invoices import Invoice
from models.orders import Order


@dataclass
class Followed:
    """What came of it: the event rows to append, and the deposits' invoices that are newly confirmed."""

    rows: list[dict[str, object]] = field(default_factory=list)
    deposits_confirmed: list[Invoice] = field(default_factory=list)


def follow(session: Session, order: Order, *, why: Why) -> Followed:
    """Fold the payments of a locked order into its standing invoices.

    The same payments always give the same invoices, whatever came first and however often it is told.
    Writes: invoices, invoice_payments, state_changes. Emits: invoice.opened, invoice.pending_payment,
    invoice.paid, invoice.confirmed, invoice.refunded. Raises: LostRace.
    Transaction: caller's, with the order locked.
    """
    folio = folios.of_order(session, order)
    folded = folio.folded()
    folios.write_pairs(session, folio, dict(folded.pairs))
    done = Followed()
    for invoice in folio.invoices:
        before = invoice.status
        row = _bring(session, invoice, folded.standings[invoice.id], why)
        done.rows += [row] if row is not None else []
        if invoice.purpose == DEPOSIT and Status.CONFIRMED == invoice.status != before:
            done.deposits_confirmed.append(invoice)
    return done


def begin(session: Session, invoice: Invoice, *, why: Why) -> list[dict[str, object]]:
    """Note that an attempt to pay an invoice has begun. Gives the event rows to append.

    The same as `follow` would find, without reading all that pays it.
    Writes: invoices, state_changes. Emits: invoice.pending_payment. Raises: LostRace.
    Transaction: caller's, with the order locked.
    """
    if invoice.status != Status.OPEN:
        return []
    values: dict[str, object] = {
        "event_sequence": invoice.event_sequence + 1,
        "updated_at": clock.now(),
    }
    moves = {"invoice": Status.PENDING_PAYMENT.value}
    move_together(session, invoice, moves=moves, values=values, why=why)
    return [invoice_events.stands(invoice, why=why)]


def _bring(session: Session, invoice: Invoice, to: Standing, why: Why) -> dict[str, object] | None:
    values: dict[str, object] = {
        "paid_minor": to.paid,
        "confirmed_minor": to.confirmed,
        "refunded_minor": to.refunded,
        "written_off_minor": to.written_off,
    }
    changed = {name: value for name, value in values.items() if getattr(invoice, name) != value}
    is_moved = invoice.status != to.status
    if not changed and not is_moved:
        return None
    # What went back is told by its credit note; the state, what is paid and what is due by the invoice.
    is_told = is_moved or "paid_minor" in changed or "written_off_minor" in changed
    changed["updated_at"] = clock.now()
    if is_told:
        changed["event_sequence"] = invoice.event_sequence + 1
    move_together(session, invoice, moves={"invoice": to.status.value}, values=changed, why=why)
    return invoice_events.stands(invoice, why=why) if is_told else None
