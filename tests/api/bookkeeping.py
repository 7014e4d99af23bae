"""Entries by hand over the API in tests: what they are tied to, asked for by a token, agreed to at the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from core import clock
from domain.control import approvals
from domain.database import reading, transaction
from domain.people import sessions
from models.orders import Order
from models.payments import Payment
from models.people import User
from tests.api.personas import Persona, Personas
from tests.api.till import Till
from tests.domain import journaling

SUSPENSE = "suspense:manual:stripe"


@dataclass(frozen=True)
class Ground:
    """An order that was paid into, as an entry names it."""

    order_id: str
    invoice_id: str
    reference: str
    buyer_id: str
    merchant_id: str

    @property
    def funds(self) -> str:
        return f"buyer:{self.buyer_id}:funds"

    @property
    def hold(self) -> str:
        return f"order:{self.order_id}:escrow_hold"

    def body(self, *postings: dict[str, Any], **more: object) -> dict[str, Any]:
        """Write an entry; without postings, 5.00 EUR that the bank owes the buyer."""
        return {
            "note": "The bank is late",
            "orderId": self.order_id,
            "invoiceId": self.invoice_id,
            "providerReference": self.reference,
            "postings": list(postings) or [posting(SUSPENSE, self.funds)],
        } | more


def posting(
    debit: str | None, credit: str | None, amount: str = "5.00", currency: str = "EUR"
) -> dict[str, Any]:
    said = {"debit": debit, "credit": credit, "amount": {"amount": amount, "currency": currency}}
    return {name: value for name, value in said.items() if value is not None}


def ground(till: Till, who: Personas) -> Ground:
    """Have Bo pay the deposit of an order."""
    payment = till.payment(who.bo)
    till.settle(payment)
    order_id = payment["orderId"]
    invoice_id = journaling.invoice(order_id)
    with reading() as session:
        order = session.get_one(Order, order_id)
        reference = session.scalars(
            select(Payment.provider_reference).where(Payment.order_id == order_id)
        ).one()
    return Ground(order_id, invoice_id, str(reference), who.bo.id, order.merchant_id)


def agree(approval_id: str, person: Persona) -> str:
    """Agree at the desk, freshly proved. Gives the id of the entry that was posted."""
    with transaction() as session:
        user = session.get_one(User, person.id)
        opened = sessions.open_session(session, user, address=None, browser=None)
        actor = sessions.actor_of(user, session_id=opened.session_id)
    actor = replace(actor, stepped_up_at=clock.now())
    with transaction() as session:
        shown = approvals.get(session, approval_id).content_hash
        done = approvals.agree(session, approval_id, actor=actor, content_hash=shown, reason=None)
    return str(done.row.result["entryId"])


def posted(till: Till, who: Personas, body: dict[str, Any]) -> str:
    """Ask by a token of Fin's and agree as Flo. Gives the entry's id."""
    answer = till.post("/api/journal/entries", who.fin, body)
    assert answer.status_code == 202, answer.text
    return agree(answer.get_json()["approvalId"], who.flo)
