"""Months of the books: open, closed by two people with what was known then, reopened with a mark."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Period(Base):
    """One month, such as `2026-11`, once somebody has begun to close it; a month without a row is open.

    close_no: how often it was closed. A closed one is never changed, only closed again after it was
    reopened, each time with a closing of its own.
    """

    __tablename__ = "periods"
    id: Mapped[Word] = mapped_column(primary_key=True)
    state: Mapped[Word]
    close_no: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PeriodClosing(Base):
    """What was known when a month was closed: who signed, the checklist, both chains, the certificate.

    snapshot_sha256: over every account's opening, debits, credits and closing in the month; entries: how
    many were booked in it; zone: by whose clock the month began and ended. checklist, carried_forward:
    as they were signed. certificate: sealed; due again when the month is reopened, so that it says so.
    """

    __tablename__ = "period_closings"
    id: Mapped[PublicId]
    period_id: Mapped[Word] = mapped_column(ForeignKey("periods.id"))
    no: Mapped[int]
    asked_by: Mapped[Link]
    agreed_by: Mapped[Link]
    approval_id: Mapped[Link]
    note: Mapped[str]
    checklist: Mapped[list[Json]]
    carried_forward: Mapped[list[Json]] = mapped_column(default=list)
    journal_seq: Mapped[int]
    journal_head: Mapped[Short]
    audit_seq: Mapped[int]
    audit_head: Mapped[Short]
    snapshot_sha256: Mapped[Short]
    entries: Mapped[int]
    zone: Mapped[Short]
    closed_at: Mapped[datetime]
    certificate: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    certificate_sha256: Mapped[Short | None]
    certificate_due_at: Mapped[datetime | None] = mapped_column(index=True)
    certificate_attempts: Mapped[int] = mapped_column(default=0)
    certificate_error: Mapped[str | None]
    reopened_at: Mapped[datetime | None]
    reopened_by: Mapped[Link | None]
    reopen_agreed_by: Mapped[Link | None]
    reopen_reason: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("asked_by <> agreed_by", name="two_people"),
        Index("uq_period_closings_of_period", "period_id", "no", unique=True),
    )


class PeriodBalance(Base):
    """One account of one closing, as it was known then. Minor units, debits positive."""

    __tablename__ = "period_balances"
    closing_id: Mapped[Link] = mapped_column(ForeignKey("period_closings.id"), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[Word] = mapped_column(primary_key=True)
    opening_minor: Mapped[int]
    debit_minor: Mapped[int]
    credit_minor: Mapped[int]
    closing_minor: Mapped[int]
    __table_args__ = (
        CheckConstraint(
            "opening_minor + debit_minor - credit_minor = closing_minor", name="adds_up"
        ),
    )
