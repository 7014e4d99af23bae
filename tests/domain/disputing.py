"""What tests of disputes share: the words of one dispute in their order, applying them, looking at what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from core import clock
from core.strictjson import Json
from domain import database
from domain.actors import system
from domain.books import ledger
from domain.payments import settlement
from domain.refunds import refunds
from domain.transitions import Why
from models.cases import ExceptionCase
from models.disputes import Dispute
from models.events import EventLog
from models.ledger import JournalEntry
from models.orders import Order
from models.payments import Payment
from providers.said import Reading
from providers.stripe import disputes
from tests.domain.fake_disputes import disputed

BEGAN = 1_790_000_000
DUE = BEGAN + 7 * 86_400
Step = tuple[str, str, int]


def booked(name: str, amount: int, *, fee: int = 0, at: int = BEGAN) -> dict[str, Json]:
    """Make a balance transaction of a dispute as Stripe writes it."""
    return {
        "id": name,
        "object": "balance_transaction",
        "amount": amount,
        "currency": "eur",
        "created": at,
        "fee": fee,
        "net": amount - fee,
        "type": "adjustment",
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
    }


def word(payment: Payment, status: str, at: int, *, moved: int = 0, evidence: int = 0) -> Reading:
    """Say one word of the payment's dispute. moved: how many bookings it has by then."""
    own = f"dp_{payment.id}"
    bookings = [
        booked(f"txn_out_{payment.id}", -2_500, fee=1_500, at=BEGAN + 1),
        booked(f"txn_in_{payment.id}", 2_500, at=BEGAN + 9),
    ]
    record = disputed(own, str(payment.provider_reference), 2_500) | {
        "status": status,
        "created": BEGAN,
        "balance_transactions": bookings[:moved],
        "evidence_details": {"due_by": DUE, "submission_count": evidence},
    }
    at_that_time = clock.from_unix(at)
    return disputes.read_dispute(record, said_at=at_that_time, is_present=False)  # type: ignore[arg-type]


def won(payment: Payment) -> list[Reading]:
    """Every word of a dispute that is answered and won."""
    return [
        word(payment, "needs_response", BEGAN),
        word(payment, "needs_response", BEGAN, moved=1),
        word(payment, "under_review", BEGAN + 5, moved=1, evidence=1),
        word(payment, "won", BEGAN + 9, moved=1, evidence=1),
        word(payment, "won", BEGAN + 9, moved=2, evidence=1),
    ]


def lost(payment: Payment) -> list[Reading]:
    """Every word of an inquiry that becomes a dispute, is answered and lost."""
    return [
        word(payment, "warning_needs_response", BEGAN),
        word(payment, "warning_under_review", BEGAN + 2, evidence=1),
        word(payment, "needs_response", BEGAN + 3, moved=1, evidence=1),
        word(payment, "under_review", BEGAN + 4, moved=1, evidence=1),
        word(payment, "lost", BEGAN + 9, moved=1, evidence=1),
    ]


def apply(payment: Payment, said: Sequence[Reading]) -> None:
    """Apply readings one after the other, each in a transaction of its own."""
    for place, reading in enumerate(said):
        with database.transaction() as session:
            own = refunds.lock_payment(session, payment.id)
            why = Why(system("worker"), f"inbound:{place}")
            settlement.apply(session, own, reading, why=why)


def of(payment: Payment) -> Dispute:
    """Give the payment's one dispute."""
    with database.reading() as session:
        return session.scalars(select(Dispute).where(Dispute.payment_id == payment.id)).one()


def standing(payment: Payment) -> dict[str, object]:
    """Say all that must be the same whatever the order in which things were heard."""
    with database.reading() as session:
        row = session.scalars(select(Dispute).where(Dispute.payment_id == payment.id)).one()
        order = session.get_one(Order, payment.order_id)
        case = session.scalars(
            select(ExceptionCase).where(
                ExceptionCase.payment_id == payment.id, ExceptionCase.kind == "DISPUTE"
            )
        ).one()
        entries = select(JournalEntry.kind).where(JournalEntry.payment_id == payment.id)
        events = (
            select(EventLog.type, func.count())
            .where(EventLog.payment_id == payment.id, EventLog.type.not_like("%.updated"))
            .group_by(EventLog.type)
        )
        own = session.get_one(Payment, payment.id)
        return {
            "status": row.status,
            "status_at": row.status_at,
            "amounts": (row.amount_minor, row.withdrawn_minor, row.reinstated_minor),
            "times": (row.evidence_due_at, row.evidence_submitted_at, row.closed_at),
            "payment": (own.status, own.received_minor, own.refunded_minor),
            "order": (order.status, order.release_hold),
            "case": (case.state, case.sla_due_at),
            "at risk": ledger.balance(session, f"dispute:{row.id}:at_risk", "EUR/2"),
            "entries": sorted(session.scalars(entries)),
            "events": dict(session.execute(events).all()),
        }
