"""Merchants' API keys: a public part that finds the row, a secret part of which only a hash is kept."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Conflict, Forbidden, NotFound, invalid
from core.permissions import ALL_SCOPES
from core.states import Kyc, Role
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from models.people import ApiKey, Merchant

FORM = re.compile(r"(pd_(?:test|live)_[0-9a-z]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
TOUCH_SECONDS = 60
_AUDITED = {
    "api_key.created": "api_key.create",
    "api_key.rotated": "api_key.rotate",
    "api_key.revoked": "api_key.revoke",
}
_NOBODY = hashing.sha256(b"no key has this hash")


@dataclass(frozen=True)
class NewKey:
    """What a key shall be. expires_at None: it lives until it is rotated or revoked."""

    name: str
    livemode: bool
    scopes: Sequence[str] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True)
class MadeKey:
    """A key just made; `key` is shown this once."""

    row: ApiKey
    key: str


@dataclass(frozen=True)
class FoundKey:
    """A live key and who it is to the rules. is_due: its last use should be written down."""

    actor: Actor
    expires_at: datetime | None
    is_due: bool


def looks_like_key(credential: str) -> bool:
    """Tell an API key from a token by its first letters."""
    return credential.startswith(("pd_test_", "pd_live_"))


def _assert_scopes(scopes: Sequence[str]) -> None:
    unknown = sorted(set(scopes) - set(ALL_SCOPES))
    if unknown:
        raise invalid("scopes", f"There is no scope {unknown[0]!r}.", code="unknown_scope")
    if not scopes:
        raise invalid("scopes", "A key needs at least one scope.")


def get_merchant(session: Session, merchant_id: str, *, actor: Actor) -> Merchant:
    """Fetch a merchant whose keys the actor may see.

    Raises: NotFound, also for another tenant's
    """
    if not actor.is_staff and actor.merchant_id != merchant_id:
        raise NotFound
    merchant = session.get(Merchant, merchant_id)
    if merchant is None:
        raise NotFound
    return merchant


def assert_may_have(merchant: Merchant, *, livemode: bool) -> None:
    """Check that a merchant may have keys of a mode.

    Raises: Forbidden MERCHANT_NOT_APPROVED
    """
    if livemode and merchant.state != "approved":
        raise Forbidden(
            "Live keys need an approved merchant. Use a test key until then.",
            code="MERCHANT_NOT_APPROVED",
        )


def create_key(
    session: Session, merchant: Merchant, wanted: NewKey, *, actor: Actor, source: str
) -> MadeKey:
    """Make a key; its name is unique among the merchant's live ones.

    Writes: api_keys, event_log, audit_log. Emits: api_key.created.
    Raises: InvalidInput, Conflict, Forbidden MERCHANT_NOT_APPROVED. Transaction: caller's.
    """
    _assert_scopes(wanted.scopes)
    assert_may_have(merchant, livemode=wanted.livemode)
    if wanted.expires_at is not None and wanted.expires_at <= clock.now():
        raise invalid("expiresAt", "This time has passed.")
    # Two keys of one name at the same moment take turns at the merchant's row.
    session.execute(select(Merchant.id).where(Merchant.id == merchant.id).with_for_update())
    taken = select(ApiKey.id).where(
        ApiKey.merchant_id == merchant.id,
        ApiKey.name == wanted.name,
        ApiKey.livemode == wanted.livemode,
        ApiKey.state == "active",
    )
    if session.scalars(taken).first() is not None:
        raise Conflict("This merchant has a live key of this name.")
    made = write_key(session, merchant.id, wanted, actor=actor)
    tell(session, "api_key.created", made.row, actor=actor, source=source)
    return made


def write_key(
    session: Session,
    merchant_id: str,
    wanted: NewKey,
    *,
    actor: Actor,
    replaces_id: str | None = None,
) -> MadeKey:
    """Write a key's row, checked and told of by the caller.

    Writes: api_keys. Transaction: caller's.
    """
    mode = "live" if wanted.livemode else "test"
    prefix, secret = f"pd_{mode}_{ids.new('x')[-16:]}", ids.token(32)
    row = ApiKey(
        id=ids.new("key"),
        merchant_id=merchant_id,
        name=wanted.name,
        prefix=prefix,
        secret_hash=hashing.sha256(secret.encode()),
        livemode=wanted.livemode,
        scopes=sorted(set(wanted.scopes)),
        state="active",
        made_by=actor.id,
        created_at=clock.now(),
        expires_at=wanted.expires_at,
        replaces_id=replaces_id,
    )
    session.add(row)
    session.flush()
    return MadeKey(row, f"{prefix}_{secret}")


def tell(
    session: Session,
    kind: str,
    row: ApiKey,
    *,
    actor: Actor,
    source: str,
    reason: str | None = None,
) -> None:
    """Tell what became of a key, and audit it; never its secret part.

    Writes: event_log, audit_log. Transaction: caller's.
    """
    about = events.About(object_id=row.id, merchant_id=row.merchant_id, livemode=row.livemode)
    body: dict[str, Json] = {"keyId": row.id, "prefix": row.prefix}
    events.append(session, [events.row(kind, about, source=source, status=row.state, body=body)])
    audit.write(
        session,
        _AUDITED[kind],
        actor=actor,
        object_kind="api_key",
        object_id=row.id,
        source=source,
        reason=reason,
        after={"prefix": row.prefix, "scopes": list(row.scopes), "livemode": row.livemode},
    )


def find_key(session: Session, credential: str, *, address: str | None = None) -> FoundKey | None:
    """Find the live key of a credential. An unknown one costs the same comparison."""
    match = FORM.fullmatch(credential)
    prefix, secret = match.groups() if match else ("", credential)
    found = session.execute(
        select(ApiKey, Merchant)
        .join(Merchant, Merchant.id == ApiKey.merchant_id)
        .where(ApiKey.prefix == prefix)
    ).first()
    expected = found[0].secret_hash if found else _NOBODY
    is_right = hmac.compare_digest(hashing.sha256(secret.encode()), expected)
    if found is None or not is_right:
        return None
    row, merchant = found
    actor = _holder(row, merchant, address=address)
    if actor is None:
        return None
    used = row.last_used_at
    is_due = used is None or (clock.now() - used).total_seconds() > TOUCH_SECONDS
    ends = [at for at in (row.expires_at, row.retire_at) if at is not None]
    return FoundKey(actor, min(ends, default=None), is_due)


def _holder(row: ApiKey, merchant: Merchant, *, address: str | None = None) -> Actor | None:
    """Say who a key is to the rules; None when it lets nobody in any more."""
    if row.state != "active" or merchant.state == "suspended":
        return None
    if any(at is not None and at <= clock.now() for at in (row.expires_at, row.retire_at)):
        return None
    return Actor(
        id=row.id,
        kind="key",
        role=Role.MERCHANT,
        name=row.name,
        merchant_id=row.merchant_id,
        kyc=Kyc(merchant.kyc),
        scopes=frozenset(str(scope) for scope in row.scopes),
        livemode=row.livemode,
        address=address,
    )


def find_holder(session: Session, key_id: str) -> Actor | None:
    """Find who a key is to the rules now; None when it lets nobody in any more.

    Transaction: caller's, reads only.
    """
    row = session.get(ApiKey, key_id, populate_existing=True)
    if row is None:
        return None
    return _holder(row, session.get_one(Merchant, row.merchant_id, populate_existing=True))


def touch(session: Session, key_id: str) -> None:
    """Write down that a key was used now.

    Writes: api_keys.last_used_at. Transaction: caller's.
    """
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=clock.now()))


def list_keys(session: Session, merchant: Merchant, *, actor: Actor) -> list[ApiKey]:
    """List a merchant's keys, newest first; a key itself sees those of its own mode."""
    statement = select(ApiKey).where(ApiKey.merchant_id == merchant.id)
    if actor.livemode is not None:
        statement = statement.where(ApiKey.livemode.is_(actor.livemode))
    return list(session.scalars(statement.order_by(ApiKey.created_at.desc(), ApiKey.id.desc())))


