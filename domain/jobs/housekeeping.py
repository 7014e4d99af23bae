"""Throwing away what can matter no more; each act is repeatable, so every worker may do it."""

from __future__ import annotations

from datetime import timedelta

from core import clock
from domain import database, idempotency, lockouts, sessions

ATTEMPTS_KEPT = timedelta(days=1)


def tidy() -> bool:
    """Delete expired idempotency keys, old sessions and sign-in attempts that no limit counts.

    Writes: idempotency_keys, desk_sessions, revoked_tokens, sign_in_attempts.
    Transaction: opens its own.
    """
    now = clock.now()
    with database.transaction() as session:
        idempotency.forget_expired(session, now=now)
        sessions.forget_old(session, now=now)
        lockouts.forget_old(session, before=now - ATTEMPTS_KEPT)
    return False
