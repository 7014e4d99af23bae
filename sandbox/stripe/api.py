"""The API door: key, parameters, faults, idempotency, one unit of work, answer; knows no resource."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace

from sandbox.common import door
from sandbox.common.faults import Fault
from sandbox.common.wire import Reply, Request, json_reply
from sandbox.stripe import files, idempotency, lists, params, routes
from sandbox.stripe.errors import INVALID, ApiError, Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.routes import Route
from sandbox.stripe.wire import params_of
from sandbox.stripe.world import Call, World, unit

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version",
    "Access-Control-Expose-Headers": "Request-Id",
    "Access-Control-Max-Age": "300",
}
_FAILED = "An unknown error occurred. It has been reported; please contact support."
_TOO_MANY = "Request rate limit exceeded. You can learn more about rate limits here "
_TOO_MANY += "https://stripe.com/docs/rate-limits."
MANNERS = door.Manners(
    failed={"error": {"message": _FAILED, "type": "api_error"}},
    too_many={"error": {"message": _TOO_MANY, "type": INVALID, "code": "rate_limit"}},
    failed_headers=(("Stripe-Should-Retry", "false"),),
)


@dataclass(frozen=True)
class Asked:
    """One operation, ready to run."""

    call: Call
    route: Route
    ids: tuple[str, ...]
    path: str
    sent: Obj
    fault: Fault | None


def answer(world: World, request: Request) -> Reply:
    """Answer one API request, with what the fault script has in store for it."""
    if request.method == "OPTIONS":
        return Reply(204, headers=CORS)
    request_id = new_id("req", 14)
    note: Obj = {"id": request_id, "at": world.clock.now(), "method": request.method,
                 "path": request.path, "op": None, "status": None, "fault": None}  # fmt: skip
    world.requests.append(note)
    try:
        reply = _answer(world, request, request_id, note)
    except ApiError as error:
        reply = json_reply(error.status, error.body, error.headers)
    note["status"] = None if reply.dropped else reply.status
    note["replayed"] = "Idempotent-Replayed" in reply.headers
    return replace(reply, headers=_headers(world, request, request_id) | reply.headers)


def _answer(world: World, request: Request, request_id: str, note: Obj) -> Reply:
    found = routes.find(request.method, request.path)
    browser = _authenticate(request)
    if found is None:
        message = f"Unrecognized request URL ({request.method}: {request.path}). Please see "
        message += "https://stripe.com/docs or we can help at https://support.stripe.com/."
        raise ApiError(404, INVALID, message)
    route, ids = found
    if browser and not route.browser:
        message = "This API call cannot be made with a publishable API key. Please use a secret "
        message += "API key. You can find a list of your API keys at "
        message += "https://dashboard.stripe.com/account/apikeys."
        raise ApiError(401, INVALID, message, code="secret_key_required")
    _assert_own_account(world, request)
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    fault = world.faults.take_for_request(route.op)
    note |= {"op": route.op, "idempotency_key": key, "fault": fault.kind if fault else None}
    early = door.before(fault, MANNERS)
    if early is not None:
        return early
    sent = _sent(request)
    call = Call(world, request_id, key, browser)
    asked = Asked(call, route, ids, request.path, sent, fault)
    return door.after(fault, _execute(asked) if key is None else _with_key(asked, key))


def _sent(request: Request) -> Obj:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        return files.form_of(request.body, kind)
    return params_of(request)


def _with_key(asked: Asked, key: str) -> Reply:
    world = asked.call.world
    stored = idempotency.claim(world, key, asked.path, asked.sent)
    if stored is not None:
        return stored
    try:
        reply = _execute(asked)
    finally:
        idempotency.release(world, key)
    return replace(reply, headers=reply.headers | {"Idempotency-Key": key})


def _execute(asked: Asked) -> Reply:
    """Run the operation in one unit of work; its answer is stored with its effects."""
    fault, sent, who = asked.fault, asked.sent, asked.call
    door.during(fault)
    key, request_id = who.idempotency_key, who.request_id or ""
    with unit(who.world, request_id=request_id, key=key, browser=who.browser) as call:
        try:
            body = asked.route.answer(call, sent, asked.ids)
            reply = json_reply(200, lists.expand(call, body, params.texts(sent, "expand")))
        except ApiError as error:
            if not error.keep:
                raise
            reply = json_reply(error.status, error.body, error.headers)
        reply = door.kept(fault, reply, MANNERS)
        if key is not None:
            idempotency.keep(call, asked.path, sent, reply)
    return reply


def _authenticate(request: Request) -> bool:
    """Return whether the caller is a browser. Raises: ApiError 401."""
    key = _key(request)
    if key is None:
        message = "You did not provide an API key. You need to provide your API key in the "
        message += "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
        message += "YOUR_SECRET_KEY')."
        raise ApiError(401, INVALID, message, headers={"WWW-Authenticate": 'Basic realm="Stripe"'})
    if key.startswith("pk_test_"):
        return True
    if not key.startswith(("sk_test_", "rk_test_")):
        shown = f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}" if len(key) > 12 else "****"
        raise ApiError(401, INVALID, f"Invalid API Key provided: {shown}")
    return False


def _key(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            name = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            name = ""
        if name:
            return name
    # stripe.js sends the publishable key as a field, which spares the browser a preflight.
    return params.text(params_of(request), "key")


def _assert_own_account(world: World, request: Request) -> None:
    named = request.headers.get("stripe-account")
    if named not in (None, world.account):
        message = f"The provided key does not have access to account '{named}' (or that account "
        message += "does not exist). Application access may have been revoked."
        raise ApiError(403, INVALID, message, code="account_invalid")


def _headers(world: World, request: Request, request_id: str) -> dict[str, str]:
    version = request.headers.get("stripe-version") or world.settings.api_version
    headers = {"Request-Id": request_id, "Stripe-Version": version, "Cache-Control": "no-store"}
    return headers | (CORS if "origin" in request.headers else {})
