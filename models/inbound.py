"""The inbox: every verified delivery of a provider, sealed, and every attempt to apply it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word

_MATCHED = "payment_id is not null"
_WAITING = "state in ('received', 'failed', 'unmatched')"


class InboundEvent(Base):
    """One event as it came. mode: `test` or `live`; delivery_key: what makes a redelivery the same."""

    __tablename__ = "inbound_events"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    account: Mapped[Short]
    mode: Mapped[Word]
    delivery_key: Mapped[str]
    provider_event_id: Mapped[str | None]
    type: Mapped[Short]
    object_reference: Mapped[str | None]
    state: Mapped[Word]
    body_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    body_sha256: Mapped[Short]
    body_bytes: Mapped[int]
    headers: Mapped[dict[str, Json]]
    secret_version_id: Mapped[Link | None]
    signature_scheme: Mapped[Word]
    received_at: Mapped[datetime]
    provider_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    verdict: Mapped[str | None]
    processed_at: Mapped[datetime | None]
    payment_id: Mapped[Link | None]
    duplicates: Mapped[int] = mapped_column(default=0)
    __table_args__ = (
        UniqueConstraint("provider", "account", "mode", "delivery_key"),
        Index(
            "ix_inbound_events_due",
            "due_at",
            "id",
            postgresql_where=text(_WAITING),
            sqlite_where=text(_WAITING),
        ),
        Index("ix_inbound_events_received_at_id", "received_at", "id"),
        Index("ix_inbound_events_state_received_at_id", "state", "received_at", "id"),
        Index("ix_inbound_events_type_received_at_id", "type", "received_at", "id"),
        # Nobody knows the payment of an event that has just come, so its arrival writes nothing here.
        Index(
            "ix_inbound_events_payment_id",
            "payment_id",
            postgresql_where=text(_MATCHED),
            sqlite_where=text(_MATCHED),
        ),
        Index("ix_inbound_events_object_reference", "object_reference"),
        Index("ix_inbound_events_provider_event_id", "provider_event_id"),
    )


class InboundAttempt(Base):
    """One run of one inbound event: by the worker, or a replay by a person with a reason."""

    __tablename__ = "inbound_attempts"
    id: Mapped[PublicId]
    inbound_id: Mapped[Link] = mapped_column(ForeignKey("inbound_events.id"))
    no: Mapped[int]
    at: Mapped[datetime]
    outcome: Mapped[Word]
    error: Mapped[str | None]
    actor: Mapped[Short]
    reason: Mapped[str | None]
    is_replay: Mapped[bool] = mapped_column(default=False)
    replay_key: Mapped[str | None] = mapped_column(unique=True)
    __table_args__ = (UniqueConstraint("inbound_id", "no"),)
