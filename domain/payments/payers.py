"""Who pays, for a provider that asks for it: the buyer of the order's invoice, else the buyer's own account."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import invalid
from domain import database
from domain.invoices import drafting
from models.orders import Order
from models.payments import Payment
from providers.new_payment import Payer


def find(session: Session, order: Order) -> Payer | None:
    """Give who pays for an order, as far as somebody has said so. Transaction: caller's, reads only."""
    _, buyer = drafting.parties(session, order, drafting.draft_of(session, order))
    return Payer(buyer.name, buyer.email) if buyer is not None else None


def assert_known(session: Session, order: Order) -> None:
    """Refuse to ask a provider for a payment of somebody it would ask the name of.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    if find(session, order) is None:
        sentence = "The bank asks who pays, and this order names no buyer. Give it one first."
        raise invalid("orderId", sentence, code="payer_missing")


def of(payment: Payment) -> Payer | None:
    """Give who pays; read at the call, so that no row keeps a name in clear.

    Transaction: opens its own, reads only; none may be open.
    """
    if payment.order_id is None:
        return None
    with database.reading() as session:
        return find(session, session.get_one(Order, payment.order_id))
