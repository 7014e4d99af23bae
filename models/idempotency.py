"""Idempotency keys: one namespace per principal, claimed by a unique insert, the answer sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, Short, Word


class IdempotencyKey(Base):
    """state: `in_progress` or `done`; lock_token: who may finish it; answer: status and sealed body."""

    __tablename__ = "idempotency_keys"
    principal: Mapped[Short] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str]
    request_hash: Mapped[Short]
    state: Mapped[Word]
    lock_token: Mapped[Link]
    locked_until: Mapped[datetime]
    status: Mapped[int | None]
    body_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    location: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)
