"""Secrets of providers and endpoints: versions, sealed; a fingerprint tells a value seen before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Link, PublicId, Short, Word


class Secret(Base):
    """One secret of one provider and purpose, such as Stripe's webhook signing secret."""

    __tablename__ = "secrets"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    kind: Mapped[Word]
    mode: Mapped[Word]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("provider", "kind", "mode"),)


class SecretVersion(Base):
    """One value. A revoked value never comes back."""

    __tablename__ = "secret_versions"
    id: Mapped[PublicId]
    secret_id: Mapped[Link] = mapped_column(ForeignKey("secrets.id"))
    version: Mapped[int]
    state: Mapped[Word]
    value_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    fingerprint: Mapped[Short]
    origin: Mapped[Word]
    created_at: Mapped[datetime]
    retire_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("secret_id", "version"),
        UniqueConstraint("secret_id", "fingerprint"),
        Index("ix_secret_versions_state", "state"),
    )
