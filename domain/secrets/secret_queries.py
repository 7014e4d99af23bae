"""Secrets as people see them: versions with their hits, age, verdict and chart; never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.states import SecretVersion as State
from core.strictjson import Json
from domain.secrets import credential_uses, rotation, secret_verdicts
from domain.secrets.secret_kinds import INDEX, KINDS, WEBHOOK, Kind
from domain.secrets.secret_verdicts import Verdict
from models.secrets import Secret, SecretVersion
from providers import registry

DAY = timedelta(hours=24)
# chart → how far back it goes and how wide a bar is.
CHARTS: Mapping[str, tuple[timedelta, timedelta]] = {
    "24h": (DAY, timedelta(hours=1)),
    "7d": (timedelta(days=7), timedelta(hours=6)),
}


@dataclass(frozen=True)
class VersionSeen:
    """One version with how it was used."""

    row: SecretVersion
    hits_24h: int
    last_hit_at: datetime | None
    verdict: Verdict

    @property
    def is_live(self) -> bool:
        """Whether it verifies now."""
        return rotation.is_live(self.row)

    @property
    def state(self) -> str:
        """Its state as of now: a version whose time has passed is retired, told or not."""
        if self.row.state == State.RETIRING.value and not self.is_live:
            return State.RETIRED.value
        return self.row.state


@dataclass(frozen=True)
class SecretSeen:
    """One secret. age_days: of the version in use; None before there is one."""

    row: Secret
    kind: Kind
    versions: Sequence[VersionSeen]
    age_days: int | None
    verdict: Verdict

    @property
    def is_overdue(self) -> bool:
        """Whether the version in use is older than its kind may be."""
        return self.age_days is not None and self.age_days >= self.kind.max_age_days

    @property
    def in_use(self) -> VersionSeen | None:
        """The active version."""
        return next((each for each in self.versions if each.row.state == "active"), None)


@dataclass(frozen=True)
class Hits:
    """How often a version was used in one bar of the chart."""

    at: datetime
    version: int
    count: int


def list_secrets(
    session: Session, *, kinds: Sequence[str] = (), providers: Sequence[str] = ()
) -> list[SecretSeen]:
    """List the secrets of some kinds and owners, all of them when none is named.

    Transaction: caller's, reads only.
    """
    statement = select(Secret).where(Secret.kind != INDEX)
    if kinds:
        statement = statement.where(Secret.kind.in_(kinds))
    if providers:
        statement = statement.where(Secret.provider.in_(providers))
    order = (Secret.provider, Secret.kind, Secret.mode, Secret.endpoint)
    return _seen(session, list(session.scalars(statement.order_by(*order))))


def get_secret(session: Session, secret_id: str) -> SecretSeen:
    """Read one secret.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    return _seen(session, [rotation.get(session, secret_id)])[0]


def _seen(session: Session, rows: Sequence[Secret]) -> list[SecretSeen]:
    of_secrets = SecretVersion.secret_id.in_([row.id for row in rows])
    statement = select(SecretVersion).where(of_secrets).order_by(SecretVersion.version.desc())
    versions = list(session.scalars(statement))
    version_ids = [row.id for row in versions]
    used = credential_uses.last_uses(session, version_ids)
    hits: dict[str, int] = {}
    for use in credential_uses.since(session, version_ids, begin=_first_hour(DAY)):
        hits[use.subject_id] = hits.get(use.subject_id, 0) + use.count
    return [
        _one(row, [each for each in versions if each.secret_id == row.id], used, hits)
        for row in rows
    ]


def _one(
    row: Secret,
    versions: Sequence[SecretVersion],
    used: Mapping[str, datetime],
    hits: Mapping[str, int],
) -> SecretSeen:
    kind = KINDS[row.kind]
    seen = [
        VersionSeen(
            each,
            hits.get(each.id, 0),
            used.get(each.id),
            secret_verdicts.judge(kind, versions, each, used),
        )
        for each in versions
    ]
    active = next((each for each in versions if each.state == State.ACTIVE.value), None)
    age = (clock.now() - active.created_at).days if active is not None else None
    return SecretSeen(row, kind, seen, age, secret_verdicts.of_secret(kind, versions, used))


def _first_hour(span: timedelta) -> datetime:
    """Give the begin of the hour that opens a span ending with the present hour."""
    this_hour = clock.now().replace(minute=0, second=0, microsecond=0)
    return this_hour + credential_uses.HOUR - span


def chart(session: Session, seen: SecretSeen, name: str) -> list[Hits]:
    """Give how often each version was used, bar by bar; bars without a use are left out.

    Transaction: caller's, reads only.
    """
    span, width = CHARTS[name]
    begin = _first_hour(span)
    numbers = {each.row.id: each.row.version for each in seen.versions}
    bars: dict[tuple[datetime, int], int] = {}
    for use in credential_uses.since(session, list(numbers), begin=begin):
        key = (begin + (use.hour - begin) // width * width, numbers[use.subject_id])
        bars[key] = bars.get(key, 0) + use.count
    return [Hits(at, version, count) for (at, version), count in sorted(bars.items())]


def bars_of(name: str) -> list[datetime]:
    """Give when each bar of a chart begins, oldest first."""
    span, width = CHARTS[name]
    begin = _first_hour(span)
    return [begin + number * width for number in range(int(span / width))]


def wire(seen: SecretSeen, *, public_url: str) -> dict[str, Json]:
    """Write a secret as the API answers it. endpoint: where what it verifies arrives, or goes to."""
    row = seen.row
    door = None
    if row.kind == WEBHOOK:
        door = f"{public_url}/api/webhooks/{registry.get(row.provider).door}"
    return {
        "secretId": row.id,
        "kind": row.kind,
        "provider": row.provider,
        "endpoint": row.endpoint or door,
        "versions": [_wire_version(each) for each in seen.versions],
        "ageDays": seen.age_days,
        "overdue": seen.is_overdue,
        "verdict": {"safeToRetire": seen.verdict.is_safe, "why": seen.verdict.why},
    }


def _wire_version(seen: VersionSeen) -> dict[str, Json]:
    row = seen.row
    return {
        "version": row.version,
        "state": seen.state,
        "createdAt": clock.rfc3339(row.created_at),
        "retireAt": clock.rfc3339(row.retire_at),
        "hits24h": seen.hits_24h,
        "lastHitAt": clock.rfc3339(seen.last_hit_at),
    }


def wire_hits(hits: Sequence[Hits]) -> list[Json]:
    """Write a chart as the API answers it."""
    return [
        {"at": clock.rfc3339(each.at), "version": each.version, "count": each.count}
        for each in hits
    ]


def list_overdue(session: Session) -> list[tuple[Secret, SecretVersion]]:
    """List the versions in use that are older than their kind may be, and were not told of yet.

    Transaction: caller's, reads only.
    """
    found: list[tuple[Secret, SecretVersion]] = []
    for kind in KINDS.values():
        before = clock.now() - timedelta(days=kind.max_age_days)
        statement = (
            select(Secret, SecretVersion)
            .join(SecretVersion, SecretVersion.secret_id == Secret.id)
            .where(Secret.kind == kind.name, SecretVersion.state == State.ACTIVE.value)
            .where(SecretVersion.created_at <= before, SecretVersion.overdue_told_at.is_(None))
        )
        found += [(secret, version) for secret, version in session.execute(statement)]
    return found
