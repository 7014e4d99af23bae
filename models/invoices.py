"""Invoices and credit notes, the numbers they bear, what paid them, and the documents they were printed as."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class NumberSeries(Base):
    """The numbers of one kind of document of a merchant in a year; locked to take the next, so no gap."""

    __tablename__ = "number_series"
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"), primary_key=True)
    kind: Mapped[Word] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    livemode: Mapped[bool] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Invoice(Base):
    """One invoice of an order. Amounts in minor units of `asset`, tax included in the total.

    purpose: deposit, balance or full. number: of its merchant's series, and no in it. paid_minor: what
    was detected; confirmed_minor: what is final; refunded_minor: what went back. credited_minor: what its
    credit notes take back; allowed_minor: those among them that go with no refund, so that less is asked;
    written_off_minor: what people gave up of it. open_key: `order:purpose` while it stands, else null:
    one standing invoice per order and purpose. sealed: parties, lines and the note, as sealed JSON
    (personal); null: one untaxed line, of an order from before there were invoices.
    supersedes_id: the one that it was issued anew for. public_id: names its pay page, for ever; it
    cannot be guessed, and stands on the document.
    """

    __tablename__ = "invoices"
    id: Mapped[PublicId]
    number: Mapped[Short]
    number_no: Mapped[int]
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"))
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    buyer_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    seller_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[Word]
    status: Mapped[Word]
    asset: Mapped[Word]
    total_minor: Mapped[int]
    tax_minor: Mapped[int]
    paid_minor: Mapped[int] = mapped_column(default=0)
    confirmed_minor: Mapped[int] = mapped_column(default=0)
    refunded_minor: Mapped[int] = mapped_column(default=0)
    credited_minor: Mapped[int] = mapped_column(default=0)
    allowed_minor: Mapped[int] = mapped_column(default=0)
    written_off_minor: Mapped[int] = mapped_column(default=0)
    issued_on: Mapped[date]
    due_on: Mapped[date | None]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    public_id: Mapped[Link | None] = mapped_column(unique=True)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    reference: Mapped[str | None]
    supersedes_id: Mapped[Link | None] = mapped_column(ForeignKey("invoices.id"), unique=True)
    void_reason: Mapped[str | None]
    event_sequence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("total_minor > 0", name="total"),
        CheckConstraint("tax_minor between 0 and total_minor", name="tax"),
        CheckConstraint(
            "paid_minor >= 0 and confirmed_minor between 0 and paid_minor", name="paid"
        ),
        CheckConstraint("refunded_minor between 0 and confirmed_minor", name="refunded"),
        CheckConstraint(
            "allowed_minor between 0 and credited_minor and credited_minor <= total_minor",
            name="credited",
        ),
        CheckConstraint("written_off_minor between 0 and total_minor", name="written_off"),
        UniqueConstraint("merchant_id", "livemode", "number"),
        UniqueConstraint("merchant_id", "livemode", "reference"),
        Index("ix_invoices_order_id_created_at_id", "order_id", "created_at", "id"),
        Index("ix_invoices_created_at_id", "created_at", "id"),
        Index("ix_invoices_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_invoices_buyer_id_created_at_id", "buyer_id", "created_at", "id"),
        Index("ix_invoices_seller_id_created_at_id", "seller_id", "created_at", "id"),
        Index("ix_invoices_status_created_at_id", "status", "created_at", "id"),
        Index("ix_invoices_total_minor", "total_minor"),
    )


class InvoicePayment(Base):
    """What one payment pays of one invoice; the pair is unique, so no payment pays it twice."""

    __tablename__ = "invoice_payments"
    invoice_id: Mapped[Link] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    paid_minor: Mapped[int]
    confirmed_minor: Mapped[int] = mapped_column(default=0)
    refunded_minor: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("confirmed_minor between 0 and paid_minor", name="paid"),
        CheckConstraint("refunded_minor between 0 and confirmed_minor", name="refunded"),
        Index("ix_invoice_payments_payment_id", "payment_id"),
    )


class CreditNote(Base):
    """What was given back of an invoice, with a number of its own. One per refund.

    voided_at: when it was taken back, as its refund failed after all; its number stays.
    """

    __tablename__ = "credit_notes"
    id: Mapped[PublicId]
    number: Mapped[Short]
    number_no: Mapped[int]
    invoice_id: Mapped[Link] = mapped_column(ForeignKey("invoices.id"), index=True)
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"), index=True)
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    refund_id: Mapped[Link | None] = mapped_column(ForeignKey("refunds.id"), unique=True)
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    tax_minor: Mapped[int]
    reason: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    reference: Mapped[str | None]
    issued_by: Mapped[Link]
    issued_on: Mapped[date]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("tax_minor between 0 and amount_minor", name="tax"),
        UniqueConstraint("merchant_id", "livemode", "number"),
        UniqueConstraint("merchant_id", "livemode", "reference"),
        Index("ix_credit_notes_created_at_id", "created_at", "id"),
    )


class Document(Base):
    """A document as it was printed: once, sealed, with its hash. Until then a row of the printer's queue.

    object_id: the invoice, credit note or statement it shows; asked: of a statement, which accounts over
    which span, else null; sealed: the PDF, its XML within and beside it, read only where they are wanted.
    """

    __tablename__ = "documents"
    id: Mapped[PublicId]
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    state: Mapped[Word]
    asked: Mapped[dict[str, Json]] = mapped_column(nullable=True)
    sealed_pdf: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    sealed_xml: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    has_xml: Mapped[bool] = column_property(sealed_xml.is_not(None))
    pdf_sha256: Mapped[Short | None]
    pdf_bytes: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]
    printed_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("object_kind", "object_id"),
        Index("ix_documents_state_due_at", "state", "due_at"),
    )
