"""Refunds: money on its way back to the payer, each its own row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class Refund(Base):
    """One refund. While it is not over, its amount is part of the payment's `refunding_minor`."""

    __tablename__ = "refunds"
    id: Mapped[PublicId]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    order_id: Mapped[Link | None] = mapped_column(ForeignKey("orders.id"), index=True)
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    rail: Mapped[Word]
    amount_minor: Mapped[int]
    asset: Mapped[Word]
    state: Mapped[Word]
    reason: Mapped[str]
    reference: Mapped[str | None]
    approval_id: Mapped[Link | None]
    operation_id: Mapped[Link | None]
    case_id: Mapped[Link | None]
    provider_reference: Mapped[str | None]
    failure_reason: Mapped[Short | None]
    requested_by: Mapped[Link]
    requested_kind: Mapped[Word]
    event_sequence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        UniqueConstraint("payment_id", "reference"),
        Index("ix_refunds_created_at_id", "created_at", "id"),
        Index("ix_refunds_state_created_at_id", "state", "created_at", "id"),
        Index("ix_refunds_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_refunds_provider_reference", "provider_reference"),
    )
