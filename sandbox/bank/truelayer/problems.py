"""Refusals in TrueLayer's wording and error body."""

from __future__ import annotations

from uuid import uuid4

from sandbox.bank.asking import Refusal
from sandbox.common.wire import Obj

TYPES = "https://docs.truelayer.com/docs/error-types#"


class Problem(Refusal):
    """One refused request."""

    def __init__(
        self, status: int, title: str, detail: str, *, errors: dict[str, list[str]] | None = None
    ) -> None:
        super().__init__(
            status, body(status, title, detail) | ({"errors": errors} if errors else {})
        )


def body(status: int, title: str, detail: str) -> Obj:
    """Return TrueLayer's error object. Source: RFC 7807 with a `trace_id`."""
    slug = title.lower().replace(" ", "-")
    return {
        "type": TYPES + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "trace_id": uuid4().hex,
    }


def unauthenticated(detail: str) -> Problem:
    """Return a 401."""
    return Problem(401, "Unauthenticated", detail)


def not_found(what: str) -> Problem:
    """Return a 404."""
    return Problem(404, "Not Found", f"{what} could not be found.")


def invalid(field: str, why: str) -> Problem:
    """Return a 400 for a field that does not pass."""
    return Problem(400, "Invalid Parameters", "The request body was invalid.",
                   errors={field: [why]})  # fmt: skip


def conflict(detail: str) -> Problem:
    """Return a 409 for an act that the state forbids."""
    return Problem(409, "Invalid State", detail)
