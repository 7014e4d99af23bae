"""Changing secrets: rotate, retire, revoke, restore, under the lock of the secret; each told and audited.

A secret always keeps one active version. What may verify now is read by `domain/secrets/secrets.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, invalid
from core.states import SecretVersion as State
from core.strictjson import Json
from domain import audit, events
from domain.actors import system
from domain.secrets import secret_kinds, secret_verdicts, secrets
from domain.secrets.secret_kinds import INDEX, KINDS, LONGEST_OVERLAP_HOURS
from domain.secrets.secrets import LIVE, NewVersion
from domain.transitions import Why, move_together
from models.secrets import Secret, SecretVersion

_AUDITED = {
    "secret.rotated": "secret.rotate",
    "secret.retired": "secret.retire",
    "secret.revoked": "secret.revoke",
    "secret.restored": "secret.restore",
}


@dataclass(frozen=True)
class Rotation:
    """What a rotation shall do. value: entered by hand, None: generated; overlap_hours None: the kind's.

    after: the newest version that was seen when it was asked for, so that a second press of the same
    button is refused; None: whatever it is.
    """

    value: str | None = None
    overlap_hours: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Rotated:
    """A version just made. value: shown this once, None when it was entered; retire_at: of the old one."""

    secret: Secret
    version: SecretVersion
    value: str | None
    retire_at: datetime | None


def get(session: Session, secret_id: str, *, lock: bool = False) -> Secret:
    """Fetch a secret that people may look after; the keys of the blind indexes are none.

    Raises: NotFound
    """
    statement = select(Secret).where(Secret.id == secret_id, Secret.kind != INDEX)
    if lock:
        statement = statement.with_for_update()
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def _locked(session: Session, secret_id: str) -> tuple[Secret, list[SecretVersion]]:
    secret = get(session, secret_id, lock=True)
    return secret, secrets.versions_of(session, secret.id)


def _version(versions: Sequence[SecretVersion], number: int) -> SecretVersion:
    for row in versions:
        if row.version == number:
            return row
    raise NotFound


def is_live(row: SecretVersion) -> bool:
    """Tell whether a version verifies now."""
    return row.state in LIVE and (row.retire_at is None or row.retire_at > clock.now())


def rotate(session: Session, secret_id: str, wanted: Rotation, *, why: Why) -> Rotated:
    """Make a new version the active one; the old one goes on verifying for the overlap.

    Writes: secret_versions, state_changes, event_log, audit_log. Emits: secret.rotated.
    Raises: NotFound, InvalidInput SECRET_WEAK, Conflict. Transaction: caller's.
    """
    secret, versions = _locked(session, secret_id)
    kind = KINDS[secret.kind]
    if wanted.after is not None and versions and versions[0].version != wanted.after:
        raise Conflict(f"Version {versions[0].version} was made meanwhile. Look at it first.")
    hours = kind.overlap_hours if wanted.overlap_hours is None else wanted.overlap_hours
    if not 0 <= hours <= LONGEST_OVERLAP_HOURS:
        raise invalid("overlapHours", f"Use 0 to {LONGEST_OVERLAP_HOURS} hours.")
    value = wanted.value if wanted.value is not None else _generated(kind)
    secret_kinds.assert_strong(kind, value, provider=secret.provider)
    _assert_unseen(secret, versions, value)
    retire_at = clock.after(hours * 3600)
    for row in versions:
        if row.state == State.ACTIVE.value and hours:
            _step_back(session, row, retire_at, why)
        elif row.state == State.ACTIVE.value:
            _end(session, row, at=retire_at, why=why)
            tell(session, "secret.retired", secret, row, why=why)
    origin = "generated" if wanted.value is None else "entered"
    new = NewVersion(value, origin, made_by=why.actor.id, reason=why.reason)
    made = secrets.add_version(session, secret, versions, new)
    ends = retire_at if versions else None
    tell(session, "secret.rotated", secret, made, why=why, retire_at=ends)
    return Rotated(secret, made, value if wanted.value is None else None, ends)


def _generated(kind: secret_kinds.Kind) -> str:
    if kind.generate is None:
        raise invalid("generate", "Only the provider makes this one. Enter it.", code="enter")
    return kind.generate()


def _assert_unseen(secret: Secret, versions: Sequence[SecretVersion], value: str) -> None:
    known = secrets.find_seen(versions, secret.kind, value)
    if known is None:
        return
    if known.state == State.REVOKED.value:
        raise Conflict(f"This is version {known.version}, which was revoked. It never comes back.")
    raise Conflict(f"This is version {known.version} already. Restore it instead.")


def _step_back(session: Session, row: SecretVersion, until: datetime, why: Why) -> None:
    moves, values = {"secret_version": State.RETIRING.value}, {"retire_at": until}
    move_together(session, row, moves=moves, values=values, why=why)


def _end(
    session: Session,
    row: SecretVersion,
    *,
    at: datetime,
    why: Why,
    to: State = State.RETIRED,
) -> None:
    values: dict[str, object] = {"retire_at": at, "ended_at": at}
    move_together(session, row, moves={"secret_version": to.value}, values=values, why=why)


def _promote(session: Session, others: Sequence[SecretVersion], why: Why) -> None:
    """Make the newest of the others the active one, when none of them is."""
    if any(row.state == State.ACTIVE.value for row in others):
        return
    values: dict[str, object] = {"retire_at": None, "activated_at": clock.now()}
    moves = {"secret_version": State.ACTIVE.value}
    move_together(session, others[0], moves=moves, values=values, why=why)


def _others(versions: Sequence[SecretVersion], row: SecretVersion) -> list[SecretVersion]:
    """Give the other live versions, newest first.

    Raises: Conflict LAST_LIVE_VERSION
    """
    others = [each for each in versions if each.id != row.id and is_live(each)]
    if not others:
        raise Conflict(
            "This is the last live version: nothing could be verified any more. Rotate first.",
            code="LAST_LIVE_VERSION",
        )
    return others


@dataclass(frozen=True)
class Retirement:
    """When and how. at None: now; force: although the verdict says that it is not safe."""

    at: datetime | None = None
    force: bool = False


def retire(
    session: Session, secret_id: str, number: int, wanted: Retirement, *, why: Why
) -> Secret:
    """End an old version in order: now, if it is safe or forced, or at a time, by the worker.

    Writes: secret_versions, state_changes, event_log, audit_log. Emits: secret.retired.
    Raises: NotFound, InvalidInput, Conflict NOT_SAFE_TO_RETIRE, LAST_LIVE_VERSION. Transaction: caller's.
    """
    secret, versions = _locked(session, secret_id)
    row = _version(versions, number)
    if not is_live(row):
        raise Conflict(f"Version {number} is {row.state}; only a live one can be retired.")
    if wanted.at is not None and wanted.at <= clock.now():
        raise invalid("at", "This time has passed.")
    others = _others(versions, row)
    if wanted.at is not None:
        _assert_outlived(others, wanted.at)
        _promote(session, others, why)
        _step_back(session, row, wanted.at, why)
        _note(session, "secret.retire", secret, row, why=why)
        return secret
    if not wanted.force:
        _assert_safe(session, secret, versions, row)
    _promote(session, others, why)
    _end(session, row, at=clock.now(), why=why)
    tell(session, "secret.retired", secret, row, why=why)
    return secret


def _assert_outlived(others: Sequence[SecretVersion], at: datetime) -> None:
    if not any(each.retire_at is None or each.retire_at > at for each in others):
        said = "No other version would be live then. Rotate first."
        raise Conflict(said, code="LAST_LIVE_VERSION")


def _assert_safe(
    session: Session, secret: Secret, versions: Sequence[SecretVersion], row: SecretVersion
) -> None:
    verdict = secret_verdicts.of_version(session, secret, versions, row)
    if not verdict.is_safe:
        raise Conflict(
            f"{verdict.why} Force it if you must.",
            code="NOT_SAFE_TO_RETIRE",
            details={"why": verdict.why},
        )


def revoke(session: Session, secret_id: str, number: int, *, why: Why) -> Secret:
    """End a leaked version at once, for good; every process refuses it within seconds.

    Writes: secret_versions, state_changes, event_log, audit_log. Emits: secret.revoked.
    Raises: NotFound, Conflict LAST_LIVE_VERSION. Transaction: caller's.
    """
    secret, versions = _locked(session, secret_id)
    row = _version(versions, number)
    if row.state == State.REVOKED.value:
        return secret
    if is_live(row):
        _promote(session, _others(versions, row), why)
    _end(session, row, at=clock.now(), why=why, to=State.REVOKED)
    tell(session, "secret.revoked", secret, row, why=why)
    return secret


def restore(session: Session, secret_id: str, number: int, *, why: Why) -> Secret:
    """Take a rotation back: an old version signs again, the one that did steps back for the overlap.

    Writes: secret_versions, state_changes, event_log, audit_log. Emits: secret.restored.
    Raises: NotFound, Conflict (revoked). Transaction: caller's.
    """
    secret, versions = _locked(session, secret_id)
    row = _version(versions, number)
    if row.state == State.REVOKED.value:
        raise Conflict(f"Version {number} was revoked. It never comes back.")
    if row.state == State.ACTIVE.value:
        return secret
    until = clock.now() + timedelta(hours=KINDS[secret.kind].overlap_hours)
    for each in versions:
        if each.state == State.ACTIVE.value:
            _step_back(session, each, until, why)
    # One that other processes have forgotten must first be heard of again before it signs.
    waits = KINDS[secret.kind].we_sign and not is_live(row)
    signs_at = clock.after(secrets.SETTLE_SECONDS) if waits else clock.now()
    values: dict[str, object] = {"retire_at": None, "ended_at": None, "activated_at": signs_at}
    move_together(session, row, moves={"secret_version": "active"}, values=values, why=why)
    tell(session, "secret.restored", secret, row, why=why)
    return secret


def retire_due(session: Session) -> int:
    """Retire the versions whose time has come; they verify nothing any more already. Gives how many.

    Writes: secret_versions, state_changes, event_log, audit_log. Emits: secret.retired.
    Transaction: caller's.
    """
    due = select(SecretVersion.secret_id).where(
        SecretVersion.state == State.RETIRING.value, SecretVersion.retire_at <= clock.now()
    )
    count = 0
    for secret_id in sorted(set(session.scalars(due))):
        secret = session.scalars(select(Secret).where(Secret.id == secret_id).with_for_update())
        count += _retire_due(session, secret.one())
    return count


def _retire_due(session: Session, secret: Secret) -> int:
    why = Why(system("rotation"), f"secret:{secret.id}", "its overlap has passed")
    due = [
        row
        for row in secrets.versions_of(session, secret.id)
        if row.state == State.RETIRING.value and not is_live(row)
    ]
    for row in due:
        _end(session, row, at=row.retire_at or clock.now(), why=why)
        tell(session, "secret.retired", secret, row, why=why)
    return len(due)


def tell(
    session: Session,
    kind: str,
    secret: Secret,
    row: SecretVersion,
    *,
    why: Why,
    retire_at: datetime | None = None,
) -> None:
    """Tell staff what became of a version, and audit it; never its value.

    Writes: event_log, audit_log. Transaction: caller's.
    """
    about = events.about_staff(secret.id)
    body: dict[str, Json] = {
        "secretId": secret.id,
        "version": row.version,
        "retireAt": clock.rfc3339(retire_at),
    }
    told = events.row(kind, about, source=why.source, status=row.state, body=body)
    events.append(session, [told])
    if kind in _AUDITED:
        _note(session, _AUDITED[kind], secret, row, why=why)


def _note(session: Session, action: str, secret: Secret, row: SecretVersion, *, why: Why) -> None:
    audit.write(
        session,
        action,
        actor=why.actor,
        object_kind="secret",
        object_id=secret.id,
        source=why.source,
        reason=why.reason,
        after={
            "provider": secret.provider,
            "kind": secret.kind,
            "version": row.version,
            "state": row.state,
            "retireAt": clock.rfc3339(row.retire_at),
        },
    )
