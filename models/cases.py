"""Exception cases: what a person must look at, with notes, files, targets and the desk's own rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
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
    resolved_by: Mapped[Link | None]
    resolution: Mapped[dict[str, Json]] = mapped_column(nullable=True)
    approval_id: Mapped[Link | None]
    rule_id: Mapped[Link | None] = mapped_column(index=True)
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        Index("ix_exception_cases_state_opened_at_id", "state", "opened_at", "id"),
        Index("ix_exception_cases_payment_id", "payment_id"),
        Index("ix_exception_cases_source", "source"),
        Index("ix_exception_cases_kind_state_opened_at", "kind", "state", "opened_at"),
        Index("ix_exception_cases_owner_id", "owner_id"),
    )


class CaseNote(Base):
    """What a person wrote on a case."""

    __tablename__ = "case_notes"
    id: Mapped[PublicId]
    case_id: Mapped[Link] = mapped_column(ForeignKey("exception_cases.id"), index=True)
    actor: Mapped[Link]
    note: Mapped[str]
    text_hash: Mapped[Short]
    at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("case_id", "actor", "text_hash"),)


class CaseTarget(Base):
    """Which team looks at a kind and within how many hours; overrides what `core` starts with.

    clock: `business` counts working hours only, `always` counts every hour.
    """

    __tablename__ = "case_targets"
    kind: Mapped[Word] = mapped_column(primary_key=True)
    team: Mapped[Word]
    hours: Mapped[int]
    clock: Mapped[Word]
    set_by: Mapped[Link]
    set_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("hours > 0", name="hours"),
        CheckConstraint("clock in ('business', 'always')", name="clock"),
    )


class CaseRule(Base):
    """A rule of the desk: a kind, conditions, a verb. Drafted by one, enabled by another."""

    __tablename__ = "case_rules"
    id: Mapped[PublicId]
    version: Mapped[int] = mapped_column(default=1)
    kind: Mapped[Word]
    conditions: Mapped[list[Json]]
    verb: Mapped[Word]
    note: Mapped[str]
    state: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    backtest: Mapped[dict[str, Json]]
    drafted_by: Mapped[Link]
    drafted_at: Mapped[datetime]
    enabled_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    approval_id: Mapped[Link | None]
    __table_args__ = (Index("ix_case_rules_kind_state", "kind", "state"),)


class Attachment(Base):
    """A file that somebody put to a case or a payment; sealed, never served as a page."""

    __tablename__ = "attachments"
    id: Mapped[PublicId]
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    name: Mapped[str]
    media: Mapped[Short]
    size: Mapped[int]
    sha256: Mapped[Short]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    actor: Mapped[Link]
    at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[Link | None]
    __table_args__ = (
        UniqueConstraint("object_id", "sha256"),
        Index("ix_attachments_object_id_at", "object_id", "at"),
    )
