"""Orders made before there were invoices get theirs by the migration, as if they had been opened with them."""

from __future__ import annotations

import flask_migrate
from flask import Flask
from sqlalchemy import func, select

from domain import database
from domain.books import verification
from domain.invoices import content
from domain.samples import load
from models.invoices import Invoice, InvoicePayment, NumberSeries
from models.orders import Order
from models.payments import Payment

CHECKS = ("invoice_numbers", "invoices", "invoices_void", "credit_notes")


def proved() -> list[str | None]:
    """Give what the proofs of invoices find wrong."""
    checks = verification.verify().checks
    return [each.first_bad for each in checks if each.name in CHECKS and not each.ok]


def standing() -> list[tuple[object, ...]]:
    """Give how every invoice stands, but for the names it goes by."""
    columns = (
        Invoice.order_id,
        Invoice.purpose,
        Invoice.status,
        Invoice.total_minor,
        Invoice.paid_minor,
        Invoice.confirmed_minor,
        Invoice.refunded_minor,
        Invoice.issued_on,
    )
    with database.reading() as session:
        rows = session.execute(select(*columns).where(Invoice.purpose != "balance"))
        return sorted(map(tuple, rows), key=str)


def test_orders_of_before_have_their_invoices_after_the_upgrade(app: Flask) -> None:
    load(150)
    before = standing()
    with app.app_context():
        flask_migrate.downgrade(revision="0003")
        flask_migrate.upgrade()
    assert proved() == []
    assert standing() == before
    with database.reading() as session:
        assert session.scalars(select(Payment.id).where(Payment.invoice_id.is_(None))).all() == []
        series = session.scalars(select(NumberSeries)).all()
        numbers = session.scalar(select(func.count()).select_from(Invoice))
        assert sum(row.last for row in series) == numbers > 100
        confirmed = select(Invoice).where(Invoice.status == "confirmed").limit(1)
        invoice = session.scalars(confirmed).one()
        shown = content.of_invoice(session, invoice.id)
        assert shown.own.gross.minor == invoice.total_minor
        assert [each.payment_id for each in shown.payments] == list(
            session.scalars(
                select(InvoicePayment.payment_id).where(InvoicePayment.invoice_id == invoice.id)
            )
        )
        unpaid = select(Invoice).where(Invoice.status == "open").limit(1)
        order = session.get_one(Order, session.scalars(unpaid).one().order_id)
    assert order.invoice_id is not None
