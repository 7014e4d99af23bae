"""Exception cases: what a person must look at, one row each, opened once per subject."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class ExceptionCase(Base):
    """One oddity. subject_key: what makes a second report the same case."""

    __tablename__ = "exception_cases"
    id: Mapped[PublicId]
    kind: Mapped[Word]
    state: Mapped[Word]
    subject_key: Mapped[str] = mapped_column(unique=True)
    sentence: Mapped[str]
    expected: Mapped[str | None]
    found: Mapped[str | None]
    risk_minor: Mapped[int | None]
    asset: Mapped[Word | None]
    payment_id: Mapped[Link | None]
    order_id: Mapped[Link | None]
    merchant_id: Mapped[Link | None]
    inbound_id: Mapped[Link | None]
    operation_id: Mapped[Link | None]
    team: Mapped[Word]
    owner_id: Mapped[Link | None]
    source: Mapped[Short]
    opened_at: Mapped[datetime]
    sla_due_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    verb: Mapped[Word | None]
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        Index("ix_exception_cases_state_opened_at_id", "state", "opened_at", "id"),
        Index("ix_exception_cases_payment_id", "payment_id"),
        Index("ix_exception_cases_source", "source"),
    )
