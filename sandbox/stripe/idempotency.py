"""Idempotency keys as Stripe keeps them: replay, mismatch, in progress; executes nothing."""

from __future__ import annotations

import hashlib
import json

from sandbox.stripe.errors import INVALID, ApiError, Obj
from sandbox.stripe.wire import Reply
from sandbox.stripe.world import Call, World

KEPT_SECONDS = 24 * 3_600
MAX_KEY = 255


def fingerprint(sent: Obj) -> str:
    """Return a digest of the parameters, whatever their order."""
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def claim(world: World, key: str, endpoint: str, sent: Obj) -> Reply | None:
    """Take the key for this request, or return the stored answer.

    Raises: ApiError 400 idempotency_error for other parameters or another endpoint, 409
    idempotency_key_in_use while the first request still runs.
    Source: https://docs.stripe.com/api/idempotent_requests; kept for 24 hours.
    """
    if len(key) > MAX_KEY:
        message = f"Idempotency-Key may have at most {MAX_KEY} characters."
        raise ApiError(400, "idempotency_error", message)
    with world.store.locked() as db:
        if key in world.running_keys:
            raise _in_use(key)
        db.execute("DELETE FROM answers WHERE at < ?", (world.clock.now() - KEPT_SECONDS,))
        row = db.execute(
            "SELECT endpoint, fingerprint, status, body, request FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            world.running_keys.add(key)
            return None
    if row[0] != endpoint:
        raise _mismatch(key, f"for the same endpoint they were first used for ('{row[0]}')")
    if row[1] != fingerprint(sent):
        raise _mismatch(key, "with the same parameters they were first used with")
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "Idempotent-Replayed": "true",
        "Original-Request": row[4],
    }
    # The SDK is told not to hope: the same key can only bring the same 500 again.
    retry = {"Stripe-Should-Retry": "false"} if row[2] >= 500 else {}
    return Reply(row[2], bytes(row[3]), headers | retry)


def keep(call: Call, endpoint: str, sent: Obj, reply: Reply) -> None:
    """Store the answer of an executed request. Transaction: caller's, with the effect itself."""
    row = (call.idempotency_key, endpoint, fingerprint(sent), reply.status, reply.body)
    with call.store.locked() as db:
        db.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*row, call.request_id, call.world.clock.now()),
        )


def release(world: World, key: str) -> None:
    """Say that the request with this key no longer runs."""
    with world.store.locked():
        world.running_keys.discard(key)


def _in_use(key: str) -> ApiError:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}. "
        "Please try again later."
    )
    return ApiError(409, INVALID, message, code="idempotency_key_in_use")


def _mismatch(key: str, rule: str) -> ApiError:
    message = (
        f"Keys for idempotent requests can only be used {rule}. Try using a key other than "
        f"'{key}' if you meant to execute a different request."
    )
    return ApiError(400, "idempotency_error", message)
