"""Which versions of each secret may verify now and which one signs; how values of the environment come in.

Changing them is `domain/secrets/rotation.py`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config import Settings
from core import clock, ids
from core.errors import Unavailable
from core.states import SecretVersion as State
from domain import audit, database
from domain.actors import system
from domain.secrets import credential_uses, keyring, secret_kinds
from domain.secrets.secret_kinds import CALLING, JWT, KINDS, OURS, SESSION, WEBHOOK
from domain.transitions import Why, move_together
from models.secrets import Secret, SecretVersion
from providers import registry
from providers.deliveries import LiveSecret

CACHE_SECONDS = 2.0
# Every process knows a new version by then; only now does it begin to sign.
SETTLE_SECONDS = 5.0
LIVE = (State.ACTIVE.value, State.RETIRING.value)


@dataclass(frozen=True)
class Name:
    """Which secret. owner: a provider or `paydesk`; endpoint: of an outbound endpoint's, else empty."""

    owner: str
    kind: str
    endpoint: str = ""

    @property
    def mode(self) -> str:
        """What the secret is for: `test` or `live` at a provider, `all` for our own."""
        return "all" if self.owner == OURS else registry.get(self.owner).mode


@dataclass(frozen=True)
class _Held:
    """One live version. signs_at: from when on it may sign; None: it was there before the column."""

    secret: LiveSecret
    is_active: bool
    number: int
    signs_at: datetime | None
    ends_at: datetime | None


@dataclass
class _Cache:
    lock: threading.Lock = field(default_factory=threading.Lock)
    environment: dict[Name, Sequence[str]] = field(default_factory=dict)
    pending: set[Name] = field(default_factory=set)
    found: dict[Name, tuple[float, tuple[_Held, ...]]] = field(default_factory=dict)


_cache = _Cache()


def configure(settings: Settings) -> None:
    """Note the secrets of the environment; they reach the store on first use, newest first."""
    given: dict[Name, Sequence[str]] = {
        Name(OURS, JWT): [f"{key.kid}:{_text(key.key)}" for key in settings.jwt_keys],
        Name(OURS, SESSION): [settings.secret_key.reveal()],
    }
    for rail in registry.every():
        given |= {Name(rail.name, kind): each for kind, each in rail.given_secrets.items()}
    _cache.found.clear()
    _cache.environment = {name: values for name, values in given.items() if any(values)}
    _cache.pending = set(_cache.environment)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def forget_cached() -> None:
    """Read the store again at the next use."""
    _cache.found.clear()


