"""Opening invoices: with the order, when its deposit is confirmed, and at the latest when an attempt begins.

A payment always finds the invoice it pays, so that no money ever waits for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.book_states import Invoice as Status
from core.errors import IllegalTransition
from core.money import Money, asset
from core.strictjson import Json
from domain import audit, calendar, events
from domain.invoices import (
    documents,
    drafting,
    folios,
    following,
    invoice_events,
    numbers,
    sheets,
)
from domain.invoices.content import sheet_of
from domain.invoices.drafting import BALANCE, DEPOSIT, FULL, Draft
from domain.invoices.sheets import Deducted, Sheet
from domain.orders.order_progress import lock_order
from domain.secrets import person_keys
from domain.transitions import Why, move_together
from models.invoices import Invoice
from models.orders import Order
from models.payments import Payment

_UNTOUCHED = (Status.OPEN.value,)
REPLACED = "Billed with the whole order"


@dataclass(frozen=True)
class Wanted:
    """What an invoice is made of. sheet: what it says, and what it asks for."""

    purpose: str
    sheet: Sheet
    due_on: date | None = None
    reference: str | None = None
    supersedes_id: str | None = None


def new_id() -> str:
    """Name an invoice that is about to be opened, so that its order can bear the name from the start."""
    return ids.new("inv")


def first(session: Session, order: Order, draft: Draft | None) -> Wanted:
    """Say what the first invoice of a new order is: its deposit's, else the whole.

    Raises: InvalidInput when the draft does not add up to the order. Transaction: caller's, reads only.
    """
    whole = drafting.sheet(session, order, draft)
    due_on = calendar.day_of(order.deposit_due_at) if order.deposit_due_at else None
    return Wanted(FULL, whole, due_on) if not is_in_parts(order) else _deposit(order, whole, due_on)


def _deposit(order: Order, whole: Sheet, due_on: date | None) -> Wanted:
    part = Money(order.deposit_minor or order.total_minor, asset(order.asset))
    return Wanted(DEPOSIT, drafting.deposit_sheet(whole, order.description, part), due_on)


def is_in_parts(order: Order) -> bool:
    """Tell whether an order is billed in two parts; a deposit of all of it is no part."""
    return order.deposit_minor is not None and order.deposit_minor < order.total_minor


def purpose_of(order: Order, payment_purpose: str) -> str:
    """Say which of an order's invoices a payment's purpose pays."""
    if not is_in_parts(order):
        return FULL
    return BALANCE if payment_purpose == "balance" else DEPOSIT


def write(
    session: Session, order: Order, wanted: Wanted, *, why: Why, invoice_id: str | None = None
) -> Invoice:
    """Write an invoice down under the next number of its merchant's series, and make it the order's.

    invoice_id: as the order bears it already, else a new one. The number is taken here and its series
    stays locked until the commit: call it last.
    Writes: number_series, invoices, orders, event_log, audit_log. Emits: invoice.opened.
    Transaction: caller's, with the order locked or new.
    """
    own, now = wanted.sheet.own, clock.now()
    invoice_id = invoice_id or new_id()
    day = calendar.day_of(now)
    whose = person_keys.books_of(order.buyer_id, day)
    sealed = sheets.seal(session, wanted.sheet, whose, f"invoices|sealed|{invoice_id}")
    number_no, number = numbers.take(
        session, order.merchant_id, numbers.INVOICE, day=day, livemode=order.livemode
    )
    invoice = Invoice(
        id=invoice_id,
        number=number,
        number_no=number_no,
        order_id=order.id,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        purpose=wanted.purpose,
        status=Status.OPEN.value,
        asset=order.asset,
        total_minor=own.gross.minor,
        tax_minor=own.tax.minor,
        paid_minor=0,
        confirmed_minor=0,
        refunded_minor=0,
        credited_minor=0,
        allowed_minor=0,
        written_off_minor=0,
        issued_on=day,
        due_on=wanted.due_on,
        open_key=f"{order.id}:{wanted.purpose}",
        public_id=ids.new("ip"),
        sealed=sealed,
        reference=wanted.reference,
        supersedes_id=wanted.supersedes_id,
        event_sequence=1,
        livemode=order.livemode,
        demo=order.demo,
        created_at=now,
        updated_at=now,
    )
    session.add(invoice)
    session.flush()
    folios.forget(session, order.id)
    documents.queue(session, "invoice", invoice.id)
    if order.invoice_id != invoice.id:
        values: dict[str, object] = {"invoice_id": invoice.id, "updated_at": now}
        move_together(session, order, moves={}, values=values, why=why)
    _tell(session, invoice, why)
    return invoice


def _tell(session: Session, invoice: Invoice, why: Why) -> None:
    events.append(session, [invoice_events.stands(invoice, why=why)])
    after: dict[str, Json] = {
        "orderId": invoice.order_id,
        "number": invoice.number,
        "purpose": invoice.purpose,
        "totalMinor": invoice.total_minor,
        "taxMinor": invoice.tax_minor,
        "asset": invoice.asset,
        "supersedesId": invoice.supersedes_id,
    }
    audit.write(
        session,
        "invoice.open",
        actor=why.actor,
        object_kind="invoice",
        object_id=invoice.id,
        source=why.source,
        reason=why.reason,
        after=after,
    )


def standing(session: Session, order_id: str, purpose: str) -> Invoice | None:
    """Find the invoice that stands for a purpose of an order. Transaction: caller's, reads only."""
    statement = select(Invoice).where(Invoice.open_key == f"{order_id}:{purpose}")
    return session.scalars(statement).first()


