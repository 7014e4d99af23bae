"""What a dispute does to the books: money taken is a claim of ours, brought back or lost; fees apart.

Nothing is taken from a seller by itself: what a lost dispute costs is ours until people decide otherwise.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.disputes import Status
from core.fold import DISPUTE_REINSTATED, DISPUTE_WITHDRAWN
from core.money import Money, asset
from domain import pending
from domain.books import accounts, ledger
from domain.books.accounts import Account
from domain.books.ledger import Movement
from domain.payments import receipts
from domain.transitions import Why
from models.disputes import Dispute
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from providers.said import DisputedFunds

FEE, LOST = "dispute_fee", "dispute_lost"
# The kinds of entries that a dispute makes; the proofs count them apart from what a payment received.
KINDS = (DISPUTE_WITHDRAWN, DISPUTE_REINSTATED, FEE, LOST)
LOSSES = accounts.DISPUTES_LOST


def at_risk(dispute: Dispute) -> Account:
    """Name what a payer's bank holds until the dispute is decided: a claim of ours."""
    return accounts.disputed(dispute.id, dispute.merchant_id)


def fees(provider: str) -> Account:
    """Name what disputes cost at a provider, won or lost."""
    return accounts.dispute_fees(provider)


def book(
    session: Session, payment: Payment, dispute: Dispute, funds: DisputedFunds, *, why: Why
) -> None:
    """Post one booking of a dispute at its provider, under that booking's permanent name.

    Writes: journal. Transaction: caller's, with the payment locked and the booking newly known.
    """
    clearing, fact = accounts.clearing(payment.provider), funds.keyed.fact
    if funds.amount is not None:
        claim = at_risk(dispute)
        is_taken = fact.kind == DISPUTE_WITHDRAWN
        debit, credit = (claim, clearing) if is_taken else (clearing, claim)
        movement = Movement(debit, credit, funds.amount)
        _post(
            session, payment, dispute, fact.kind, movement, key=funds.keyed.key, why=why, at=funds
        )
    if funds.fee is not None and funds.fee.minor:
        cost = fees(payment.provider)
        debit, credit = (cost, clearing) if funds.fee.minor > 0 else (clearing, cost)
        movement = Movement(debit, credit, Money(abs(funds.fee.minor), funds.fee.asset))
        key = f"{funds.keyed.key}:fee"
        _post(session, payment, dispute, FEE, movement, key=key, why=why, at=funds)


def book_loss(session: Session, payment: Payment, dispute: Dispute, *, why: Why) -> None:
    """Bring what is booked as lost to what is lost now: all that the bank kept of a lost dispute.

    Whatever the order in which its end and its bookings are heard of. Writes: journal.
    Transaction: caller's, with the payment locked.
    """
    kept = max(0, dispute.withdrawn_minor - dispute.reinstated_minor)
    wanted = kept if dispute.status == Status.LOST else 0
    booked, number = _booked_loss(session, dispute)
    difference = wanted - booked
    if not difference:
        return
    claim = at_risk(dispute)
    debit, credit = (LOSSES, claim) if difference > 0 else (claim, LOSSES)
    amount = Money(abs(difference), asset(dispute.asset))
    key = f"dispute:{dispute.id}:lost:{number + 1}"
    _post(session, payment, dispute, LOST, Movement(debit, credit, amount), key=key, why=why)


def _booked_loss(session: Session, dispute: Dispute) -> tuple[int, int]:
    """Give what is booked as lost, in minor units, and by how many entries."""
    pending.write_rows(session)
    statement = (
        select(func.coalesce(func.sum(-Posting.amount_minor), 0), func.count())
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Posting.address == at_risk(dispute).address, JournalEntry.kind == LOST)
    )
    total, number = session.execute(statement).one()
    return int(total), int(number)


def _post(
    session: Session,
    payment: Payment,
    dispute: Dispute,
    kind: str,
    movement: Movement,
    *,
    key: str,
    why: Why,
    at: DisputedFunds | None = None,
) -> None:
    ledger.post(
        session,
        kind,
        movements=[movement],
        source_key=key,
        source=why.source,
        ties=receipts.ties(payment, reference=dispute.provider_reference),
        note=f"Dispute {dispute.id}",
        effective_at=at.keyed.fact.said_at if at else None,
    )
