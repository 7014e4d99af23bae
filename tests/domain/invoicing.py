"""What tests of invoices share: an order's invoices, their events, what the worker owes them, every proof."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.money import Money, asset
from domain import database
from domain.books import verification
from domain.jobs import effects as effects_job
from domain.orders.order_progress import lock_order
from models.events import EventLog
from models.invoices import CreditNote, Invoice
from models.orders import Order

EUR = asset("EUR")


def of_order(order: Order) -> list[Invoice]:
    """Give an order's invoices, oldest first."""
    with database.reading() as session:
        own = select(Invoice).where(Invoice.order_id == order.id)
        return list(session.scalars(own.order_by(Invoice.created_at, Invoice.id)))


def stands(order: Order) -> list[tuple[str, str, int, int]]:
    """Say of each invoice of an order: purpose, status, paid, refunded."""
    return [
        (row.purpose, row.status, row.paid_minor, row.refunded_minor) for row in of_order(order)
    ]


def current(order: Order) -> str | None:
    """Give the invoice that an order names."""
    with database.reading() as session:
        return session.get_one(Order, order.id).invoice_id


def told(invoice: Invoice) -> list[tuple[str, object, object]]:
    """Give an invoice's events: type, paid, due; for a credit note its amount twice."""
    with database.reading() as session:
        own = select(EventLog).where(EventLog.object_id == invoice.id)
        rows = session.scalars(own.order_by(EventLog.sequence)).all()
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        return [
            (row.type, row.body.get("paid", row.body.get("amount")), row.body.get("due"))
            for row in rows
        ]


def notes() -> Sequence[CreditNote]:
    """Give all credit notes, oldest first."""
    with database.reading() as session:
        return session.scalars(select(CreditNote).order_by(CreditNote.created_at)).all()


def work() -> None:
    """Let the worker carry out what waits."""
    while effects_job.retry_next():
        pass


def locked(session: Session, order: Order) -> Order:
    """Lock an order."""
    return lock_order(session, order.id)


def euros(minor: int) -> Money:
    """Give an amount."""
    return Money(minor, EUR)


def assert_proved() -> None:
    """Check every proof of `flask verify`."""
    bad = [check.first_bad for check in verification.verify().checks if not check.ok]
    assert bad == []
