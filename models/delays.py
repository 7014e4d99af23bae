"""Delays of a rail: what is said about one in public, and order deadlines that were moved because of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class DelayNotice(Base):
    """One thing said about a rail: it is late, or it is down. text: what everybody may read.

    open_key: rail, provider and kind while it is open, else null; one of a kind at a time. provider: empty
    for every provider of the rail. retry_window_hours: for how long we go on trying by ourselves while it is open.
    """

    __tablename__ = "delay_notices"
    id: Mapped[PublicId]
    rail: Mapped[Word]
    provider: Mapped[Word]
    kind: Mapped[Word]
    text: Mapped[str]
    eta_at: Mapped[datetime | None]
    retry_window_hours: Mapped[int | None]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    reason: Mapped[str]
    opened_by: Mapped[Short]
    opened_at: Mapped[datetime]
    closed_reason: Mapped[str | None]
    closed_by: Mapped[Short | None]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("kind in ('delay', 'outage')", name="kind"),
        CheckConstraint("(closed_at is null) = (open_key is not null)", name="open"),
        CheckConstraint("retry_window_hours between 1 and 720", name="window"),
        Index("ix_delay_notices_opened_at_id", "opened_at", "id"),
    )


class DeadlineExtension(Base):
    """One act that moved the deposit deadlines of several orders. reference: by which it is done once, for ever.

    wanted: which orders were asked for, as ids or as a filter.
    """

    __tablename__ = "deadline_extensions"
    id: Mapped[PublicId]
    reference: Mapped[str] = mapped_column(unique=True)
    hours: Mapped[int]
    wanted: Mapped[dict[str, Json]]
    reason: Mapped[str]
    by: Mapped[Short]
    at: Mapped[datetime]
    undoable_until: Mapped[datetime]
    undone_by: Mapped[Short | None]
    undone_reason: Mapped[str | None]
    undone_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("hours between 1 and 720", name="hours"),
        Index("ix_deadline_extensions_at_id", "at", "id"),
    )


class ExtendedOrder(Base):
    """What one extension did to one order and its open payment. to_at: null when it was left alone.

    why_not: why it was left alone, or why an undo left it as it was.
    """

    __tablename__ = "extended_orders"
    extension_id: Mapped[Link] = mapped_column(
        ForeignKey("deadline_extensions.id"), primary_key=True
    )
    order_id: Mapped[Link] = mapped_column(ForeignKey("orders.id"), primary_key=True, index=True)
    from_at: Mapped[datetime | None]
    to_at: Mapped[datetime | None]
    payment_id: Mapped[Link | None]
    payment_from_at: Mapped[datetime | None]
    payment_to_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    why_not: Mapped[Word | None]
