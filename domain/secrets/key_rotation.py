"""Rotating merchants' API keys: a new one takes over, the old one lives on for the overlap; and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, invalid
from domain.actors import Actor, system
from domain.people import keys
from domain.people.keys import MadeKey, NewKey
from domain.secrets import credential_uses, secret_verdicts
from domain.secrets.secret_kinds import LONGEST_OVERLAP_HOURS
from domain.secrets.secret_verdicts import Verdict
from models.people import ApiKey, Merchant

OVERLAP_HOURS = 24
# A caller that works at all calls at least once a day.
QUIET = timedelta(hours=24)
MOST_LISTED = 500


@dataclass(frozen=True)
class KeySeen:
    """One key with whose it is, how it was used, and whether it may go."""

    row: ApiKey
    merchant: str
    state: str
    hits_24h: int
    last_hit_at: datetime | None
    verdict: Verdict


def rotate(
    session: Session,
    merchant: Merchant,
    key_id: str,
    *,
    actor: Actor,
    overlap_hours: int | None,
    reason: str,
) -> MadeKey:
    """Make a key that takes over from another: same name, mode and scopes; the old one ends later.

    Writes: api_keys, event_log, audit_log. Emits: api_key.rotated.
    Raises: NotFound, Conflict, InvalidInput, Forbidden MERCHANT_NOT_APPROVED. Transaction: caller's.
    """
    hours = OVERLAP_HOURS if overlap_hours is None else overlap_hours
    if not 0 <= hours <= LONGEST_OVERLAP_HOURS:
        raise invalid("overlapHours", f"Use 0 to {LONGEST_OVERLAP_HOURS} hours.")
    statement = select(ApiKey).where(ApiKey.id == key_id, ApiKey.merchant_id == merchant.id)
    old = session.scalars(statement.with_for_update().execution_options(populate_existing=True))
    row = old.first()
    if row is None:
        raise NotFound
    state = keys.state_of(row)
    if state != "active":
        raise Conflict(f"This key is {state}; only an active one can be rotated.")
    keys.assert_may_have(merchant, livemode=row.livemode)
    wanted = NewKey(row.name, row.livemode, [str(scope) for scope in row.scopes], row.expires_at)
    made = keys.write_key(session, merchant.id, wanted, actor=actor, replaces_id=row.id)
    row.retire_at = clock.after(hours * 3600)
    session.flush()
    source = f"user:{actor.id}"
    keys.tell(session, "api_key.rotated", made.row, actor=actor, source=source, reason=reason)
    return made


def retire_due(session: Session) -> int:
    """End the keys whose overlap has passed; they let nobody in any more already. Gives how many.

    Writes: api_keys, event_log, audit_log. Emits: api_key.revoked. Transaction: caller's.
    """
    due = select(ApiKey).where(ApiKey.state == "active", ApiKey.retire_at <= clock.now())
    rows = list(session.scalars(due.with_for_update(skip_locked=True)))
    for row in rows:
        row.state, row.revoked_at = "retired", row.retire_at
        actor = system("rotation")
        source, reason = f"key:{row.id}", "its overlap has passed"
        keys.tell(session, "api_key.revoked", row, actor=actor, source=source, reason=reason)
    session.flush()
    return len(rows)


def list_all(session: Session) -> list[KeySeen]:
    """List the keys of all merchants, those that live first, newest first.

    Transaction: caller's, reads only.
    """
    statement = (
        select(ApiKey, Merchant.name)
        .join(Merchant, Merchant.id == ApiKey.merchant_id)
        .order_by(ApiKey.state, ApiKey.created_at.desc(), ApiKey.id)
        .limit(MOST_LISTED)
    )
    return seen(session, [(row, name) for row, name in session.execute(statement)])


def get_seen(session: Session, key_id: str) -> KeySeen | None:
    """Find one key with its merchant and verdict.

    Transaction: caller's, reads only.
    """
    statement = (
        select(ApiKey, Merchant.name)
        .join(Merchant, Merchant.id == ApiKey.merchant_id)
        .where(ApiKey.id == key_id)
    )
    return next(
        iter(seen(session, [(row, name) for row, name in session.execute(statement)])), None
    )


def seen(session: Session, rows: Sequence[tuple[ApiKey, str]]) -> list[KeySeen]:
    """Judge some keys. rows: each with its merchant's name.

    Transaction: caller's, reads only.
    """
    key_ids = [row.id for row, _ in rows]
    used = credential_uses.last_uses(session, key_ids)
    hits: dict[str, int] = {}
    for use in credential_uses.since(session, key_ids, begin=clock.after(-24 * 3600)):
        hits[use.subject_id] = hits.get(use.subject_id, 0) + use.count
    found = []
    for row, name in rows:
        known = [at for at in (used.get(row.id), row.last_used_at) if at is not None]
        last, state = max(known, default=None), keys.state_of(row)
        verdict = _verdict(state, last)
        found.append(KeySeen(row, name, state, hits.get(row.id, 0), last, verdict))
    return found


def _verdict(state: str, last: datetime | None) -> Verdict:
    if state not in ("active", "retiring"):
        return Verdict(True, f"It is {state}: it lets nobody in.")
    if last is None:
        return Verdict(True, "It was never used.")
    gone = clock.now() - last
    said = f"Last used {secret_verdicts.ago(last)}"
    if gone >= QUIET:
        return Verdict(True, f"{said}; nobody has called with it for a day.")
    return Verdict(False, f"{said}: wait until it was quiet for {secret_verdicts.hours(QUIET)}.")
