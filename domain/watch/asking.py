"""Asking for what a worker does by itself to be done now: written down with who asked."""

from __future__ import annotations

from sqlalchemy.orm import Session

from domain import audit
from domain.transitions import Why
from domain.watch import turns
from domain.watch.turns import Work


def ask(session: Session, work: Work, *, why: Why) -> None:
    """Have the next worker do all of a work now; one that is under way is followed by another.

    Writes: schedules, audit_log. Transaction: caller's.
    """
    turns.ask_for(session, work)
    audit.write(
        session,
        "watch.ask",
        actor=why.actor,
        object_kind="schedule",
        object_id=work.name,
        source=why.source,
        reason=why.reason,
    )
