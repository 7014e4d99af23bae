"""Orders (the marketplace's purchase requests), their milestones and the parties an invoice will name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Word


class Order(Base):
    """What is bought. Amounts in minor units of `asset`; paid_minor counts confirmed money only.

    invoice_id: the invoice that stands now. entitlement: granted or revoked, of an order that pays for a period of a subscription.
    """

    __tablename__ = "orders"
    id: Mapped[PublicId]
    status: Mapped[Word]
    request_status: Mapped[Word]
    description: Mapped[str]
    asset: Mapped[Word]
    total_minor: Mapped[int]
    deposit_minor: Mapped[int | None]
    paid_minor: Mapped[int] = mapped_column(default=0)
    buyer_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    seller_id: Mapped[Link | None] = mapped_column(ForeignKey("users.id"))
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    deposit_due_at: Mapped[datetime | None]
    subscription_ref: Mapped[str | None]
    subscription_period: Mapped[str | None]
    entitlement: Mapped[Word | None]
    invoice_id: Mapped[Link | None]
    reference: Mapped[str | None]
    meta: Mapped[dict[str, Json]] = mapped_column("metadata", default=dict)
    release_hold: Mapped[str | None]
    event_sequence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("total_minor > 0", name="total"),
        CheckConstraint(
            "deposit_minor is null or deposit_minor between 1 and total_minor", name="deposit"
        ),
        CheckConstraint("paid_minor >= 0", name="paid"),
        UniqueConstraint("merchant_id", "livemode", "reference"),
        Index("ix_orders_created_at_id", "created_at", "id"),
        Index("ix_orders_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_orders_buyer_id_created_at_id", "buyer_id", "created_at", "id"),
        Index("ix_orders_seller_id_created_at_id", "seller_id", "created_at", "id"),
        Index("ix_orders_status_created_at_id", "status", "created_at", "id"),
        Index("ix_orders_subscription_ref", "subscription_ref"),
        Index("ix_orders_total_minor", "total_minor"),
    )


class Milestone(Base):
    """One part of an order's work with its share of the money."""

    __tablename__ = "milestones"
    id: Mapped[PublicId]
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"), index=True)
    position: Mapped[int]
    title: Mapped[str]
    amount_minor: Mapped[int]
    released_minor: Mapped[int] = mapped_column(default=0)
    refunded_minor: Mapped[int] = mapped_column(default=0)
    status: Mapped[Word]
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("released_minor >= 0 and refunded_minor >= 0", name="moved"),
        CheckConstraint("released_minor + refunded_minor <= amount_minor", name="not_over"),
    )


class InvoiceDraft(Base):
    """What an EN 16931 invoice of this order will need: parties and lines, sealed (personal)."""

    __tablename__ = "invoice_drafts"
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]
