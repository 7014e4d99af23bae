"""Beginning the sandbox anew: what will happen, then a page that waits until the desk is there again."""

from __future__ import annotations

from flask import Blueprint, Response

from config import Settings
from core.errors import NotFound
from core.permissions import Permission
from dashboard import chrome, confirming, render
from dashboard.confirming import Question
from dashboard.shapes import Act, Alert, Link
from domain import renewal
from web import access

routes = Blueprint("desk_renewing", __name__)
_NOTE = "in the sandbox with its stand-in only"
_TITLE = "Reset demo data"
_BY_HAND = (
    "These processes were started by hand. `make run` starts them so that they can begin anew."
)


def _is_made_up(found: Settings) -> bool:
    """Whether all money here is the stand-in's; with the operator's own keys it may be somebody's."""
    return found.is_sandbox and chrome.has_stand_ins()


def act() -> Act | None:
    """Offer it to an admin of a sandbox, with why not when nobody could do it."""
    found = render.settings()
    if not _is_made_up(found) or not render.actor().may(Permission.SANDBOX_RESET):
        return None
    can = renewal.is_supervised(found.instance)
    text = "Empties this sandbox and makes its people anew."
    return Act(
        id="renew",
        label=_TITLE,
        href="/sandbox/reset",
        enabled=can,
        reason=None if can else _BY_HAND,
        text=text,
        verb="Reset",
        icon="refresh",
    )


def _question() -> Question:
    return Question(
        title=_TITLE,
        lead="The sandbox begins anew. It cannot be undone.",
        effects=(
            "Every payment, order, event, entry and note here is deleted, with the stand-in's own.",
            "Everybody is signed out; people, passwords and the addresses of pages stay the same.",
            "API keys and tokens stop working.",
            "It takes some seconds, in which nothing answers.",
        ),
        action="/sandbox/reset",
        label=_TITLE,
        tone="danger",
        back="/account",
        trail=[Link("Account", "/account")],
        asks_reason=False,
    )


def _assert_possible() -> None:
    """Raises: NotFound where money may be real, or nobody is there to do it"""
    found = render.settings()
    if not _is_made_up(found) or not renewal.is_supervised(found.instance):
        raise NotFound


@routes.get("/sandbox/reset")
@access.page(Permission.SANDBOX_RESET, note=_NOTE)
def ask() -> Response:
    _assert_possible()
    return confirming.show(_question())


@routes.post("/sandbox/reset")
@access.page(Permission.SANDBOX_RESET, note=_NOTE)
def begin() -> Response:
    _assert_possible()
    try:
        renewal.ask(render.settings().instance)
    except OSError:
        problem = Alert("bad", "The sandbox was not reset", "Its folder cannot be written to.")
        return confirming.show(_question(), problem=problem)
    return render.plain("session/renewing.html", {})
