"""Documents in tests of the domain: orders that are billed in full, a printer that prints or fails as told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from core import clock
from domain import database
from domain.invoices import document_views
from domain.invoices.document_views import NotPrinted, Paper
from domain.jobs import printing
from models.cases import ExceptionCase
from models.invoices import Document, Invoice
from models.orders import Order
from printing import printers, wire
from printing.contents import Bill, Content
from tests.domain.world import World

# What an order says for its invoice so that EN 16931 can express it.
BILLED: dict[str, object] = {
    "seller": {
        "name": "Northwind Studio GmbH",
        "address": {
            "line1": "Lindenstraße 14",
            "city": "Berlin",
            "postalCode": "10969",
            "country": "DE",
        },
        "vatId": "DE123456789",
    },
    "buyer": {
        "name": "Acme Ltd",
        "address": {
            "line1": "12 Quay Street",
            "city": "Dublin",
            "postalCode": "D02 X285",
            "country": "IE",
        },
        "vatId": "IE1234567FA",
        "email": "ap@acme.example",
    },
}


@dataclass
class FakePress:
    """Prints nothing: gives bytes that depend on the content alone, or fails as it is told."""

    failures: list[Exception] = field(default_factory=list)
    printed: list[Content] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def print_out(self, content: Content) -> printers.Document:
        assert not database.is_open(), "a transaction is open while a document is printed"
        self.meanwhile()
        if self.failures:
            raise self.failures.pop(0)
        self.printed.append(content)
        body = wire.pack(content)
        return printers.Document(b"%PDF " + body, b"<xml/>")

    @property
    def bills(self) -> list[Bill]:
        return [each for each in self.printed if isinstance(each, Bill)]


@contextmanager
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePress]:
    """Put a fake in the printer's place. The seam is the printer's process: all else is real."""
    press = FakePress()
    monkeypatch.setattr(printing, "print_out", press.print_out)
    yield press


def billed(world: World, *, deposit: int | None = None) -> Order:
    """Make an order whose invoice says all that a standard wants to know."""
    return world.order(deposit=deposit, invoice=dict(BILLED))


def rows() -> list[Document]:
    """Give all documents, oldest first."""
    with database.reading() as session:
        whole = select(Document).options(undefer(Document.sealed_pdf), undefer(Document.sealed_xml))
        return list(session.scalars(whole.order_by(Document.created_at, Document.id)))


def invoice_of(order: Order) -> Invoice:
    """Give an order's newest invoice."""
    with database.reading() as session:
        own = select(Invoice).where(Invoice.order_id == order.id)
        return session.scalars(own.order_by(Invoice.created_at.desc())).first()  # type: ignore[return-value]


def row_of(order: Order) -> Document:
    """Give the document of an order's newest invoice."""
    invoice = invoice_of(order)
    return next(row for row in rows() if row.object_id == invoice.id)


def hurry() -> None:
    """Let what waits be due now."""
    with database.transaction() as session:
        waits = Document.state == "waiting"
        session.execute(update(Document).where(waits).values(due_at=clock.now()))


def print_all() -> int:
    """Print what is due. Gives how many were tried."""
    count = 0
    while printing.print_next():
        count += 1
    return count


def read(world: World, order: Order) -> Paper | NotPrinted:
    """Read an order's document as its buyer."""
    with database.transaction() as session:
        return document_views.get_pdf(session, order.id, actor=world.bo, source="test")


def body_of(world: World, order: Order) -> bytes:
    """Give the bytes of an order's document; they are those of its hash."""
    paper = read(world, order)
    assert isinstance(paper, Paper)
    assert hashlib.sha256(paper.body).hexdigest() == paper.sha256 == row_of(order).pdf_sha256
    return paper.body


def cases() -> list[ExceptionCase]:
    """Give the cases about documents."""
    with database.reading() as session:
        own = select(ExceptionCase).where(ExceptionCase.kind == "DOCUMENT_FAILED")
        return list(session.scalars(own))
