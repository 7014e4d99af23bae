"""TrueLayer's door: token, signature, idempotency key, faults, one unit of work, answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.bank import jws
from sandbox.bank.asking import Asked, Begun, Door, Route
from sandbox.bank.truelayer import keys, problems, resources, tokens
from sandbox.bank.truelayer.problems import Problem, unauthenticated
from sandbox.bank.world import World, unit
from sandbox.common import answers, door
from sandbox.common.wire import Obj, Reply, Request

# Source: https://docs.truelayer.com/docs/idempotency, "keys are valid for 24 hours" (not verified).
KEPT_SECONDS = 24 * 3_600
MANNERS = door.Manners(
    failed=problems.body(500, "Internal Server Error", "Something went wrong on our side."),
    too_many=problems.body(429, "Rate Limit Exceeded", "Too many requests."),
)


def _route(line: str, op: str, act: Callable[..., resources.Answer]) -> Route:
    method, path = line.split()
    pattern = re.compile("/v3/" + path.replace("{id}", "([A-Za-z0-9_-]+)"))
    return Route(method, pattern, f"truelayer.{op}", act)


ROUTES = [
    _route("POST payments", "payments.create", resources.create_payment),
    _route("GET payments/{id}", "payments.retrieve", resources.read_payment),
    _route("POST payments/{id}/actions/cancel", "payments.cancel", resources.cancel_payment),
    _route("POST payments/{id}/refunds", "refunds.create", resources.create_refund),
    _route("GET payments/{id}/refunds", "refunds.list", resources.list_refunds),
    _route("GET payments/{id}/refunds/{id}", "refunds.retrieve", resources.read_refund),
    _route("GET merchant-accounts", "merchant_accounts.list", resources.list_merchant_accounts),
    _route("GET merchant-accounts/{id}", "merchant_accounts.retrieve",
           resources.read_merchant_account),
    _route("GET merchant-accounts/{id}/transactions", "transactions.list",
           resources.list_transactions),
    _route("POST payouts", "payouts.create", resources.create_payout),
    _route("GET payouts/{id}", "payouts.retrieve", resources.read_payout),
]  # fmt: skip


DOOR = Door(
    ROUTES, MANNERS, lambda: problems.not_found("The requested resource"), problems.conflict
)


def answer(world: World, request: Request) -> Reply:
    """Answer one request under `/v3`, with what the fault script has in store for it."""
    return DOOR.answer(world, request, _work)


def token(world: World, request: Request) -> Reply:
    """Answer `POST /connect/token`."""
    fault = world.faults.take_for_request("truelayer.token")
    early = door.before(fault, MANNERS)
    if early is not None:
        return early
    door.during(fault)
    return door.after(fault, door.kept(fault, tokens.grant(world, request), MANNERS))


def _work(world: World, request: Request, begun: Begun) -> Reply:
    readable = begun.ids[0] if begun.route.op == "truelayer.payments.retrieve" else None
    with unit(world) as call:
        tokens.assert_allowed(call, request, readable)
    if request.method != "POST":
        return Asked(world, begun, request.path, dict(request.asked()), MANNERS).execute()
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        raise Problem(400, "Invalid Parameters", "An Idempotency-Key header is required.")
    _assert_signed(world, request)
    return _with_key(Asked(world, begun, request.path, _json(request), MANNERS), key)


def _assert_signed(world: World, request: Request) -> None:
    """Check the `Tl-Signature` with the key that the client registered.

    Source: https://docs.truelayer.com/docs/sign-your-payments-requests: method, path,
    `Idempotency-Key` and body are signed.
    """
    given = request.headers.get("tl-signature")
    if given is None:
        raise unauthenticated("A Tl-Signature header must be provided.")
    try:
        header = jws.header_of(given)
        names = [name for name in str(header.get("tl_headers", "")).split(",") if name]
        if "idempotency-key" not in [name.lower() for name in names]:
            raise jws.BadSignature("the Idempotency-Key must be signed")
        with unit(world) as call:
            pem = keys.client_key(call, header.get("kid"))
        if pem is None:
            raise jws.BadSignature(f"no key is registered as {header.get('kid')}")
        signed = [(name, request.headers.get(name.lower(), "")) for name in names]
        content = jws.payload(request.method, request.path, signed, request.body)
        jws.verify(given, content, pem)
    except jws.BadSignature as bad:
        raise unauthenticated(f"Invalid request signature: {bad}.") from bad


def _json(request: Request) -> Obj:
    if not request.body:
        return {}
    try:
        found: Any = json.loads(request.body)
    except ValueError as error:
        raise Problem(400, "Invalid Parameters", "The request body is no JSON.") from error
    if not isinstance(found, dict):
        raise Problem(400, "Invalid Parameters", "The request body is no JSON object.")
    return found


def _with_key(asked: Asked, key: str) -> Reply:
    def again(kept: answers.Kept) -> Reply:
        if (kept.endpoint, kept.fingerprint) != (asked.path, answers.fingerprint(asked.sent)):
            detail = "The Idempotency-Key value has already been used for a different request."
            raise Problem(422, "Idempotency-Key Reuse", detail)
        asked.begun.note["replayed"] = True
        return Reply(kept.status, kept.body, {"Content-Type": "application/json"})

    try:
        return asked.execute_once(f"truelayer {key}", kept_seconds=KEPT_SECONDS, again=again)
    except answers.KeyInUse:
        detail = "Another request with this Idempotency-Key is being processed."
        raise Problem(409, "Idempotency-Key Concurrency Conflict", detail) from None
