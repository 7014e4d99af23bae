"""The event log: one append-only table that SSE, the pull feed and outbound webhooks follow."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class EventLog(Base):
    """One fact told to the world. seq: its place in the gapless order, given after commit.

    audience: `parties` (buyer, seller, merchant and staff), `staff`, or `held` (staff and everybody who
    sells: money out is held for all of them).
    """

    __tablename__ = "event_log"
    id: Mapped[PublicId]
    seq: Mapped[int | None] = mapped_column(unique=True)
    type: Mapped[Short]
    at: Mapped[datetime]
    audience: Mapped[Word]
    sequence: Mapped[int]
    object_id: Mapped[Link | None]
    payment_id: Mapped[Link | None]
    order_id: Mapped[Link | None]
    merchant_id: Mapped[Link | None]
    buyer_id: Mapped[Link | None]
    seller_id: Mapped[Link | None]
    status: Mapped[Word | None]
    alias: Mapped[Short | None]
    alias_type: Mapped[Short | None]
    is_replay: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    livemode: Mapped[bool] = mapped_column(default=False)
    source: Mapped[Short]
    body: Mapped[dict[str, Json]]
    __table_args__ = (
        Index(
            "ix_event_log_unnumbered",
            "at",
            "id",
            postgresql_where=text("seq is null"),
            sqlite_where=text("seq is null"),
        ),
        Index("ix_event_log_source", "source"),
        Index("ix_event_log_payment_id", "payment_id"),
    )
