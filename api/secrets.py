"""The secrets cockpit: versions with their hits and verdicts, rotated, retired, revoked, restored, probed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint

from api.contract import (
    Answer,
    Call,
    NoBody,
    NoQuery,
    Session,
    endpoint,
    finish,
    run_once,
    start,
)
from api.secret_shapes import (
    ChartQuery,
    MadeVersionOut,
    ProbeOut,
    ReencryptionOut,
    RetireIn,
    RevokedOut,
    SecretDetailOut,
    SecretOut,
    SecretsOut,
    SecretsQuery,
    VersionActIn,
    VersionIn,
)
from core import clock
from core.errors import NotFound
from core.permissions import Permission
from domain.database import reading, transaction
from domain.secrets import (
    keyring,
    reencryption,
    rotation,
    secret_probes,
    secret_queries,
    secret_verdicts,
    secrets,
)
from domain.secrets.rotation import Retirement, Rotation
from domain.transitions import Why
from models.secrets import Secret
from web import identity, secret_probe

blueprint = Blueprint("secrets", __name__)


def _wire(session: Session, secret_id: str) -> dict[str, Any]:
    seen = secret_queries.get_secret(session, secret_id)
    return secret_queries.wire(seen, public_url=identity.settings().public_url)


@endpoint(
    blueprint,
    "GET",
    "/api/secrets",
    access=Permission.SECRETS_READ,
    query=SecretsQuery,
    answers={200: SecretsOut},
    summary="List secrets with their versions, uses and verdicts; never a value.",
    requirement="S47",
)
def index(call: Call[NoBody, SecretsQuery]) -> Answer:
    with reading() as session:
        found = secret_queries.list_secrets(
            session, kinds=call.query.kind, providers=call.query.provider
        )
    url = identity.settings().public_url
    items = [secret_queries.wire(seen, public_url=url) for seen in found]
    return Answer(200, {"items": items, "nextCursor": None})


@endpoint(
    blueprint,
    "GET",
    "/api/secrets/reencryption",
    access=Permission.SECRETS_READ,
    answers={200: ReencryptionOut},
    summary="Read how far sealing everything with the newest master key has come.",
    requirement="S180",
)
def sealing(call: Call[NoBody, NoQuery]) -> Answer:
    del call
    with reading() as session:
        row = reencryption.last(session)
    if row is None:
        idle = {"masterKeyId": keyring.vault().kid, "state": "idle"}
        return Answer(200, idle | {"done": 0, "total": 0, "rate": 0})
    body = {"masterKeyId": row.master_kid, "done": row.done, "total": row.total}
    return Answer(200, body | {"rate": reencryption.rate(row), "state": row.state})


@endpoint(
    blueprint,
    "GET",
    "/api/secrets/{secretId}",
    access=Permission.SECRETS_READ,
    query=ChartQuery,
    answers={200: SecretDetailOut},
    errors=["NOT_FOUND"],
    summary="Read one secret with the chart of its uses.",
    requirement="S47",
)
def show(call: Call[NoBody, ChartQuery]) -> Answer:
    with reading() as session:
        seen = secret_queries.get_secret(session, call.path["secretId"])
        hits = secret_queries.chart(session, seen, call.query.chart)
    body = secret_queries.wire(seen, public_url=identity.settings().public_url)
    return Answer(200, body | {"hits": secret_queries.wire_hits(hits)})


@endpoint(
    blueprint,
    "POST",
    "/api/secrets/{secretId}/versions",
    access=Permission.SECRETS_ROTATE,
    body=VersionIn,
    answers={201: MadeVersionOut},
    key="R",
    errors=["SECRET_WEAK", "STEP_UP_REQUIRED", "NOT_FOUND", "CONFLICT"],
    events=["secret.rotated"],
    summary="Rotate: a new version takes over, the old one goes on verifying for the overlap.",
    requirement="S9",
)
def rotate(call: Call[VersionIn, NoQuery]) -> Answer:
    call.assert_stepped_up()
    with start(call) as session:
        wanted = Rotation(value=call.body.value, overlap_hours=call.body.overlap_hours)
        made = rotation.rotate(session, call.path["secretId"], wanted, why=_why(call))
        said = {
            "secretId": made.secret.id,
            "version": made.version.version,
            "state": made.version.state,
            "value": None,
            "retireAt": clock.rfc3339(made.retire_at),
        }
        location = f"/api/secrets/{made.secret.id}"
        # What is stored for a replay holds no secret.
        finish(session, call, Answer(201, said, location=location))
    secrets.forget_cached()
    return Answer(201, said | {"value": made.value}, location=location)


def _why(call: Call[Any, Any]) -> Why:
    return Why(call.actor, call.source, call.body.reason)


def _number(call: Call[Any, Any]) -> int:
    """Read which version is meant.

    Raises: NotFound
    """
    text = call.path["version"]
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise NotFound
    return int(text)


def _act(
    call: Call[Any, Any], act: Callable[[Session, str, int], Secret], **more: dict[str, int]
) -> Answer:
    """Do one act on a version, once for its key, and answer the secret as it is then."""
    call.assert_stepped_up()
    number = _number(call)

    def work(session: Session) -> Answer:
        secret = act(session, call.path["secretId"], number)
        session.flush()
        return Answer(200, _wire(session, secret.id) | more)

    answer = run_once(call, work)
    secrets.forget_cached()
    return answer


@endpoint(
    blueprint,
    "POST",
    "/api/secrets/{secretId}/versions/{version}/retire",
    access=Permission.SECRETS_ROTATE,
    body=RetireIn,
    answers={200: SecretOut},
    key="O",
    errors=["NOT_SAFE_TO_RETIRE", "LAST_LIVE_VERSION", "STEP_UP_REQUIRED", "NOT_FOUND", "CONFLICT"],
    events=["secret.retired"],
    summary="Retire an old version: now if that is safe or forced, or at a time.",
    requirement="S47",
)
def retire(call: Call[RetireIn, NoQuery]) -> Answer:
    wanted = Retirement(at=call.body.at, force=call.body.force)

    def act(session: Session, secret_id: str, number: int) -> Secret:
        return rotation.retire(session, secret_id, number, wanted, why=_why(call))

    return _act(call, act)


@endpoint(
    blueprint,
    "POST",
    "/api/secrets/{secretId}/versions/{version}/revoke",
    access=Permission.SECRETS_ROTATE,
    body=VersionActIn,
    answers={200: RevokedOut},
    key="O",
    errors=["LAST_LIVE_VERSION", "STEP_UP_REQUIRED", "NOT_FOUND"],
    events=["secret.revoked"],
    summary="Revoke a leaked version; every process refuses it within five seconds, for good.",
    requirement="S9",
)
def revoke(call: Call[VersionActIn, NoQuery]) -> Answer:
    forecast: dict[str, int] = {}

    def act(session: Session, secret_id: str, number: int) -> Secret:
        costs = secret_verdicts.forecast(session, secret_id, number)
        forecast.update(inFlight=costs.in_flight, backfillable=costs.backfillable)
        return rotation.revoke(session, secret_id, number, why=_why(call))

    return _act(call, act, forecast=forecast)


@endpoint(
    blueprint,
    "POST",
    "/api/secrets/{secretId}/versions/{version}/restore",
    access=Permission.SECRETS_ROTATE,
    body=VersionActIn,
    answers={200: SecretOut},
    key="O",
    errors=["STEP_UP_REQUIRED", "NOT_FOUND", "CONFLICT"],
    events=["secret.restored"],
    summary="Take a rotation back: an old version is used again. Never a revoked one.",
    requirement="S47",
)
def restore(call: Call[VersionActIn, NoQuery]) -> Answer:
    def act(session: Session, secret_id: str, number: int) -> Secret:
        return rotation.restore(session, secret_id, number, why=_why(call))

    return _act(call, act)


@endpoint(
    blueprint,
    "POST",
    "/api/secrets/{secretId}/probe",
    access=Permission.SECRETS_PROBE,
    answers={200: ProbeOut},
    errors=["NOT_FOUND", "CONFLICT"],
    summary="Send a signed probe through the public URL to our own webhook door; it has no effect.",
    requirement="S57",
)
def probe(call: Call[NoBody, NoQuery]) -> Answer:
    with transaction() as session:
        prepared = secret_probes.prepare(session, call.path["secretId"], actor=call.actor)
    sent = secret_probe.send(prepared, public_url=identity.settings().public_url)
    with reading() as session:
        found = secret_probe.judge(sent, secret_probes.verified_by(session, prepared))
    body = {"ok": found.ok, "version": found.version, "statusCode": sent.status}
    return Answer(200, body | {"ms": sent.milliseconds})
