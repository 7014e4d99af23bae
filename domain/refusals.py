"""Writing down who tried what is not theirs; both doors do it in the same way."""

from __future__ import annotations

import threading

from core import clock
from domain import audit, database
from domain.actors import Actor

# Reading what one may not is told once a minute, so that nobody floods the log by asking again.
QUIET_SECONDS = 60.0
LARGEST = 4096
_SAFE = frozenset({"GET", "HEAD"})
_lock = threading.Lock()
_told: dict[tuple[str, str], float] = {}


def note(actor: Actor, *, route: str, method: str, path: str, code: str) -> None:
    """Record that an act or a page was refused to somebody we know.

    route: as declared, with placeholders; path: as asked; code: the refusal's.
    Writes: audit_log. Transaction: opens its own, after the refused work was rolled back.
    """
    if method in _SAFE and not _is_due((actor.id, route)):
        return
    with database.transaction() as session:
        audit.write(
            session,
            f"{method} {route}"[:64],
            actor=actor,
            object_kind="route",
            object_id=path[:64],
            source=f"{actor.kind}:{actor.id}"[:64],
            after={"code": code},
            refused=True,
        )


def _is_due(name: tuple[str, str]) -> bool:
    now = clock.monotonic()
    with _lock:
        if now - _told.get(name, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        if len(_told) >= LARGEST:
            _told.clear()
        _told[name] = now
    return True
