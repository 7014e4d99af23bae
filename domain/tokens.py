"""Bearer tokens: HS256 only, every claim required, signed by the first key, verified by any; no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import jwt

from config import Settings
from core import clock, ids
from core.errors import Unauthenticated
from core.vault import MasterKey
from domain.sessions import LONGEST_TOKEN_SECONDS

ISSUER, AUDIENCE, ALGORITHM, TYPE = "paydesk", "paydesk-api", "HS256", "paydesk+jwt"
TTL_SECONDS = 3600
# Clocks of two of our own machines may differ by this much.
LEEWAY_SECONDS = 5
REQUIRED = ["exp", "iat", "nbf", "aud", "iss", "sub", "jti"]
_keys: list[MasterKey] = []


@dataclass(frozen=True)
class Issued:
    """A token just made, its id, and when it ends."""

    token: str
    jti: str
    expires_at: datetime


@dataclass(frozen=True)
class Claims:
    """What a valid token says; who that is now is read from the database."""

    user_id: str
    jti: str
    expires_at: datetime
    stepped_up_at: datetime | None


def configure(settings: Settings) -> None:
    """Take the signing keys of the settings; the first signs."""
    _keys[:] = settings.jwt_keys


def issue(
    user_id: str, *, role: str, kyc: str, ttl_seconds: int = TTL_SECONDS, stepped_up: bool = False
) -> Issued:
    """Make a token for a user. stepped_up: a second factor was shown for it, now."""
    now = clock.now()
    ttl = min(max(ttl_seconds, 1), LONGEST_TOKEN_SECONDS)
    expires, jti, key = clock.after(ttl), ids.new("jti"), _keys[0]
    started = int(now.timestamp())
    claims: dict[str, str | int] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "jti": jti,
        "iat": started,
        "nbf": started,
        "exp": int(expires.timestamp()),
        "role": role,
        "kyc": kyc,
    }
    if stepped_up:
        claims["stepped_up"] = started
    head = {"kid": key.kid, "typ": TYPE}
    token = jwt.encode(claims, key.key, algorithm=ALGORITHM, headers=head)
    return Issued(token, jti, clock.from_unix(int(expires.timestamp())))


def _key(token: str, keys: Sequence[MasterKey]) -> MasterKey:
    head = jwt.get_unverified_header(token)
    if head.get("alg") != ALGORITHM or head.get("typ") != TYPE:
        raise Unauthenticated
    # Nothing else in the head may have a say: no jku, jwk, x5u; a critical extension is unknown.
    if set(head) - {"alg", "typ", "kid"}:
        raise Unauthenticated
    for key in keys:
        if key.kid == head.get("kid"):
            return key
    raise Unauthenticated


def read(token: str) -> Claims:
    """Check a token's signature and claims.

    Raises: Unauthenticated (TOKEN_EXPIRED when that is all that is wrong)
    Source: RFC 8725 (JWT best current practices)
    """
    try:
        key = _key(token, _keys)
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED, "strict_aud": True},
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated("This token has expired.", code="TOKEN_EXPIRED") from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Unauthenticated from error
    stepped = claims.get("stepped_up")
    return Claims(
        user_id=str(claims["sub"]),
        jti=str(claims["jti"]),
        expires_at=clock.from_unix(int(claims["exp"])),
        stepped_up_at=clock.from_unix(stepped) if isinstance(stepped, int) else None,
    )
