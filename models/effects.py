"""What follows from money that arrived: each effect a row of its own, and what effects grant."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class Effect(Base):
    """One side effect of a payment. effect_key: what may happen only once, for ever.

    kind: a word of `domain.payments.effects`. Amounts in minor units of `asset`, null where none is meant.
    due_at: when a failed one is tried again.
    """

    __tablename__ = "effects"
    id: Mapped[PublicId]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    kind: Mapped[Word]
    effect_key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[Word]
    amount_minor: Mapped[int | None]
    asset: Mapped[Word | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    source: Mapped[Short]
    due_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("state in ('pending', 'applied', 'failed')", name="state"),
        CheckConstraint("(state = 'applied') = (applied_at is not null)", name="applied"),
        Index("ix_effects_due_at", "due_at"),
    )


class Entitlement(Base):
    """One period of one subscription, granted once, by the payment that confirmed first."""

    __tablename__ = "entitlements"
    id: Mapped[PublicId]
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"))
    subscription_ref: Mapped[str]
    period: Mapped[str]
    livemode: Mapped[bool] = mapped_column(default=False)
    state: Mapped[Word]
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), index=True)
    order_id: Mapped[Link | None] = mapped_column(ForeignKey("orders.id"), index=True)
    granted_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("merchant_id", "livemode", "subscription_ref", "period"),
        CheckConstraint("state in ('granted', 'revoked')", name="state"),
    )


class Trial(Base):
    """A person's one trial: pending while their card is proved, granted once. limit in minor units."""

    __tablename__ = "trials"
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), primary_key=True)
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), unique=True)
    state: Mapped[Word]
    limit_minor: Mapped[int]
    asset: Mapped[Word]
    granted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("state in ('pending', 'granted')", name="state"),)


class CouponUse(Base):
    """A coupon that a person applied, once; the invoice at the provider that credits it, once.

    coupon_id: the provider's; code: the promotion code that was typed, if it was one.
    """

    __tablename__ = "coupon_uses"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"))
    payment_id: Mapped[Link] = mapped_column(ForeignKey("payments.id"), unique=True)
    provider: Mapped[Word]
    coupon_id: Mapped[str]
    code: Mapped[str | None]
    name: Mapped[str | None]
    amount_minor: Mapped[int]
    asset: Mapped[Word]
    invoice_reference: Mapped[str | None] = mapped_column(unique=True)
    open_key: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    __table_args__ = (Index("ix_coupon_uses_user_id", "user_id"),)
