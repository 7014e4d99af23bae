"""Refusals in Stripe's wording and error body; raised by every resource, answered by `api`."""

from __future__ import annotations

from sandbox.common import wire

Obj = wire.Obj

INVALID = "invalid_request_error"
DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """One refused request; `keep` says that execution began, so its effects and answer stay."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        extra: Obj | None = None,
        headers: dict[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.keep = keep
        error: Obj = {"message": message, "type": kind}
        if code:
            error |= {"code": code, "doc_url": doc_url(code)}
        if param:
            error["param"] = param
        self.body: Obj = {"error": error | (extra or {})}


def doc_url(code: str) -> str:
    """Return the page that Stripe's answers link for an error code."""
    return DOCS + code.replace("_", "-")


def invalid(message: str, param: str | None = None, *, code: str | None = None) -> ApiError:
    """Return a 400 for a parameter that does not pass; nothing was executed."""
    return ApiError(400, INVALID, message, code=code, param=param)


def missing(param: str) -> ApiError:
    """Return a 400 for a required parameter that is absent."""
    return invalid(f"Missing required param: {param}.", param, code="parameter_missing")


def no_such(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """Return the refusal for an id that names nothing of this account."""
    message = f"No such {kind.replace('.', ' ')}: '{object_id}'"
    return ApiError(status, INVALID, message, code="resource_missing", param=param)


def wrong_state(message: str, code: str, *, kind: str, subject: Obj) -> ApiError:
    """Return a 400 for an act that the object's state forbids; the object rides along."""
    return ApiError(400, INVALID, message, code=code, extra={kind: subject}, keep=True)


def card_error(
    message: str, code: str, *, param: str | None = None, extra: Obj | None = None, keep: bool
) -> ApiError:
    """Return a 402 for a card that was refused."""
    return ApiError(402, "card_error", message, code=code, param=param, extra=extra, keep=keep)
