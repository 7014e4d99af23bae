"""Which processes of ours are alive: each writes a row every few seconds; old rows mean it is gone."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import clock, ids
from models.presence import ProcessBeat

BEAT_SECONDS = 10.0
ALIVE_SECONDS = 60.0
FORGET_SECONDS = 3600.0


@dataclass(frozen=True)
class Identity:
    """One running process. kind: `web` or `worker`."""

    id: str
    kind: str
    host: str
    pid: int
    started_at: datetime


def identify(kind: str) -> Identity:
    """Name this process."""
    host = socket.gethostname()[:64]
    return Identity(ids.new("prc"), kind, host, os.getpid(), clock.now())


def beat(session: Session, who: Identity) -> None:
    """Say that a process lives, and forget those that have not said so for an hour.

    Writes: process_beats. Transaction: caller's.
    """
    now = clock.now()
    seen = session.execute(
        update(ProcessBeat)
        .where(ProcessBeat.id == who.id)
        .values(seen_at=now)
        .returning(ProcessBeat.id)
    ).first()
    if seen is None:
        session.add(
            ProcessBeat(
                id=who.id,
                kind=who.kind,
                host=who.host,
                pid=who.pid,
                started_at=who.started_at,
                seen_at=now,
            )
        )
    session.execute(delete(ProcessBeat).where(ProcessBeat.seen_at < clock.after(-FORGET_SECONDS)))
    session.flush()


def leave(session: Session, who: Identity) -> None:
    """Say that a process ended in order.

    Writes: process_beats. Transaction: caller's.
    """
    session.execute(delete(ProcessBeat).where(ProcessBeat.id == who.id))


def list_alive(session: Session, kind: str) -> list[ProcessBeat]:
    """List the processes of a kind that were seen within the last minute, longest running first."""
    statement = (
        select(ProcessBeat)
        .where(ProcessBeat.kind == kind, ProcessBeat.seen_at > clock.after(-ALIVE_SECONDS))
        .order_by(ProcessBeat.started_at, ProcessBeat.id)
    )
    return list(session.scalars(statement))
