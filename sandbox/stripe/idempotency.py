"""Idempotency keys as Stripe keeps them: replay, mismatch, in progress; executes nothing."""

from __future__ import annotations

from sandbox.common import answers
from sandbox.common.wire import Reply
from sandbox.stripe.errors import INVALID, ApiError, Obj
from sandbox.stripe.world import Call, World

KEPT_SECONDS = 24 * 3_600
MAX_KEY = 255


def claim(world: World, key: str, endpoint: str, sent: Obj) -> Reply | None:
    """Take the key for this request, or return the stored answer.

    Raises: ApiError 400 idempotency_error for other parameters or another endpoint, 409
    idempotency_key_in_use while the first request still runs.
    Source: https://docs.stripe.com/api/idempotent_requests; kept for 24 hours.
    """
    if len(key) > MAX_KEY:
        message = f"Idempotency-Key may have at most {MAX_KEY} characters."
        raise ApiError(400, "idempotency_error", message)
    try:
        kept = answers.claim(world, key, kept_seconds=KEPT_SECONDS)
    except answers.KeyInUse:
        raise _in_use(key) from None
    if kept is None:
        return None
    if kept.endpoint != endpoint:
        rule = f"for the same endpoint they were first used for ('{kept.endpoint}')"
        raise _mismatch(key, rule)
    if kept.fingerprint != answers.fingerprint(sent):
        raise _mismatch(key, "with the same parameters they were first used with")
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "Idempotent-Replayed": "true",
        "Original-Request": kept.request,
    }
    # The SDK is told not to hope: the same key can only bring the same 500 again.
    retry = {"Stripe-Should-Retry": "false"} if kept.status >= 500 else {}
    return Reply(kept.status, kept.body, headers | retry)


def keep(call: Call, endpoint: str, sent: Obj, reply: Reply) -> None:
    """Store the answer of an executed request. Transaction: caller's, with the effect itself."""
    kept = answers.kept_of(endpoint, sent, reply, call.request_id or "")
    answers.keep(call, call.idempotency_key or "", kept)


release = answers.release


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