def revoke_key(
    session: Session, merchant: Merchant, key_id: str, *, actor: Actor, reason: str | None
) -> None:
    """End a key for good; all processes notice within seconds. A second call changes nothing.

    Writes: api_keys, event_log, audit_log. Emits: api_key.revoked. Raises: NotFound.
    Transaction: caller's.
    """
    row = session.get(ApiKey, key_id)
    if row is None or row.merchant_id != merchant.id:
        raise NotFound
    changed = session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.state == "active")
        .values(state="revoked", revoked_at=clock.now())
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        return
    session.refresh(row)
    source = f"user:{actor.id}"
    tell(session, "api_key.revoked", row, actor=actor, source=source, reason=reason)


def state_of(row: ApiKey) -> str:
    """Say how a key stands now: active, retiring, expired, retired or revoked."""
    now = clock.now()
    if row.state != "active":
        return row.state
    if row.retire_at is not None:
        return "retiring" if row.retire_at > now else "retired"
    return "active" if row.expires_at is None or row.expires_at > now else "expired"


def wire(row: ApiKey) -> dict[str, Json]:
    """Write a key as the API answers it; its secret is not there to be written."""
    return {
        "keyId": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "environment": "live" if row.livemode else "test",
        "scopes": row.scopes,
        "state": state_of(row),
        "createdAt": clock.rfc3339(row.created_at),
        "lastUsedAt": clock.rfc3339(row.last_used_at),
        "expiresAt": clock.rfc3339(row.expires_at),
        "version": None,
    }
