"""Secrets of providers and endpoints: versions, sealed; a fingerprint tells a value seen before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Secret(Base):
    """One secret of one owner and purpose, such as Stripe's webhook signing secret.

    provider: a provider's name, or `paydesk` for our own; endpoint: the outbound endpoint whose secret
    it is, else empty.
    """

    __tablename__ = "secrets"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    kind: Mapped[Word]
    mode: Mapped[Word]
    endpoint: Mapped[Link] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("provider", "kind", "mode", "endpoint"),)


class SecretVersion(Base):
    """One value. A revoked value never comes back.

    activated_at: from when on it signs; until then every process has heard of it. overdue_told_at:
    when its age was complained of, once.
    """

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
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    made_by: Mapped[Link | None]
    reason: Mapped[str | None]
    overdue_told_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("secret_id", "version"),
        UniqueConstraint("secret_id", "fingerprint"),
        Index("ix_secret_versions_state", "state"),
    )


class CredentialUse(Base):
    """How often one secret version or API key let somebody in, by the hour; a courtesy count."""

    __tablename__ = "credential_uses"
    subject_id: Mapped[Link] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime]


class Reencryption(Base):
    """One pass that seals every stored value anew with the first master key, table by table."""

    __tablename__ = "reencryptions"
    id: Mapped[PublicId]
    master_kid: Mapped[Word]
    state: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    place: Mapped[dict[str, Json]] = mapped_column(default=dict)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    started_by: Mapped[Link]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
