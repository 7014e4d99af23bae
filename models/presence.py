"""Which processes of ours are alive, and the schedules that run once across all of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, PublicId, Short, Word


class ProcessBeat(Base):
    """One web or worker process; a beat older than a minute means it is gone."""

    __tablename__ = "process_beats"
    id: Mapped[PublicId]
    kind: Mapped[Word]
    host: Mapped[Short]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    __table_args__ = (Index("ix_process_beats_kind_seen_at", "kind", "seen_at"),)


class Schedule(Base):
    """Recurring work; whoever claims the due row runs it."""

    __tablename__ = "schedules"
    name: Mapped[Short] = mapped_column(primary_key=True)
    expression: Mapped[Short]
    due_at: Mapped[datetime]
    last_run_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[dict[str, Json]] = mapped_column(default=dict)
