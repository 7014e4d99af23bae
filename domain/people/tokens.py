"""Bearer tokens: HS256 only, every claim required, signed by the newest key, verified by any live one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import jwt

from core import clock, ids
from core.errors import Unauthenticated
from core.vault import MasterKey
from domain.people import token_shape
from domain.people.sessions import LONGEST_TOKEN_SECONDS
from domain.secrets import secrets
from domain.secrets.secret_kinds import JWT, OURS, read_key
from providers.deliveries import LiveSecret

ISSUER, AUDIENCE, ALGORITHM, TYPE = "paydesk", "paydesk-api", "HS256", "paydesk+jwt"
TTL_SECONDS = 3600
# Clocks of two of our own machines may differ by this much.
LEEWAY_SECONDS = 5
REQUIRED = ["exp", "iat", "nbf", "aud", "iss", "sub", "jti"]


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


def issue(
    user_id: str, *, role: str, kyc: str, ttl_seconds: int = TTL_SECONDS, stepped_up: bool = False
) -> Issued:
    """Make a token for a user. stepped_up: a second factor was shown for it, now."""
    now, signer = clock.now(), secrets.live(OURS, JWT)[0]
    ttl = min(max(ttl_seconds, 1), LONGEST_TOKEN_SECONDS)
    expires, jti, key = clock.after(ttl), ids.new("jti"), _key_of(signer)
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


def _key_of(secret: LiveSecret) -> MasterKey:
    return read_key(secret.value, name=secret.version_id)


def _candidates(token: str) -> list[tuple[LiveSecret, MasterKey]]:
    """List the live keys of the name that a token's head says; two of one name only by accident."""
    head = jwt.get_unverified_header(token)
    if head.get("alg") != ALGORITHM or head.get("typ") != TYPE:
        raise Unauthenticated
    # Nothing else in the head may have a say: no jku, jwk, x5u; a critical extension is unknown.
    if set(head) - {"alg", "typ", "kid"}:
        raise Unauthenticated
    held = [(secret, _key_of(secret)) for secret in secrets.live(OURS, JWT)]
    return [(secret, key) for secret, key in held if key.kid == head.get("kid")]


def _claims(token: str) -> dict[str, object]:
    for secret, key in _candidates(token):
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED, "strict_aud": True},
            )
        except jwt.InvalidSignatureError:
            continue
        secrets.note_use(secret)
        return claims
    raise Unauthenticated


def read(token: str) -> Claims:
    """Check a token's signature and claims.

    Raises: Unauthenticated (TOKEN_EXPIRED when that is all that is wrong)
    Source: RFC 8725 (JWT best current practices)
    """
    token_shape.assert_plain(token)
    try:
        claims = _claims(token)
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated("This token has expired.", code="TOKEN_EXPIRED") from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Unauthenticated from error
    stepped = claims.get("stepped_up")
    return Claims(
        user_id=str(claims["sub"]),
        jti=str(claims["jti"]),
        expires_at=clock.from_unix(int(str(claims["exp"]))),
        stepped_up_at=clock.from_unix(stepped) if isinstance(stepped, int) else None,
    )
