"""What the pages of guarded acts share: the detour to proving oneself, and the words for what waits."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from dashboard import render
from dashboard.shapes import Alert
from domain.people import step_up
from models.control import Approval

STEP_UP = "/account/step-up"


def detour(back: str | None = None) -> Response | None:
    """Send a person whose proof is stale to prove themselves, then back; None when they are fresh.

    back: the page that asked; else this very address, when it is one that can be loaded again.
    """
    if step_up.is_fresh(render.actor()):
        return None
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return render.to(f"{STEP_UP}?next={quote(back or here, safe='')}")


def waits(row: Approval) -> Alert:
    """Say that an act was asked for and waits for somebody else."""
    return Alert(
        "info",
        "Asked for; a second person must agree",
        f"{row.text}. It waits for a day.",
        f"/approvals/{row.id}",
        "Open the approval",
    )
