"""Throwing away what can matter no more; each act is repeatable, so every worker may do it."""

from __future__ import annotations

from datetime import timedelta

from core import clock
from domain import database, idempotency
from domain.mail import mails, notices
from domain.people import challenges, lockouts, sessions
from domain.secrets import credential_uses

ATTEMPTS_KEPT = timedelta(days=1)
MAIL_KEPT = timedelta(days=30)


def tidy() -> bool:
    """Delete expired idempotency keys and challenges, old sessions, attempts that no limit counts.

    Writes: idempotency_keys, challenges, desk_sessions, revoked_tokens, sign_in_attempts, mails,
    notices.
    Transaction: opens its own.
    """
    now = clock.now()
    with database.transaction() as session:
        idempotency.forget_expired(session, now=now)
        sessions.forget_old(session, now=now)
        credential_uses.forget_old(session, now=now)
        challenges.forget_old(session, now=now)
        lockouts.forget_old(session, before=now - ATTEMPTS_KEPT)
        mails.forget_old(session, before=now - MAIL_KEPT)
        notices.forget_old(session, before=now - MAIL_KEPT)
    return False
