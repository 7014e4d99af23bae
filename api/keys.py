"""API keys of a merchant: listed without their secret, made with it shown once, revoked for good."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    NoBody,
    NoQuery,
    Out,
    Query,
    Reference,
    Session,
    Text,
    endpoint,
    finish,
    start,
)
from core.permissions import Permission
from domain.database import reading, transaction
from domain.people import keys
from domain.secrets import key_rotation
from domain.secrets.secret_kinds import LONGEST_OVERLAP_HOURS
from models.people import ApiKey
from web import identity

blueprint = Blueprint("keys", __name__)


class KeyIn(In):
    """What the key shall be called and may do."""

    name: Text
    environment: Literal["test", "live"]
    scopes: list[str] = Field(min_length=1, max_length=20)
    expires_at: Instant | None = None
    version: Literal["2026-11-21"] | None = None
    reference: Reference | None = None


class KeyOut(Out):
    """A key as it is listed."""

    key_id: str
    name: str
    prefix: str
    environment: Literal["test", "live"]
    scopes: list[str]
    state: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    version: str | None


class KeysOut(Out):
    """All keys of a merchant."""

    items: list[KeyOut]
    next_cursor: None


class MadeKeyOut(Out):
    """A key just made. `key` is shown in this answer only; a replay says null."""

    key_id: str
    key: str | None
    prefix: str
    scopes: list[str]
    environment: Literal["test", "live"]


class RotateIn(In):
    """How long the old key lives on, a day unless told otherwise, and why."""

    overlap_hours: int | None = Field(default=None, ge=0, le=LONGEST_OVERLAP_HOURS)
    reason: Text
    reference: Reference | None = None


class ReasonQuery(Query):
    """Why."""

    reason: str | None = Field(default=None, max_length=500)


@endpoint(
    blueprint,
    "GET",
    "/api/merchants/{merchantId}/api-keys",
    access=Permission.KEYS_READ,
    answers={200: KeysOut},
    errors=["NOT_FOUND"],
    summary="List a merchant's API keys.",
)
def index(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        merchant = keys.get_merchant(session, call.path["merchantId"], actor=call.actor)
        rows = keys.list_keys(session, merchant, actor=call.actor)
    return Answer(200, {"items": [keys.wire(row) for row in rows], "nextCursor": None})


def _create(session: Session, call: Call[KeyIn, NoQuery]) -> tuple[Answer, str]:
    body = call.body
    merchant = keys.get_merchant(session, call.path["merchantId"], actor=call.actor)
    livemode = body.environment == "live"
    keys.assert_may_have(merchant, livemode=livemode)
    if livemode:
        call.assert_stepped_up()
    wanted = keys.NewKey(
        name=body.name, livemode=livemode, scopes=body.scopes, expires_at=body.expires_at
    )
    made = keys.create_key(session, merchant, wanted, actor=call.actor, source=call.source)
    location = f"/api/merchants/{merchant.id}/api-keys"
    return Answer(201, _made(made.row), location=location), made.key


@endpoint(
    blueprint,
    "POST",
    "/api/merchants/{merchantId}/api-keys",
    access=Permission.KEYS_MANAGE,
    body=KeyIn,
    answers={201: MadeKeyOut},
    key="R",
    errors=["MERCHANT_NOT_APPROVED", "STEP_UP_REQUIRED", "NOT_FOUND", "CONFLICT"],
    events=["api_key.created"],
    summary="Make an API key; its value is shown once.",
    requirement="C26",
)
def create(call: Call[KeyIn, NoQuery]) -> Answer:
    with start(call) as session:
        answer, key = _create(session, call)
        # What is stored for a replay holds no secret.
        finish(session, call, answer)
    shown = dict(answer.body) if isinstance(answer.body, dict) else {}
    return Answer(201, shown | {"key": key}, location=answer.location)


@endpoint(
    blueprint,
    "POST",
    "/api/merchants/{merchantId}/api-keys/{keyId}/rotate",
    access=Permission.KEYS_MANAGE,
    body=RotateIn,
    answers={201: MadeKeyOut},
    key="R",
    errors=["MERCHANT_NOT_APPROVED", "STEP_UP_REQUIRED", "NOT_FOUND", "CONFLICT"],
    events=["api_key.rotated"],
    summary="Rotate an API key: a new one takes over, the old one lives on for the overlap.",
    requirement="S47",
)
def rotate(call: Call[RotateIn, NoQuery]) -> Answer:
    call.assert_stepped_up()
    with start(call) as session:
        merchant = keys.get_merchant(session, call.path["merchantId"], actor=call.actor)
        made = key_rotation.rotate(
            session,
            merchant,
            call.path["keyId"],
            actor=call.actor,
            overlap_hours=call.body.overlap_hours,
            reason=call.body.reason,
        )
        said = _made(made.row)
        location = f"/api/merchants/{merchant.id}/api-keys"
        # What is stored for a replay holds no secret.
        finish(session, call, Answer(201, said, location=location))
    identity.forget_cached()
    return Answer(201, said | {"key": made.key}, location=location)


def _made(row: ApiKey) -> dict[str, Any]:
    return {
        "keyId": row.id,
        "key": None,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "environment": "live" if row.livemode else "test",
    }


@endpoint(
    blueprint,
    "DELETE",
    "/api/merchants/{merchantId}/api-keys/{keyId}",
    access=Permission.KEYS_MANAGE,
    query=ReasonQuery,
    answers={204: None},
    errors=["NOT_FOUND"],
    events=["api_key.revoked"],
    summary="Revoke an API key; every process refuses it within five seconds.",
    deviation="No step-up is asked for: ending a leaked key must be quick, and gives nobody a right.",
)
def revoke(call: Call[NoBody, ReasonQuery]) -> Answer:
    with transaction() as session:
        merchant = keys.get_merchant(session, call.path["merchantId"], actor=call.actor)
        key_id, reason = call.path["keyId"], call.query.reason
        keys.revoke_key(session, merchant, key_id, actor=call.actor, reason=reason)
    identity.forget_cached()
    return Answer(204)
