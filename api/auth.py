"""Tokens for the API: made for an address and a password, ended before their time."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint
from pydantic import Field

from api.contract import Answer, Call, In, NoBody, NoQuery, Open, Out, endpoint
from core import clock
from core.errors import Forbidden
from core.permissions import Permission
from domain.database import transaction
from domain.people import passwords, sessions, sign_in, tokens
from web import identity

blueprint = Blueprint("auth", __name__)


class TokenIn(In):
    """Who wants a token; `code` when a second factor is set up, or to act where one is asked for."""

    email: str = Field(max_length=254, json_schema_extra={"examples": ["mel@sandbox.example"]})
    password: str = Field(max_length=256, json_schema_extra={"format": "password"})
    code: str | None = Field(
        default=None, max_length=10, json_schema_extra={"examples": ["123456"]}
    )


class TokenOut(Out):
    """A bearer token and when it ends."""

    token: str
    expires_at: str


@dataclass(frozen=True)
class _Try:
    """What is known before the transaction that admits. code: its counted try; renewed: a newer hash."""

    attempt: sign_in.Attempt
    is_right: bool
    code: str | None
    renewed: str | None


def _try(body: TokenIn, address: str) -> _Try:
    with transaction() as session:
        attempt = sign_in.begin(session, body.email, ip=address)
    is_right = sign_in.is_right(attempt, body.password)
    renewed = tried = None
    if is_right and attempt.password_hash and passwords.is_outdated(attempt.password_hash):
        renewed = passwords.hashed(body.password)
    if is_right and body.code is not None:
        with transaction() as session:
            tried = sign_in.begin_code(session, attempt)
    return _Try(attempt, is_right, tried, renewed)


@endpoint(
    blueprint,
    "POST",
    "/api/auth/token",
    access=Open("a password is what is shown here; limited per account and per address"),
    body=TokenIn,
    answers={200: TokenOut},
    errors=["UNAUTHENTICATED", "SECOND_FACTOR_REQUIRED", "RATE_LIMITED"],
    summary="Get a bearer token for the API.",
    requirement="C26",
)
def issue(call: Call[TokenIn, NoQuery]) -> Answer:
    found = _try(call.body, call.address)
    with transaction() as session:
        user, stepped_up = sign_in.admit(
            session,
            found.attempt,
            is_right=found.is_right,
            code=call.body.code,
            tried=found.code,
        )
        if found.renewed is not None:
            sign_in.refresh_hash(session, user, found.renewed)
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc, stepped_up=stepped_up)
        address = call.address
        sessions.note_token(session, user, issued.jti, address=address, stepped_up=stepped_up)
    return Answer(200, {"token": issued.token, "expiresAt": clock.rfc3339(issued.expires_at)})


@endpoint(
    blueprint,
    "DELETE",
    "/api/auth/token",
    access=Permission.SELF_READ,
    answers={204: None},
    errors=["FORBIDDEN"],
    events=["session.revoked"],
    summary="End the token that this call carries, on every process within five seconds.",
)
def revoke(call: Call[NoBody, NoQuery]) -> Answer:
    actor = call.actor
    if call.caller is None or call.caller.kind != "jwt" or actor.session_id is None:
        raise Forbidden("Only a token can end itself here.")
    with transaction() as session:
        sessions.end_token(session, actor.session_id, actor=actor)
    identity.forget_cached()
    return Answer(204)
