"""Keys of people, what may not be dropped, what was, and copies of their data that people asked for."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class PersonKey(Base):
    """The key under which values about one person are sealed; destroyed, nobody reads them again, anywhere.

    purpose: `account` is what we know of them ourselves, `books` what the books of one year say of them.
    year: of the books, else 0. key_sealed: under a master key; null once destroyed, and it never comes back.
    """

    __tablename__ = "person_keys"
    id: Mapped[PublicId]
    # No foreign key: a key is there before the row of a new person, whose address it seals.
    user_id: Mapped[Link]
    purpose: Mapped[Word]
    year: Mapped[int]
    key_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]
    destroyed_by: Mapped[Short | None]
    why: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("user_id", "purpose", "year"),
        CheckConstraint("purpose in ('account', 'books')", name="purpose"),
        CheckConstraint("(year = 0) = (purpose = 'account')", name="year"),
        CheckConstraint(
            "(key_sealed is null) = (destroyed_at is not null)"
            " and (destroyed_by is null) = (destroyed_at is null)",
            name="destroyed",
        ),
        Index("ix_person_keys_year", "year"),
    )


class LegalHold(Base):
    """Why nothing about a person or a payment may be dropped or erased. open_key: `kind:id` while it holds."""

    __tablename__ = "legal_holds"
    id: Mapped[PublicId]
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    reason: Mapped[str]
    placed_by: Mapped[Link]
    placed_at: Mapped[datetime]
    lifted_by: Mapped[Link | None]
    lifted_at: Mapped[datetime | None]
    lifted_reason: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("object_kind in ('user', 'payment')", name="object_kind"),
        CheckConstraint(
            "(open_key is null) = (lifted_at is not null)"
            " and (lifted_by is null) = (lifted_at is null)",
            name="open",
        ),
        Index("ix_legal_holds_object_id", "object_id"),
    )


class RetentionRun(Base):
    """What one rule of retention dropped on one day. finished_at: when nothing was left to drop."""

    __tablename__ = "retention_runs"
    rule: Mapped[Word] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    dropped: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("dropped >= 0", name="dropped"),
        Index("ix_retention_runs_on_day", "on_day"),
    )


class DataExport(Base):
    """A copy of all that is held about a person: asked for, made by the worker, fetched, dropped.

    open_key: the person while it waits or can be fetched, so that one is made at a time. sealed: the ZIP,
    under the person's key.
    """

    __tablename__ = "data_exports"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    asked_by: Mapped[Link]
    reason: Mapped[str | None]
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    size: Mapped[int | None]
    sha256: Mapped[Short | None]
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'ready', 'expired', 'dead')", name="state"),
        CheckConstraint("(state = 'ready') = (sealed is not null)", name="sealed"),
        Index("ix_data_exports_state_due_at", "state", "due_at"),
    )
