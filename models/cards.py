"""Cards that people keep with a provider: whom it knows, what it keeps for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Word


class ProviderCustomer(Base):
    """What a provider calls one of our people, in one mode."""

    __tablename__ = "provider_customers"
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), primary_key=True)
    provider: Mapped[Word] = mapped_column(primary_key=True)
    livemode: Mapped[bool] = mapped_column(primary_key=True)
    reference: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("provider", "reference"),)


class PaymentMethod(Base):
    """A card kept at a provider; never its number. validated_at: when a hold or a setup proved it.

    id: the same as reference, the provider's own name of it, so that everybody calls it alike.
    due_at: when the worker brings the provider and us to agree on it, after `attempts` tries in vain.
    """

    __tablename__ = "payment_methods"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), index=True)
    provider: Mapped[Word]
    reference: Mapped[str]
    livemode: Mapped[bool] = mapped_column(default=False)
    brand: Mapped[Word | None]
    last4: Mapped[Word | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    is_default: Mapped[bool] = mapped_column(default=False)
    state: Mapped[Word]
    validated_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("provider", "reference"),
        CheckConstraint("state in ('active', 'removing', 'removed')", name="state"),
        CheckConstraint("state = 'active' or not is_default", name="default"),
        Index("ix_payment_methods_due_at", "due_at"),
        # One default per person and mode, decided by the database.
        Index(
            "uq_payment_methods_default",
            "user_id",
            "livemode",
            unique=True,
            postgresql_where=text("is_default"),
            sqlite_where=text("is_default"),
        ),
    )
