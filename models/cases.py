"""Exception cases: what a person must look at, with notes, files, targets and the desk's own rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class ExceptionCase(Base):
    """One oddity. subject_key: what makes a second report the same case.

    approval_id: the request that waits, or waited, for a second person; resolution: what was asked for
    and what came of it.
    """

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
    approval_id: Mapped[Link | None] = mapped_column(index=True)
    rule_id: Mapped[Link | None] = mapped_column(index=True)
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        Index("ix_exception_cases_state_opened_at_id", "state", "opened_at", "id"),
        Index("ix_exception_cases_payment_id", "payment_id"),
        Index("ix_exception_cases_source", "source"),
        Index("ix_exception_cases_kind_state_opened_at", "kind", "state", "opened_at"),
        Index("ix_exception_cases_kind_resolved_at", "kind", "resolved_at"),
        Index("ix_exception_cases_owner_id", "owner_id"),
        Index("ix_exception_cases_state_sla_due_at", "state", "sla_due_at"),
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
    """A rule of the desk: a kind, conditions, a verb. Drafted by one, enabled by another.

    The row is the newest version; `case_rule_versions` keeps all of them. open_key: kind and
    conditions while the rule is a draft or enabled, so that there are never two alike.
    """

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


class CaseRuleVersion(Base):
    """What one version of a rule said, who wrote it and how it did on past cases."""

    __tablename__ = "case_rule_versions"
    rule_id: Mapped[Link] = mapped_column(ForeignKey("case_rules.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    conditions: Mapped[list[Json]]
    verb: Mapped[Word]
    note: Mapped[str]
    backtest: Mapped[dict[str, Json]]
    drafted_by: Mapped[Link]
    drafted_at: Mapped[datetime]


class CaseRuleUse(Base):
    """One case that a rule resolved; a case meets a rule once, whatever people do with it later."""

    __tablename__ = "case_rule_uses"
    id: Mapped[PublicId]
    rule_id: Mapped[Link] = mapped_column(ForeignKey("case_rules.id"))
    version: Mapped[int]
    case_id: Mapped[Link] = mapped_column(ForeignKey("exception_cases.id"), unique=True)
    kind: Mapped[Word]
    verb: Mapped[Word]
    at: Mapped[datetime]
    reversed_at: Mapped[datetime | None]
    reversed_by: Mapped[Link | None]
    reversed_reason: Mapped[str | None]
    __table_args__ = (
        Index("ix_case_rule_uses_rule_id_at", "rule_id", "at"),
        Index("ix_case_rule_uses_kind_reversed_at", "kind", "reversed_at"),
    )


class Attachment(Base):
    """A file that somebody put to a case or a payment; sealed, never served as a page.

    live_key: object and hash until the file is removed, so that a file is there once. A removed
    file keeps its row and its hash; its bytes are gone.
    """

    __tablename__ = "attachments"
    id: Mapped[PublicId]
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    live_key: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    media: Mapped[Short]
    size: Mapped[int]
    sha256: Mapped[Short]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    actor: Mapped[Link]
    at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[Link | None]
    removed_reason: Mapped[str | None]
    __table_args__ = (Index("ix_attachments_object_id_at", "object_id", "at"),)
