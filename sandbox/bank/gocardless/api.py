"""GoCardless' door: token, version, idempotency key, faults, one unit of work, answer."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.bank.asking import Asked, Begun, Door, Route
from sandbox.bank.gocardless import errors, resources
from sandbox.bank.gocardless.errors import Refused, misused
from sandbox.bank.world import Call, World
from sandbox.common import answers, door
from sandbox.common.wire import Obj, Reply, Request

# Source: GoCardless' API reference, "Idempotency keys": kept for thirty days.
KEPT_SECONDS = 30 * 86_400
VERSION = "2015-07-06"
MANNERS = door.Manners(
    failed=errors.body(500, "gocardless", "Internal server error",
                       {"reason": "internal_server_error", "message": "Internal server error"}),
    too_many=errors.body(429, "invalid_api_usage", "Rate limit exceeded",
                         {"reason": "rate_limit_exceeded", "message": "Rate limit exceeded"}),
)  # fmt: skip


def _route(line: str, op: str, act: Callable[..., Obj], makes: str | None = None) -> Route:
    method, path = line.split()
    pattern = re.compile("/" + path.replace("{id}", "([A-Za-z0-9]+)"))

    def answered(call: Call, sent: Obj, *ids: str) -> tuple[int, Obj]:
        return 201 if makes else 200, act(call, sent, *ids)

    return Route(method, pattern, f"gocardless.{op}", answered, makes)


_BR, _FLOWS = "billing_requests", "billing_request_flows"
ROUTES = [
    _route("POST billing_requests", f"{_BR}.create", resources.create_request, _BR),
    _route("GET billing_requests", f"{_BR}.list", resources.list_requests),
    _route("GET billing_requests/{id}", f"{_BR}.get", resources.read_request),
    _route("POST billing_requests/{id}/actions/cancel", f"{_BR}.cancel", resources.cancel_request),
    _route("POST billing_request_flows", f"{_FLOWS}.create", resources.create_flow, _FLOWS),
    _route("GET payments", "payments.list", resources.list_payments),
    _route("GET payments/{id}", "payments.get", resources.read_payment),
    _route("POST refunds", "refunds.create", resources.create_refund, "refunds"),
    _route("GET refunds", "refunds.list", resources.list_refunds),
    _route("GET refunds/{id}", "refunds.get", resources.read_refund),
    _route("GET payouts", "payouts.list", resources.list_payouts),
    _route("GET payouts/{id}", "payouts.get", resources.read_payout),
    _route("GET payout_items", "payout_items.list", resources.list_payout_items),
    _route("GET events", "events.list", resources.list_events),
    _route("GET events/{id}", "events.get", resources.read_event),
    _route("GET webhooks", "webhooks.list", resources.list_webhooks),
    _route("GET webhooks/{id}", "webhooks.get", resources.read_webhook),
    _route("POST webhooks/{id}/actions/retry", "webhooks.retry", resources.retry_webhook),
]
ROOTS = tuple({"/" + route.pattern.pattern.split("/")[1] for route in ROUTES})


def is_for(request: Request) -> bool:
    """Return whether a request is meant for this API, rather than a browser's for a page."""
    rooted = any(request.path == root or request.path.startswith(f"{root}/") for root in ROOTS)
    spoken = "authorization" in request.headers or "gocardless-version" in request.headers
    return rooted and (spoken or request.path.split("/")[1] != "payments")


DOOR = Door(ROUTES, MANNERS, errors.not_found, lambda why: errors.wrong_state("invalid_state", why))
_LIMITS = {"RateLimit-Limit": "1000", "RateLimit-Remaining": "999",
           "RateLimit-Reset": "Thu, 01 Jan 2099 00:00:00 GMT"}  # fmt: skip


def answer(world: World, request: Request) -> Reply:
    """Answer one request, with what the fault script has in store for it."""
    reply = DOOR.answer(world, request, _work)
    return replace(reply, headers=_LIMITS | reply.headers)


def _work(world: World, request: Request, begun: Begun) -> Reply:
    _assert_allowed(world, request)
    asked = Asked(world, begun, request.path, _sent(request, begun.route), MANNERS)
    key = request.headers.get("idempotency-key") if begun.route.makes else None
    return asked.execute() if key is None else _with_key(asked, key)


def _with_key(asked: Asked, key: str) -> Reply:
    def again(kept: answers.Kept) -> Reply:
        raise errors.used_key(json.loads(kept.body)[asked.begun.route.makes]["id"])

    try:
        name = f"{asked.begun.route.op} {key}"
        return asked.execute_once(name, kept_seconds=KEPT_SECONDS, again=again)
    except answers.KeyInUse:
        message = "A request with this idempotency key is being processed"
        error = {"reason": "idempotent_creation_in_progress", "message": message}
        raise Refused(409, "invalid_state", message, error) from None


def _assert_allowed(world: World, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise misused(401, "missing_authorization_header", "No authorization header")
    if not hmac.compare_digest(token.encode(), world.settings.access_token.encode()):
        raise misused(401, "access_token_not_found", "The access token was not found")
    if request.headers.get("gocardless-version") != VERSION:
        raise misused(400, "version_not_found", f"GoCardless-Version must be {VERSION}")


def _sent(request: Request, route: Route) -> Obj:
    """Return the query of a GET, or the content of a POST's envelope."""
    if request.method == "GET":
        return dict(request.asked())
    try:
        found: Any = json.loads(request.body) if request.body else {}
    except ValueError as error:
        raise misused(400, "invalid_json", "The request body is no JSON") from error
    envelope = route.makes or "data"
    content = found.get(envelope) if isinstance(found, dict) else None
    if route.makes and not isinstance(content, dict):
        raise misused(400, "missing_envelope", f"The body must be wrapped in {envelope}")
    return content if isinstance(content, dict) else {}