def is_live(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Give the conditions of the versions that verify at a time."""
    ends_later = or_(SecretVersion.retire_at.is_(None), SecretVersion.retire_at > now)
    return SecretVersion.state.in_(LIVE), ends_later


def lock(session: Session, name: Name) -> Secret:
    """Fetch a secret, made if it is new, under the lock that all changes of its versions take.

    Writes: secrets. Transaction: caller's; the lock is held until it ends.
    """
    values = {
        "id": ids.new("sec"),
        "provider": name.owner,
        "kind": name.kind,
        "mode": name.mode,
        "endpoint": name.endpoint,
        "created_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(Secret).values(values).on_conflict_do_nothing())
    statement = select(Secret).where(*_named(name)).with_for_update()
    return session.scalars(statement).one()


def _named(name: Name) -> tuple[ColumnElement[bool], ...]:
    return (
        Secret.provider == name.owner,
        Secret.kind == name.kind,
        Secret.mode == name.mode,
        Secret.endpoint == name.endpoint,
    )


def versions_of(session: Session, secret_id: str) -> list[SecretVersion]:
    """List a secret's versions, newest first."""
    statement = select(SecretVersion).where(SecretVersion.secret_id == secret_id)
    statement = statement.order_by(SecretVersion.version.desc())
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def fingerprint(kind: str, value: str) -> str:
    """Give what tells a value that was seen before, and nothing else of it."""
    return keyring.vault().blind_index(secret_kinds.identity(kind, value), purpose="secret")


def find_seen(versions: Sequence[SecretVersion], kind: str, value: str) -> SecretVersion | None:
    """Find the version that has a value already, under whatever name the value comes this time."""
    mark = fingerprint(kind, value)
    return next((row for row in versions if row.fingerprint == mark), None)


@dataclass(frozen=True)
class NewVersion:
    """A value about to become a version. origin: `environment`, `entered` or `generated`."""

    value: str
    origin: str
    made_by: str | None = None
    reason: str | None = None


def add_version(
    session: Session,
    secret: Secret,
    versions: Sequence[SecretVersion],
    new: NewVersion,
    *,
    state: State = State.ACTIVE,
    retire_at: datetime | None = None,
) -> SecretVersion:
    """Write a new version under its secret's lock. versions: those that are there.

    Where we sign ourselves it begins to sign once every process has heard of it.
    Writes: secret_versions. Transaction: caller's.
    """
    now = clock.now()
    waits = KINDS[secret.kind].we_sign and any(row.state in LIVE for row in versions)
    version_id = ids.new("scv")
    row = SecretVersion(
        id=version_id,
        secret_id=secret.id,
        version=max((row.version for row in versions), default=0) + 1,
        state=state.value,
        value_sealed=keyring.seal_version(new.value, version_id),
        fingerprint=fingerprint(secret.kind, new.value),
        origin=new.origin,
        created_at=now,
        activated_at=clock.after(SETTLE_SECONDS) if waits else now,
        retire_at=retire_at,
        made_by=new.made_by,
        reason=new.reason,
    )
    session.add(row)
    session.flush()
    return row


def adopt(session: Session, name: Name, values: Sequence[str]) -> list[str]:
    """Make the environment's newest value the active version, if it was never seen before.

    values: newest first; older ones that were never seen come in as retiring. The version that was
    active goes on verifying for the overlap. A value seen before, a revoked one above all, changes
    nothing. Gives the ids of new versions.
    Writes: secrets, secret_versions, state_changes, audit_log. Transaction: caller's.
    """
    secret = lock(session, name)
    until = clock.after(KINDS[name.kind].overlap_hours * 3600)
    made = []
    for value in reversed(values):
        versions = versions_of(session, secret.id)
        if find_seen(versions, name.kind, value) is not None:
            continue
        new = NewVersion(value, "environment")
        if value != values[0]:
            row = add_version(session, secret, versions, new, state=State.RETIRING, retire_at=until)
        else:
            _step_back(session, secret, versions, until)
            row = add_version(session, secret, versions, new)
        _note_adoption(session, secret, row)
        made.append(row.id)
    return made


def _step_back(
    session: Session, secret: Secret, versions: Sequence[SecretVersion], until: datetime
) -> None:
    why = Why(system("configuration"), f"secret:{secret.id}", "a new value in the environment")
    for row in versions:
        if row.state == State.ACTIVE.value:
            moves, values = {"secret_version": State.RETIRING.value}, {"retire_at": until}
            move_together(session, row, moves=moves, values=values, why=why)


def _note_adoption(session: Session, secret: Secret, row: SecretVersion) -> None:
    after = {"provider": secret.provider, "kind": secret.kind, "mode": secret.mode}
    audit.write(
        session,
        "secret.adopt",
        actor=system("configuration"),
        object_kind="secret",
        object_id=secret.id,
        source=f"secret:{secret.id}",
        reason="a new value in the environment",
        after=after | {"versionId": row.id},
    )


def adopt_all() -> None:
    """Bring every value of the environment into the store; the worker does it, else the first use.

    Transaction: opens its own for each secret that waits.
    """
    for name in tuple(_cache.pending):
        with _cache.lock:
            _adopt_pending(name)


def _adopt_pending(name: Name) -> None:
    if name in _cache.pending:
        with database.transaction() as session:
            adopt(session, name, _cache.environment[name])
        _cache.pending.discard(name)


def _read(name: Name) -> tuple[_Held, ...]:
    statement = (
        select(SecretVersion, Secret.mode)
        .join(Secret, Secret.id == SecretVersion.secret_id)
        .where(*_named(name), *is_live(clock.now()))
        .order_by(SecretVersion.version.desc())
    )
    with database.reading() as session:
        rows = session.execute(statement).all()
    return tuple(
        _Held(
            LiveSecret(row.id, keyring.open_version(row), mode),
            is_active=row.state == State.ACTIVE.value,
            number=row.version,
            signs_at=row.activated_at,
            ends_at=row.retire_at,
        )
        for row, mode in rows
    )


def _from_environment(name: Name) -> tuple[_Held, ...]:
    """Stand in for the store inside a transaction that comes before the first adoption."""
    values = _cache.environment.get(name, ())
    return tuple(
        _Held(LiveSecret("", value, name.mode), place == 0, len(values) - place, None, None)
        for place, value in enumerate(values)
    )


def _fresh(name: Name) -> tuple[_Held, ...] | None:
    cached = _cache.found.get(name)
    if cached is not None and clock.monotonic() - cached[0] < CACHE_SECONDS:
        return cached[1]
    return None


def _held(name: Name) -> tuple[_Held, ...]:
    if (found := _fresh(name)) is not None:
        return found
    if database.is_open():
        return _held_inside(name)
    with _cache.lock:
        # Whoever waited here finds what the one before has just read.
        if (found := _fresh(name)) is not None:
            return found
        _adopt_pending(name)
        return _renewed(name)


def _held_inside(name: Name) -> tuple[_Held, ...]:
    """Answer a thread that has a transaction open from what is known.

    It should not ask for a second connection: it may hold the row that those wait for who hold all the
    others. `keep_warm` and whoever is outside read the store again. What nobody has read yet is read
    here, but for a provider's key: inside, people only ask whether there is one.
    """
    known = _cache.found.get(name)
    if known is not None:
        return known[1]
    asked = _from_environment(name) if name.kind in CALLING else ()
    return asked or _read(name) or _from_environment(name)


def _calling() -> list[Name]:
    return [
        Name(rail.name, kind)
        for rail in registry.every()
        for kind in rail.given_secrets
        if kind in CALLING
    ]


def keep_warm() -> None:
    """Read the store before somebody with a transaction open has to ask it.

    Transaction: opens its own; none is open.
    """
    keyring.vault().blind_index("", purpose="secret")
    for name in {*_cache.environment, *_calling()}:
        _held(name)


def _renewed(name: Name) -> tuple[_Held, ...]:
    found = _read(name)
    _cache.found[name] = (clock.monotonic(), found)
    return found


def live(owner: str, kind: str = WEBHOOK, *, endpoint: str = "") -> tuple[LiveSecret, ...]:
    """Give the versions that may verify now, the one that signs first; at most two seconds old.

    Transaction: opens its own when the cache has expired and the environment brings a new value.
    """
    held = _held(Name(owner, kind, endpoint))
    if len(held) < 2:
        return tuple(each.secret for each in held)
    now = clock.now()
    alive = [each for each in held if each.ends_at is None or each.ends_at > now]
    return tuple(each.secret for each in sorted(alive, key=lambda each: _rank(each, now)))


def _rank(held: _Held, now: datetime) -> tuple[bool, bool, int]:
    is_settling = held.signs_at is not None and held.signs_at > now
    return is_settling, not held.is_active, -held.number


def live_or_last(owner: str, kind: str) -> tuple[LiveSecret, ...]:
    """Give the live versions, and while the database does not answer those that were live before.

    For what must be drawn in an outage, such as the page that says so; whatever changes anything asks
    the database itself.
    """
    try:
        return live(owner, kind)
    except (SQLAlchemyError, Unavailable):
        name = Name(owner, kind)
        cached = _cache.found.get(name)
        held = cached[1] if cached is not None else _from_environment(name)
        return tuple(each.secret for each in held)


def key_of(owner: str, kind: str, is_used: bool) -> str | None:
    """Give the secret of a kind to call a provider with now: its API key, or what signs our requests.

    is_used: a call is about to be made with it; else somebody only asks whether there is one.
    """
    held = live(owner, kind) if is_used else live_or_last(owner, kind)
    if not held:
        return None
    if is_used:
        note_use(held[0])
    return held[0].value


def note_use(secret: LiveSecret) -> None:
    """Count that a version let somebody in."""
    if secret.version_id:
        credential_uses.count(secret.version_id)