def ensure(session: Session, order: Order, payment_purpose: str, *, why: Why) -> Invoice:
    """Give the invoice that a payment of a locked order will pay; open it when none stands.

    Writes, Emits: as `write`, when it opens one. Transaction: caller's, with the order locked.
    """
    purpose = purpose_of(order, payment_purpose)
    found = standing(session, order.id, purpose)
    if found is None and purpose == DEPOSIT:
        # The deposit's gave way to the final one, which asks for all of it.
        found = standing(session, order.id, BALANCE)
    if found is not None:
        return found
    wanted = next_of(session, order, purpose, why=why)
    if wanted is None:
        # All of the order is billed already; then the newest invoice is the one to pay.
        return _newest(session, order)
    return add(session, order, wanted, why=why)


def add(session: Session, order: Order, wanted: Wanted, *, why: Why) -> Invoice:
    """Write one more invoice of an order down, and let what its payments brought too much pay it.

    Writes, Emits: as `write` and `following.follow`. Transaction: caller's, with the order locked.
    """
    invoice = write(session, order, wanted, why=why)
    events.append(session, following.follow(session, order, why=why).rows)
    return invoice


def tie(session: Session, payment: Payment, *, why: Why) -> None:
    """Name the invoice of a payment of an order that began before there were invoices.

    The books refuse a deposit that names none. Writes: payments, and as `ensure`.
    Transaction: caller's, with the payment locked.
    """
    if payment.order_id is None or payment.invoice_id is not None:
        return
    order = lock_order(session, payment.order_id)
    invoice = ensure(session, order, payment.purpose, why=why)
    move_together(session, payment, moves={}, values={"invoice_id": invoice.id}, why=why)


def _newest(session: Session, order: Order) -> Invoice:
    invoices = folios.of_order(session, order).invoices
    if not invoices:
        raise IllegalTransition("invoice", Status.VOID.value, Status.PENDING_PAYMENT.value)
    return invoices[-1]


def next_of(session: Session, order: Order, purpose: str, *, why: Why) -> Wanted | None:
    """Say what an order's next invoice of a purpose is; None when nothing of the order is left to bill.

    A final invoice lists the whole and takes off the deposit's by its number. A deposit's that nobody
    has paid or is paying gives way to it.
    Writes: invoices, when one gives way. Emits: invoice.voided.
    Transaction: caller's, with the order locked.
    """
    whole = drafting.stored_sheet(session, order)
    if purpose == FULL:
        return Wanted(FULL, whole)
    if purpose == DEPOSIT:
        return _deposit(order, whole, None)
    return final(session, order, whole, why=why)


def final(session: Session, order: Order, whole: Sheet, *, why: Why) -> Wanted | None:
    """Make the final invoice of an order of what the whole says. As `next_of`."""
    earlier = [each for each in folios.of_order(session, order).invoices if each.purpose == DEPOSIT]
    taken = []
    for each in earlier:
        if each.status in _UNTOUCHED and not each.paid_minor:
            give_way(session, order, each, reason=REPLACED, why=why)
        else:
            taken.append(_taken_off(session, each))
    sheet = drafting.balance_sheet(whole, taken)
    return Wanted(BALANCE, sheet) if sheet.own.gross.minor > 0 else None


def _taken_off(session: Session, invoice: Invoice) -> Deducted:
    own = sheet_of(session, invoice).own
    return Deducted(invoice.id, invoice.number, invoice.issued_on, own.taxes)


def close(session: Session, order: Order, *, reason: str, why: Why) -> None:
    """Void what stands of an order that is over without having been paid.

    Writes, Emits: as `give_way`. Transaction: caller's, with the order locked.
    """
    for invoice in folios.of_order(session, order).invoices:
        if invoice.status == Status.OPEN and not invoice.paid_minor:
            give_way(session, order, invoice, reason=reason, why=why)


def give_way(session: Session, order: Order, invoice: Invoice, *, reason: str, why: Why) -> None:
    """Void an invoice that nobody has paid or is paying; its number stays with it.

    Writes: invoices, orders, state_changes, event_log, audit_log. Emits: invoice.voided.
    Raises: IllegalTransition, LostRace. Transaction: caller's, with the order locked.
    """
    before = invoice.status
    values: dict[str, object] = {
        "open_key": None,
        "void_reason": reason,
        "event_sequence": invoice.event_sequence + 1,
        "updated_at": clock.now(),
    }
    move_together(session, invoice, moves={"invoice": Status.VOID.value}, values=values, why=why)
    folios.forget(session, order.id)
    if order.invoice_id == invoice.id:
        others = [row for row in folios.of_order(session, order).invoices if row.id != invoice.id]
        stands: dict[str, object] = {"invoice_id": others[-1].id if others else None}
        move_together(session, order, moves={}, values=stands, why=why)
    events.append(session, [invoice_events.stands(invoice, why=why)])
    audit.write(
        session,
        "invoice.void",
        actor=why.actor,
        object_kind="invoice",
        object_id=invoice.id,
        source=why.source,
        reason=reason,
        before={"status": before},
        after={"status": invoice.status, "number": invoice.number},
    )
