"""Access tokens of clients and resource tokens of payments."""

from __future__ import annotations

import hmac
import json
from typing import Any

from sandbox.bank.truelayer.problems import unauthenticated
from sandbox.bank.world import Call, World, unit
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj, Reply, Request, json_reply

KIND = "token"
LASTS_SECONDS = 3_600
RESOURCE_SECONDS = 900


def grant(world: World, request: Request) -> Reply:
    """Answer `POST /connect/token`, as a form or as JSON.

    Source: RFC 6749 §4.4 and §5.2.
    """
    sent = _sent(request)
    own = world.settings
    if not (
        _same(sent.get("client_id"), own.client_id)
        and _same(sent.get("client_secret"), own.client_secret)
    ):
        return json_reply(400, {"error": "invalid_client"})
    if sent.get("grant_type") != "client_credentials":
        return json_reply(400, {"error": "unsupported_grant_type"})
    scope = str(sent.get("scope", ""))
    if "payments" not in scope.split():
        return json_reply(400, {"error": "invalid_scope"})
    with unit(world) as call:
        token = issue(call, scope, LASTS_SECONDS)
    return json_reply(200, {"access_token": token, "expires_in": LASTS_SECONDS, "scope": scope,
                            "token_type": "Bearer"})  # fmt: skip


def issue(call: Call, scope: str, seconds: int) -> str:
    """Return a fresh token. Writes: the token."""
    token = f"eyJ{random_text(60)}"
    call.store.put(KIND, {"id": token, "scope": scope, "until": call.now + seconds})
    return token


def assert_allowed(call: Call, request: Request, payment_id: str | None = None) -> None:
    """Refuse a request without a live token; a resource token is good for its payment alone."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("A Bearer token must be provided in the Authorization header.")
    found = call.store.find(KIND, token)
    if found is None or found["until"] <= call.now:
        raise unauthenticated("The Bearer token is invalid or has expired.")
    if "payments" not in found["scope"].split() and found["scope"] != f"payment:{payment_id}":
        raise unauthenticated("The Bearer token does not allow this.")


def _sent(request: Request) -> Obj:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(request.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return dict(request.form())


def _same(given: Any, own: str) -> bool:
    return (
        bool(own) and isinstance(given, str) and hmac.compare_digest(given.encode(), own.encode())
    )
