"""What the pages of guarded acts share: the detour to proving oneself, refusals, the words for what waits."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from core.errors import AppError
from dashboard import render, words
from dashboard.shapes import Alert
from domain.people import step_up
from models.control import Approval
from web import errors

STEP_UP = "/account/step-up"


def detour(back: str | None = None) -> Response | None:
    """Send a person whose proof is stale to prove themselves, then back; None when they are fresh.

    back: the page that asked; else this very address, when it is one that can be loaded again.
    """
    if step_up.is_fresh(render.actor()):
        return None
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return render.to(f"{STEP_UP}?next={quote(back or here, safe='')}")


def note(refused: AppError) -> None:
    """Have a refusal in the audit log also where its form is shown again instead of an error page."""
    errors.note_refusal(refused)


def waits(row: Approval) -> Alert:
    """Say that an act was asked for and waits for somebody else."""
    return Alert(
        "info",
        "Asked for; a second person must agree",
        f"{words.sentence(row.text)} It waits for a day.",
        f"/approvals/{row.id}",
        "Open the approval",
    )
