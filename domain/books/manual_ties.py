"""What an entry that people write belongs to: an order, an invoice of it, and a provider's name for its money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.errors import FieldError, InvalidInput
from domain.books.ledger import Ties
from models.disputes import Dispute
from models.invoices import Invoice
from models.orders import Order
from models.payments import Payment, ProviderReference
from models.reconciliation import ProviderBooking, ProviderPayout
from models.refunds import Refund

_MOST = 50


@dataclass(frozen=True)
class Known:
    """One thing that a provider calls by a reference. payment_id: None for what is no payment's, as a payout."""

    provider: str
    payment_id: str | None


def find(session: Session, *, order_id: str, invoice_id: str, reference: str) -> tuple[Order, Ties]:
    """Find what an entry is tied to, and check that all of it belongs together.

    The entry is not tied to the payment itself: what payments received is proved from facts alone.
    Raises: InvalidInput naming each field. Transaction: caller's, reads only.
    """
    wrong: list[FieldError] = []
    order = session.get(Order, order_id)
    if order is None:
        wrong.append(FieldError("orderId", "unknown", "There is no such order."))
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        wrong.append(FieldError("invoiceId", "unknown", "There is no such invoice."))
    elif order is not None and invoice.order_id != order.id:
        wrong.append(FieldError("invoiceId", "foreign", "That invoice is of another order."))
    known = list(known_as(session, reference))
    if not known:
        said = "No provider has told us of anything by this name."
        wrong.append(FieldError("providerReference", "unknown", said))
    own = _of_order(session, known, order) if order is not None else None
    if known and order is not None and own is None:
        said = "That reference belongs to a payment of another order."
        wrong.append(FieldError("providerReference", "foreign", said))
    if wrong or order is None or own is None:
        raise InvalidInput(fields=wrong)
    ties = Ties(
        order_id=order.id,
        invoice_id=invoice_id,
        provider=own.provider,
        provider_reference=reference,
        livemode=order.livemode,
        demo=order.demo,
    )
    return order, ties


def known_as(session: Session, reference: str) -> Iterator[Known]:
    """Find everything that a provider calls by a name. Transaction: caller's, reads only."""
    named = (
        select(ProviderReference.provider, ProviderReference.payment_id).where(
            ProviderReference.reference == reference
        ),
        select(Payment.provider, Payment.id).where(Payment.provider_reference == reference),
        select(Payment.provider, Payment.id)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Refund.provider_reference == reference),
        select(Dispute.provider, Dispute.payment_id).where(Dispute.provider_reference == reference),
        select(ProviderBooking.provider, ProviderBooking.payment_id).where(
            or_(
                ProviderBooking.provider_reference == reference,
                ProviderBooking.reference == reference,
            )
        ),
    )
    for statement in named:
        for provider, payment_id in session.execute(statement.limit(_MOST)):
            yield Known(provider, payment_id)
    payouts = select(ProviderPayout.provider).where(ProviderPayout.provider_reference == reference)
    for provider in session.scalars(payouts.limit(_MOST)):
        yield Known(provider, None)


def _of_order(session: Session, known: list[Known], order: Order) -> Known | None:
    """Choose what is of the order, else what is of no order at all; None when all is of others."""
    ids = {each.payment_id for each in known if each.payment_id}
    own = set(
        session.scalars(select(Payment.id).where(Payment.id.in_(ids), Payment.order_id == order.id))
    )
    of_order = [each for each in known if each.payment_id in own]
    of_nobody = [each for each in known if each.payment_id is None]
    return next(iter(of_order + of_nobody), None)
