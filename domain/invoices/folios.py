"""An order's invoices with everything that pays them, loaded under the order's lock: for one order or a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from core import clock
from core.states import Payment as PaymentStatus
from domain import pending
from domain.inbox import workset
from domain.invoices import folding
from domain.invoices.figures import STANDING
from domain.invoices.folding import Asked, Folded, Pair, Share
from models.invoices import Invoice, InvoicePayment
from models.orders import Order
from models.payments import Payment

_KEY = "folios"
_ENDED = (PaymentStatus.FAILED.value, PaymentStatus.CANCELLED.value)
_Figures = tuple[str, str, str | None, str, int, int, int, int, int]


@dataclass
class Folio:
    """One order's: its standing invoices in the order of their opening, its payments, who pays what."""

    order: Order
    invoices: list[Invoice] = field(default_factory=list)
    payments: dict[str, Payment | Row[_Figures]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    kept: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)

    def folded(self) -> Folded:
        """Fold the payments as they are now into what they pay."""
        asked = [Asked(row.id, row.total_minor - row.allowed_minor) for row in self.invoices]
        shares = [share_of(row) for row in self.payments.values()]
        return folding.fold(asked, shares, written_off=self.written_off())

    def written_off(self) -> int:
        """Say how much of the order people gave up: what counts as paid and came with no payment."""
        brought = sum(
            row.received_minor - row.credited_minor
            for row in self.payments.values()
            if row.status not in _ENDED
        )
        return max(0, self.order.paid_minor - brought)


def share_of(payment: Payment | Row[_Figures]) -> Share:
    """Say what a payment brings to its order's invoices."""
    return folding.share(
        payment.id,
        payment.invoice_id,
        payment.status,
        amount=payment.amount_minor,
        received=payment.received_minor,
        refunded=payment.refunded_minor,
        gone=payment.credited_minor + payment.reversed_minor,
    )


def preload(session: Session) -> None:
    """Load the folios of all orders that a batch has locked, in three statements.

    Transaction: caller's, with the batch's payments and orders locked.
    """
    held = workset.of(session)
    found = load(session, list(held.orders.values()))
    for payment in held.payments.values():
        folio = found.get(payment.order_id or "")
        if folio is not None:
            # What the batch does to it is on this row first.
            folio.payments[payment.id] = payment
    session.info[_KEY] = found


def of_order(session: Session, order: Order) -> Folio:
    """Give a locked order's folio, with all that this transaction has done. Transaction: caller's."""
    loaded: dict[str, Folio] = session.info.get(_KEY, {})
    if workset.is_batch(session) and order.id in loaded:
        return loaded[order.id]
    session.flush()
    pending.write_rows(session)
    return load(session, [order])[order.id]


def forget(session: Session, order_id: str) -> None:
    """Read an order's folio anew from now on: an invoice of it was opened or voided."""
    loaded: dict[str, Folio] = session.info.get(_KEY, {})
    loaded.pop(order_id, None)


def load(session: Session, orders: Sequence[Order]) -> dict[str, Folio]:
    """Read the folios of some orders, by their ids, in three statements. Transaction: caller's."""
    found = {order.id: Folio(order) for order in orders}
    if not found:
        return found
    standing = select(Invoice).where(
        Invoice.order_id.in_(list(found)), Invoice.status.in_(STANDING)
    )
    fresh = standing.order_by(Invoice.created_at, Invoice.id)
    for invoice in session.scalars(fresh.execution_options(populate_existing=True)):
        found[invoice.order_id].invoices.append(invoice)
    _load_payments(session, found)
    ids = [invoice.id for folio in found.values() for invoice in folio.invoices]
    of_invoice = {invoice.id: folio for folio in found.values() for invoice in folio.invoices}
    pairs = select(
        InvoicePayment.invoice_id,
        InvoicePayment.payment_id,
        InvoicePayment.paid_minor,
        InvoicePayment.confirmed_minor,
        InvoicePayment.refunded_minor,
    ).where(InvoicePayment.invoice_id.in_(ids))
    for invoice_id, payment_id, paid, confirmed, refunded in session.execute(pairs):
        of_invoice[invoice_id].pairs[invoice_id, payment_id] = Pair(paid, confirmed, refunded)
    return found


def _load_payments(session: Session, found: dict[str, Folio]) -> None:
    columns = (
        Payment.id,
        Payment.order_id,
        Payment.invoice_id,
        Payment.status,
        Payment.amount_minor,
        Payment.received_minor,
        Payment.refunded_minor,
        Payment.credited_minor,
        Payment.reversed_minor,
    )
    rows = select(*columns).where(Payment.order_id.in_(list(found)))
    for row in session.execute(rows.order_by(Payment.created_at, Payment.id)):
        found[str(row.order_id)].payments[row.id] = row  # type: ignore[assignment]


def write_pairs(session: Session, folio: Folio, wanted: dict[tuple[str, str], Pair]) -> None:
    """Bring the rows that say who pays what to what they should say; none is ever deleted.

    Writes: invoice_payments. Transaction: caller's, with the order locked.
    """
    now = clock.now()
    for key in sorted({*folio.pairs, *wanted}):
        old, new = folio.pairs.get(key), wanted.get(key, Pair())
        if old == new:
            continue
        values: dict[str, object] = {
            "paid_minor": new.paid,
            "confirmed_minor": new.confirmed,
            "refunded_minor": new.refunded,
            "updated_at": now,
        }
        name: dict[str, object] = {"invoice_id": key[0], "payment_id": key[1]}
        row = folio.kept.get(key)
        if row is not None and pending.is_kept(session, InvoicePayment, row):
            row.update(values)
        elif old is None:
            folio.kept[key] = name | values | {"created_at": now}
            pending.later(session, InvoicePayment, folio.kept[key])
        else:
            pending.later_update(session, InvoicePayment, held=name, new=values)
        folio.pairs[key] = new
