"""Fresh proof of a person: a second factor shown within the last minutes, asked for at guarded acts."""

from __future__ import annotations

from datetime import datetime

from core import clock
from core.errors import Forbidden
from core.money_out import STEP_UP_SECONDS
from domain.actors import Actor


def is_recent(at: datetime | None) -> bool:
    """Tell whether a second factor shown then still counts."""
    return at is not None and 0 <= (clock.now() - at).total_seconds() <= STEP_UP_SECONDS


def is_fresh(actor: Actor) -> bool:
    """Tell whether a person has just proved themselves; a key or a part of the system never has."""
    return actor.kind == "user" and is_recent(actor.stepped_up_at)


def assert_fresh(actor: Actor) -> None:
    """Check that a person has just proved themselves.

    Raises: Forbidden STEP_UP_REQUIRED
    """
    if not is_fresh(actor):
        raise Forbidden(
            "Prove yourself with your second factor first; it counts for five minutes.",
            code="STEP_UP_REQUIRED",
        )
