"""Refusals in GoCardless' wording and error body."""

from __future__ import annotations

from uuid import uuid4

from sandbox.bank.asking import Refusal
from sandbox.common.wire import Obj

DOCS = "https://developer.gocardless.com/api-reference"


class Refused(Refusal):
    """One refused request."""

    def __init__(self, status: int, kind: str, message: str, *errors: Obj) -> None:
        super().__init__(status, body(status, kind, message, *errors))


def body(status: int, kind: str, message: str, *errors: Obj) -> Obj:
    """Return GoCardless' error object. Source: its API reference, "Errors"."""
    anchor = errors[0]["reason"] if errors and "reason" in errors[0] else kind
    return {
        "error": {
            "message": message,
            "errors": list(errors),
            "documentation_url": f"{DOCS}#{anchor}",
            "type": kind,
            "request_id": str(uuid4()),
            "code": status,
        }
    }


def misused(status: int, reason: str, message: str) -> Refused:
    """Return a refusal of how the API was used."""
    return Refused(status, "invalid_api_usage", message, {"reason": reason, "message": message})


def not_found() -> Refused:
    """Return a 404."""
    return misused(404, "resource_not_found", "Resource not found")


def invalid(field: str, message: str, *, under: str) -> Refused:
    """Return a 422 for a field that does not pass."""
    error = {"field": field, "message": message, "request_pointer": f"/{under}/{field}"}
    return Refused(422, "validation_failed", "Validation failed", error)


def wrong_state(reason: str, message: str, **links: str) -> Refused:
    """Return a 422 for an act that the state forbids."""
    error: Obj = {"reason": reason, "message": message}
    return Refused(422, "invalid_state", message, error | ({"links": links} if links else {}))


def used_key(resource: str) -> Refused:
    """Return the 409 for an idempotency key that has made something already."""
    message = "A resource has already been created with this idempotency key"
    error = {
        "reason": "idempotent_creation_conflict",
        "message": message,
        "links": {"conflicting_resource_id": resource},
    }
    return Refused(409, "invalid_state", message, error)
