"""The audit log and the hash chains over it and over the journal; append-only, enforced by the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class AuditRow(Base):
    """One act of a person or of the system. content_hash covers every other column."""

    __tablename__ = "audit_log"
    id: Mapped[PublicId]
    at: Mapped[datetime]
    actor: Mapped[Short]
    role: Mapped[Word]
    action: Mapped[Short]
    object_kind: Mapped[Word]
    object_id: Mapped[Short]
    reason: Mapped[str | None]
    before: Mapped[dict[str, Json]]
    after: Mapped[dict[str, Json]]
    source: Mapped[Short]
    session_id: Mapped[Link | None]
    address: Mapped[Short | None]
    refused: Mapped[bool] = mapped_column(default=False)
    content_hash: Mapped[Short]
    __table_args__ = (
        Index("ix_audit_log_at_id", "at", "id"),
        Index("ix_audit_log_object_id", "object_id"),
        Index("ix_audit_log_actor_at", "actor", "at"),
    )


class ChainLink(Base):
    """One link of a chain (`audit` or `journal`): hash = sha256(previous hash + the row's content hash)."""

    __tablename__ = "chain_links"
    chain: Mapped[Word] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    row_id: Mapped[Link]
    content_hash: Mapped[Short]
    previous_hash: Mapped[Short]
    hash: Mapped[Short]
    __table_args__ = (UniqueConstraint("chain", "row_id"),)
