"""Secrets in the store: versions from the environment, and which of them may verify now."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from config import Settings
from core import clock, ids
from core.states import SecretVersion as State
from domain import audit, database, keyring
from domain.actors import system
from domain.transitions import Why, move_together
from models.secrets import Secret, SecretVersion
from providers import registry
from providers.seam import LiveSecret

CACHE_SECONDS = 2.0
# A provider goes on signing with the old secret for a while after a roll; Stripe for 24 h at most.
OVERLAP_SECONDS = 24 * 3600
_PURPOSE = "secret"


@dataclass
class _Cache:
    lock: threading.Lock = field(default_factory=threading.Lock)
    environment: dict[tuple[str, str], str] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[float, tuple[LiveSecret, ...]]] = field(default_factory=dict)


_cache = _Cache()


def configure(settings: Settings) -> None:
    """Note the secrets of the environment; they reach the store on first use."""
    _cache.found.clear()
    _cache.environment.clear()
    if value := settings.stripe.webhook_secret.reveal():
        _cache.environment["stripe", "webhook"] = value


def forget_cached() -> None:
    """Read the store again at the next use."""
    _cache.found.clear()


def _place(version_id: str) -> str:
    return f"secret_versions|value|{version_id}"


def _secret(session: Session, provider: str, kind: str, mode: str) -> Secret:
    values = {
        "id": ids.new("sec"),
        "provider": provider,
        "kind": kind,
        "mode": mode,
        "created_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(Secret).values(values).on_conflict_do_nothing())
    statement = select(Secret).where(
        Secret.provider == provider, Secret.kind == kind, Secret.mode == mode
    )
    return session.scalars(statement.with_for_update()).one()


def adopt(session: Session, provider: str, kind: str, *, mode: str, value: str) -> str | None:
    """Make a value of the environment the active version, if it was never seen before.

    The version that was active goes on verifying for the overlap. A revoked value stays revoked.
    Gives the new version's id, or None. Writes: secrets, secret_versions, audit_log.
    Transaction: caller's.
    """
    secret = _secret(session, provider, kind, mode)
    fingerprint = keyring.vault().blind_index(value, purpose="secret")
    versions = list(
        session.scalars(select(SecretVersion).where(SecretVersion.secret_id == secret.id))
    )
    if any(version.fingerprint == fingerprint for version in versions):
        return None
    why = Why(system("configuration"), f"secret:{secret.id}", "a new value in the environment")
    for version in versions:
        if version.state == State.ACTIVE:
            retire_at = clock.after(OVERLAP_SECONDS)
            values = {"retire_at": retire_at}
            moves = {"secret_version": State.RETIRING.value}
            move_together(session, version, moves=moves, values=values, why=why)
    version_id = ids.new("scv")
    session.add(
        SecretVersion(
            id=version_id,
            secret_id=secret.id,
            version=max((version.version for version in versions), default=0) + 1,
            state=State.ACTIVE.value,
            value_sealed=keyring.seal_text(value, purpose=_PURPOSE, place=_place(version_id)),
            fingerprint=fingerprint,
            origin="environment",
            created_at=clock.now(),
        )
    )
    session.flush()
    audit.write(
        session,
        "secret.adopt",
        actor=why.actor,
        object_kind="secret",
        object_id=secret.id,
        source=why.source,
        reason=why.reason,
        after={"provider": provider, "kind": kind, "mode": mode, "versionId": version_id},
    )
    return version_id


def _read(provider: str, kind: str) -> tuple[LiveSecret, ...]:
    live = (State.ACTIVE.value, State.RETIRING.value)
    statement = (
        select(SecretVersion, Secret.mode)
        .join(Secret, Secret.id == SecretVersion.secret_id)
        .where(
            Secret.provider == provider,
            Secret.kind == kind,
            SecretVersion.state.in_(live),
            or_(SecretVersion.retire_at.is_(None), SecretVersion.retire_at > clock.now()),
        )
        .order_by(SecretVersion.version.desc())
    )
    with database.reading() as session:
        rows = session.execute(statement).all()
    return tuple(
        LiveSecret(
            version_id=version.id,
            value=keyring.open_text(
                version.value_sealed, purpose=_PURPOSE, place=_place(version.id)
            ),
            mode=mode,
        )
        for version, mode in rows
    )


def live(provider: str, kind: str = "webhook") -> tuple[LiveSecret, ...]:
    """Give the versions that may verify now, newest first; at most two seconds old.

    Transaction: opens its own when the cache has expired.
    """
    key = (provider, kind)
    cached = _cache.found.get(key)
    if cached is not None and clock.monotonic() - cached[0] < CACHE_SECONDS:
        return cached[1]
    with _cache.lock:
        # Whoever waited here finds what the one before has just read.
        cached = _cache.found.get(key)
        if cached is not None and clock.monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        if value := _cache.environment.pop(key, None):
            try:
                with database.transaction() as session:
                    adopt(session, provider, kind, mode=registry.get(provider).mode, value=value)
            except BaseException:
                _cache.environment[key] = value
                raise
        found = _read(provider, kind)
        _cache.found[key] = (clock.monotonic(), found)
    return found


def versions_by_id(session: Session) -> dict[str, tuple[int, str]]:
    """Give every version's number and state by its id, for showing which one verified a delivery."""
    rows = session.execute(select(SecretVersion.id, SecretVersion.version, SecretVersion.state))
    return {row.id: (row.version, row.state) for row in rows}
