"""Disputes: money that a payer's bank takes back until somebody is proved right; what holds a release."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class Dispute(Base):
    """One dispute of one payment. status: the provider's own word; amounts in minor units of `asset`.

    status_at: when the provider said so, so that an older word never unsays a newer one;
    evidence_sealed: what is kept to be sent, as sealed JSON (it holds personal data).
    """

    __tablename__ = "disputes"
    id: Mapped[PublicId]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    order_id: Mapped[Link | None] = mapped_column(ForeignKey("orders.id"), index=True)
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    provider: Mapped[Word]
    provider_reference: Mapped[str] = mapped_column(unique=True)
    status: Mapped[Word]
    status_at: Mapped[datetime]
    reason: Mapped[Short | None]
    amount_minor: Mapped[int]
    asset: Mapped[Word]
    withdrawn_minor: Mapped[int] = mapped_column(default=0)
    reinstated_minor: Mapped[int] = mapped_column(default=0)
    evidence_due_at: Mapped[datetime | None]
    evidence_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    evidence_submitted_at: Mapped[datetime | None]
    approval_id: Mapped[Link | None]
    case_id: Mapped[Link | None]
    event_sequence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("withdrawn_minor >= 0 and reinstated_minor >= 0", name="moved"),
        Index("ix_disputes_created_at_id", "created_at", "id"),
        Index("ix_disputes_status_created_at_id", "status", "created_at", "id"),
        Index("ix_disputes_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_disputes_evidence_due_at", "evidence_due_at"),
    )


class ReleaseHold(Base):
    """One reason why nothing of an order is released. reference: the provider's name of what it is about.

    One that is heard of after its end is kept as ended, so that it never begins again.
    """

    __tablename__ = "release_holds"
    id: Mapped[PublicId]
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"))
    kind: Mapped[Word]
    reference: Mapped[str]
    reason: Mapped[Short]
    case_id: Mapped[Link | None] = mapped_column(index=True)
    placed_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("kind", "reference"),)
