"""Error pages in plain words: what happened, and what the reader can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import AppError
from dashboard.shapes import Link, Ref
from dashboard.words import ref

HOME = Link("Go home", "/")
SEARCH = Link("Search", "/search")


@dataclass(frozen=True)
class Problem:
    """What an error page shows."""

    status: int
    code: str
    title: str
    message: str
    request_id: str
    shape: str = "warn"
    what_to_do: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    provider: Ref | None = None


@dataclass(frozen=True)
class _Words:
    title: str
    shape: str
    what_to_do: list[str]
    links: list[Link]


_BY_STATUS: Mapping[int, _Words] = {
    400: _Words(
        "This address does not read right",
        "question",
        ["Check the filters in the address.", "Start again from the list."],
        [HOME],
    ),
    401: _Words(
        "Please sign in",
        "shield",
        ["Sign in, then open the page again."],
        [Link("Sign in", "/login")],
    ),
    403: _Words(
        "This is not yours to open",
        "shield",
        [
            "Ask an admin whether your role should allow it.",
            "If the page said that a form was out of date, load it again.",
        ],
        [HOME],
    ),
    404: _Words(
        "There is nothing here",
        "question",
        [
            "Check the address or the id you pasted.",
            "Search for the payment, order or provider reference.",
        ],
        [HOME, SEARCH],
    ),
    405: _Words(
        "This address is for a button", "question", ["Go back and press it there."], [HOME]
    ),
    409: _Words(
        "That does not fit any more",
        "retry",
        ["Load the page again; somebody or something was faster."],
        [HOME],
    ),
    410: _Words(
        "This is kept no longer", "expired", ["Backfill it from the provider instead."], [HOME]
    ),
    413: _Words("That is too much at once", "warn", ["Send less."], [HOME]),
    429: _Words("That was too often", "hold", ["Wait a minute, then try again."], [HOME]),
    503: _Words(
        "Something we need does not answer",
        "hold",
        [
            "Nothing was done. Try again in a moment.",
            "Events that arrive meanwhile are sent again by their providers.",
        ],
        [HOME, Link("System status", "/status")],
    ),
}
_OTHER = _Words(
    "Something went wrong on our side",
    "warn",
    ["Try again.", "If it happens again, give support the request id below."],
    [HOME],
)
_NOT_FOUND = "Either it never existed or it belongs to somebody else. Both look the same from here."


def problem(error: AppError, request_id: str) -> Problem:
    """Say in plain words what an error means for the person who reads it."""
    words = _BY_STATUS.get(error.http_status, _OTHER)
    reference = error.provider.reference if error.provider else None
    return Problem(
        status=error.http_status,
        code=error.code,
        title=words.title,
        message=_NOT_FOUND if error.http_status == 404 else error.message,
        request_id=request_id,
        shape=words.shape,
        what_to_do=words.what_to_do,
        links=words.links,
        provider=ref("provider reference", reference) if reference else None,
    )
