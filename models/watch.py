"""What watches over the books: rules that are proved again and again, and signatures kept elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Invariant(Base):
    """One rule and how it stands: green, or red since when, with the rows that break it and its freeze."""

    __tablename__ = "invariants"
    name: Mapped[Short] = mapped_column(primary_key=True)
    state: Mapped[Word]
    since: Mapped[datetime]
    checked_at: Mapped[datetime]
    took_ms: Mapped[int] = mapped_column(default=0)
    offending: Mapped[list[Json]] = mapped_column(default=list)
    scopes: Mapped[list[Json]] = mapped_column(default=list)
    freeze_ids: Mapped[list[Json]] = mapped_column(default=list)
    case_id: Mapped[Link | None]


class Checkpoint(Base):
    """A signed statement of how long a chain was and how it ended; the same lies outside the database."""

    __tablename__ = "checkpoints"
    id: Mapped[PublicId]
    chain: Mapped[Word]
    seq: Mapped[int]
    hash: Mapped[Short]
    previous_hash: Mapped[Short]
    key_id: Mapped[Short]
    signature: Mapped[str]
    at: Mapped[datetime]
    written_to: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("chain", "seq"),
        Index("ix_checkpoints_chain_at", "chain", "at"),
    )


class NightlyCheck(Base):
    """One nightly comparison and what it last found. differences: a sentence per object that differs."""

    __tablename__ = "nightly_checks"
    name: Mapped[Short] = mapped_column(primary_key=True)
    ok: Mapped[bool]
    at: Mapped[datetime]
    compared: Mapped[int] = mapped_column(default=0)
    differences: Mapped[list[Json]] = mapped_column(default=list)
