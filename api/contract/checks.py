"""The checks before a view, in the order of surface §1: form, limit, credentials, right, key, body."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Response, current_app, request

from api.contract import reading, retired
from api.contract.answers import Answer, replay
from api.contract.calls import Call, NoBody, NoQuery
from api.contract.registry import Endpoint, Open
from core.errors import AppError, Forbidden, InvalidInput, Unauthenticated
from core.permissions import SCOPES, Permission
from core.states import Kyc
from core.strictjson import Json
from domain import database, idempotency
from domain.idempotency import Claim
from web import identity, limits
from web.gate import FILE_FORM_BYTES, make_room
from web.identity import Principal
from web.requests import request_id

log = structlog.get_logger()


def _who() -> tuple[Principal | None, AppError | None]:
    try:
        return identity.principal(), None
    except (Unauthenticated, Forbidden) as error:
        return None, error


def _authenticated(found: Endpoint) -> Principal | None:
    """Count the call against its caller's limit, then say who calls.

    Whoever cannot be named is counted by address, so that guessing credentials is limited too.
    Raises: RateLimited, Unauthenticated, Forbidden
    """
    caller, refusal = _who()
    address = identity.address(request)
    limits.count(caller.actor.id if caller else None, address=address)
    if isinstance(found.who, Open):
        return caller
    if refusal is not None:
        raise refusal
    return identity.require()


def _assert_allowed(found: Endpoint, caller: Principal, permission: Permission) -> None:
    actor = caller.actor
    if not actor.may(permission):
        scope = SCOPES.get(permission)
        if actor.kind == "key" and scope is not None and scope not in actor.scopes:
            raise Forbidden(
                f"This key lacks the scope {scope}.", code="SCOPE_MISSING", details={"scope": scope}
            )
        raise Forbidden
    if found.money and actor.is_guarded_by_kyc and actor.kyc != Kyc.APPROVED:
        raise Forbidden(
            "Your identity is not verified yet, so you cannot move money.",
            code="KYC_REQUIRED",
            details={"kyc": actor.kyc.value},
        )


def _form() -> tuple[bytes, dict[str, Json] | InvalidInput]:
    """Read a form with its file; in the document the file stands by its hash, so that a repeat is one."""
    try:
        return reading.read_form(request)
    except InvalidInput as error:
        return b"", error


def _body() -> tuple[bytes, dict[str, Json] | InvalidInput]:
    """Read the body once; what is wrong with it is said only when its turn has come."""
    raw = request.get_data(cache=True)
    try:
        return raw, reading.parse(raw)
    except InvalidInput as error:
        return raw, error


def _key_of(found: Endpoint, document: dict[str, Json] | InvalidInput) -> str | None:
    """Choose the idempotency key: the header, else the body's `reference`.

    Raises: InvalidInput IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_INVALID
    """
    if found.key is None:
        return None
    name = request.headers.get("Idempotency-Key")
    if name is None and isinstance(document, dict):
        reference = document.get("reference")
        name = reference if isinstance(reference, str) and reference else None
    if name is None:
        if found.key == "O":
            return None
        raise InvalidInput(
            "Send an Idempotency-Key header, so that a repeated request has one effect.",
            code="IDEMPOTENCY_KEY_REQUIRED",
        )
    idempotency.assert_key(name)
    reading.refuse_card("Idempotency-Key", name)
    return name


def _claim(
    found: Endpoint, caller: Principal, raw: bytes, document: dict[str, Json] | InvalidInput
) -> Claim | None:
    key = _key_of(found, document)
    if key is None:
        return None
    query = sorted(
        (name, value)
        for name, value in request.args.items(multi=True)
        if found.style != "v1" or name not in retired.RETIRED
    )
    body = document if isinstance(document, dict) else raw
    return Claim(
        principal=caller.actor.id,
        key=key,
        route=found.name,
        request_hash=idempotency.request_hash(request.path, query, body=body),
    )


def _replayed(claim: Claim | None) -> Answer | None:
    if claim is None:
        return None
    with database.reading() as session:
        stored = claim.look(session)
    return replay(stored) if stored is not None else None


def _call(
    found: Endpoint, caller: Principal | None, document: dict[str, Json], path: dict[str, str]
) -> Call[Any, Any]:
    query = retired.left_out(found, reading.read_query(request))
    if found.takes_file:
        document = {name: value for name, value in document.items() if name != reading.FILE}
    if found.body is not None or document:
        reading.assert_storable(document)
    return Call(
        caller=caller,
        body=reading.validate(found.body or NoBody, document),
        query=reading.validate(found.query or NoQuery, query),
        path=path,
        request_id=request_id(),
        address=identity.address(request),
    )


def _sent(found: Endpoint) -> tuple[bytes, dict[str, Json] | InvalidInput]:
    """Read what was sent: its bytes, of a form those of its file, and the document."""
    if found.method == "GET":
        return b"", {}
    if not found.takes_file:
        return _body()
    # Only now, and only for this caller: nobody else makes us read a file.
    reading.assert_multipart(request)
    make_room()
    return _form()


def answer_early(found: Endpoint, path_values: dict[str, str]) -> Call[Any, Any] | Answer:
    """Check a call; gives it ready for the view, or the stored answer of its key.

    Raises: AppError, the first that the order of checks meets
    """
    reading.assert_form(request, limit=FILE_FORM_BYTES if found.takes_file else reading.BODY_BYTES)
    if found.method != "GET" and not found.takes_file:
        reading.assert_json(request)
    caller = _authenticated(found)
    if not isinstance(found.who, Open) and caller is not None:
        _assert_allowed(found, caller, found.who)
    raw, document = _sent(found)
    if isinstance(document, dict):
        document = retired.left_out(found, document)
    claim = _claim(found, caller, raw, document) if caller is not None else None
    if (answer := _replayed(claim)) is not None:
        return answer
    reading.assert_version(request)
    if isinstance(document, InvalidInput):
        raise document
    call = _call(found, caller, document, reading.read_path(path_values))
    call.claim = claim
    call.file = raw if found.takes_file else b""
    return call


def finished(response: Response) -> Response:
    """Add what every answer of the API says."""
    response.headers["Paydesk-Version"] = reading.VERSIONS[-1]
    return response


def assert_as_documented(found: Endpoint, answer: Answer) -> None:
    """In tests, hold the answer against the record that documents it.

    Raises: RuntimeError
    """
    is_refusal = answer.status >= 400
    if answer.is_replay or is_refusal or current_app.config["PAYDESK"].env != "test":
        return
    answers = found.answers or {}
    if answer.status not in answers:
        raise RuntimeError(f"{found.name} does not document an answer {answer.status}")
    record = answers[answer.status]
    if record is not None and isinstance(answer.body, dict):
        record.model_validate(answer.body)
