"""Who may still read what an invoice says of a buyer who was erased: those whom tax law asks for it, and nobody else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Gone
from core.states import Role
from domain.actors import Actor
from models.invoices import Invoice
from models.people import User

_KEEPERS = frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR})
SAID = "The buyer was erased. Finance, auditors and the merchant keep this as long as tax law asks."


def may_know_buyer(session: Session, invoice: Invoice, actor: Actor) -> bool:
    """Tell whether somebody may read the personal part of an invoice they may see.

    Transaction: caller's, reads only.
    """
    if actor.kind == "system" or actor.role in _KEEPERS:
        return True
    if actor.merchant_id is not None and actor.merchant_id == invoice.merchant_id:
        # The invoice is theirs, and so is the duty to keep it.
        return True
    buyer = session.get(User, invoice.buyer_id) if invoice.buyer_id else None
    return buyer is None or buyer.erased_at is None


def assert_may_know_buyer(session: Session, invoice: Invoice, actor: Actor) -> None:
    """Check it. Raises: Gone. Transaction: caller's, reads only."""
    if not may_know_buyer(session, invoice, actor):
        raise Gone(SAID)
