"""Throwing away what can matter no more; each act is repeatable, so every worker may do it."""

from __future__ import annotations

from core import clock
from domain import database, idempotency
from domain.actors import system
from domain.bank import drafts
from domain.people import challenges, retention_runs, sessions
from domain.secrets import credential_uses, reencryption
from domain.transitions import Why

# A pass that moves values under the keys of their people begins by itself once a day at most.
_DAY_SECONDS = 24 * 3600


def tidy() -> bool:
    """Delete what has expired by itself, and drop the next batch of what retention says may go.

    Gives whether there is more to drop. Writes: idempotency_keys, challenges, revoked_tokens,
    credential_uses, bank_drafts, and as `retention_runs.drop_some`. Transaction: opens its own.
    """
    now = clock.now()
    with database.transaction() as session:
        idempotency.forget_expired(session, now=now)
        sessions.forget_old(session, now=now)
        credential_uses.forget_old(session, now=now)
        challenges.forget_old(session, now=now)
        drafts.forget_old(session, now=now)
    if _drop_some():
        return True
    _move_under_keys()
    return False


def _drop_some() -> bool:
    with database.reading() as session:
        rule = retention_runs.next_rule(session)
    if rule is None:
        return False
    with database.transaction() as session:
        retention_runs.drop_some(session, rule)
    return True


def _move_under_keys() -> None:
    """Have what was said of people before they had keys sealed under theirs."""
    with database.reading() as session:
        last = reencryption.last(session)
        is_early = last is not None and (
            last.state == reencryption.RUNNING or last.started_at > clock.after(-_DAY_SECONDS)
        )
        if is_early or not reencryption.loose(session):
            return
        found = reencryption.standing(session)
    with database.transaction() as session:
        why = Why(system("secrets"), "housekeeping", "what is said of people goes under their keys")
        reencryption.start(session, found, why=why)
