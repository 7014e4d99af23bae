"""Payments, what is known of them (facts), what they are called elsewhere, their history and notes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Payment(Base):
    """One amount, one rail, one life. Amounts in minor units of `asset`.

    purpose: a word of `core.purposes`. effect_state: whether what follows from its money was carried out
    (`models/effects.py`); method_id: the kept card it is paid with.
    refunding_minor: asked back and not over yet; with refunded_minor never more than was received.
    reversed_minor: taken back after it had been final, by a debit that failed late.
    bank_reference: what travels with a bank transfer, so that the payer's bank and ours can name it.
    credited_minor: moved to the buyer's own funds, so that it counts for no order and is not refunded.

    open_key: `order:purpose` while the attempt is open, else null; its uniqueness is the business
    key "one open attempt per order and purpose". check_due_at: when the janitor asks the provider.
    """

    __tablename__ = "payments"
    id: Mapped[PublicId]
    order_id: Mapped[Link | None] = mapped_column(ForeignKey("orders.id"))
    invoice_id: Mapped[Link | None]
    purpose: Mapped[Word]
    status: Mapped[Word]
    sub_state: Mapped[Word]
    escrow_state: Mapped[Word]
    mapping_version: Mapped[int]
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    received_minor: Mapped[int] = mapped_column(default=0)
    capturable_minor: Mapped[int] = mapped_column(default=0)
    refunded_minor: Mapped[int] = mapped_column(default=0)
    refunding_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    credited_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    reversed_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    rail: Mapped[Word]
    provider: Mapped[Word]
    provider_reference: Mapped[str | None]
    bank_reference: Mapped[str | None]
    method: Mapped[Word]
    direction: Mapped[Word]
    failure_reason: Mapped[Short | None]
    provider_code: Mapped[Short | None]
    provider_message: Mapped[str | None]
    card_brand: Mapped[Word | None]
    card_last4: Mapped[Word | None]
    method_id: Mapped[Link | None]
    hold_ends_at: Mapped[datetime | None]
    receipt_url: Mapped[str | None]
    effect_state: Mapped[Word] = mapped_column(default="none", server_default="none")
    supersedes_id: Mapped[Link | None]
    superseded_by_id: Mapped[Link | None]
    public_id: Mapped[Link] = mapped_column(unique=True)
    open_key: Mapped[str | None] = mapped_column(unique=True)
    client_secret_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    hosted_url: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    buyer_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    seller_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    subscription_ref: Mapped[str | None]
    subscription_period: Mapped[str | None]
    reference: Mapped[str | None]
    meta: Mapped[dict[str, Json]] = mapped_column("metadata", default=dict)
    event_sequence: Mapped[int] = mapped_column(default=0)
    check_due_at: Mapped[datetime | None]
    check_count: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 or (amount_minor = 0 and purpose = 'card_setup')", name="amount"
        ),
        CheckConstraint("received_minor >= 0 and refunded_minor >= 0", name="moved"),
        CheckConstraint(
            "refunding_minor >= 0 and refunded_minor + refunding_minor <= received_minor",
            name="not_over",
        ),
        CheckConstraint("credited_minor between 0 and received_minor", name="credited"),
        CheckConstraint("reversed_minor between 0 and received_minor", name="reversed"),
        CheckConstraint("direction in ('in', 'out')", name="direction"),
        Index("ix_payments_created_at_id", "created_at", "id"),
        Index("ix_payments_status_created_at_id", "status", "created_at", "id"),
        Index("ix_payments_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_payments_buyer_id_created_at_id", "buyer_id", "created_at", "id"),
        Index("ix_payments_seller_id_created_at_id", "seller_id", "created_at", "id"),
        Index("ix_payments_order_id", "order_id"),
        Index("ix_payments_amount_minor", "amount_minor"),
        Index("ix_payments_provider_reference", "provider_reference"),
        Index("ix_payments_bank_reference", "bank_reference"),
        Index("ix_payments_reference", "reference"),
        # What a payer names once is one transaction for ever, whoever asks again.
        Index(
            "uq_payments_buyer_id_purpose_reference",
            "buyer_id",
            "purpose",
            "reference",
            unique=True,
            postgresql_where=text("order_id is null"),
            sqlite_where=text("order_id is null"),
        ),
        Index("ix_payments_buyer_id_purpose", "buyer_id", "purpose"),
        # Transactions are few beside the payments of orders, and listed by themselves.
        Index(
            "ix_payments_transactions",
            "created_at",
            "id",
            postgresql_where=text("order_id is null"),
            sqlite_where=text("order_id is null"),
        ),
        Index("ix_payments_effect_state", "effect_state"),
        Index("ix_payments_subscription_ref", "subscription_ref"),
        Index("ix_payments_check_due_at", "check_due_at"),
        Index("ix_payments_hold_ends_at", "hold_ends_at"),
    )


class ProviderReference(Base):
    """What a provider calls something of ours; how an inbound event finds its payment."""

    __tablename__ = "provider_references"
    provider: Mapped[Word] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[Word]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    created_at: Mapped[datetime]


class PaymentFact(Base):
    """One fact of the set that a payment's state is folded from; its key is the effect's key, for ever."""

    __tablename__ = "payment_facts"
    id: Mapped[PublicId]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    fact_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[Word]
    amount_minor: Mapped[int | None]
    code: Mapped[Short | None]
    message: Mapped[str | None]
    source: Mapped[Short]
    said_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class StateChange(Base):
    """One move of one state column: what it was, what it is, who, why, by which source."""

    __tablename__ = "state_changes"
    id: Mapped[PublicId]
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    payment_id: Mapped[Link | None]
    order_id: Mapped[Link | None]
    old: Mapped[Word]
    new: Mapped[Word]
    actor: Mapped[Short]
    reason: Mapped[str | None]
    source: Mapped[Short]
    mapping_version: Mapped[int]
    at: Mapped[datetime]
    __table_args__ = (
        Index("ix_state_changes_object_id", "object_id"),
        Index("ix_state_changes_payment_id", "payment_id"),
        Index("ix_state_changes_order_id", "order_id"),
        Index("ix_state_changes_source", "source"),
    )


class PaymentNote(Base):
    """What a person wrote on a payment."""

    __tablename__ = "payment_notes"
    id: Mapped[PublicId]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    actor: Mapped[Short]
    note: Mapped[str]
    text_hash: Mapped[Short]
    at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("payment_id", "actor", "text_hash"),)
