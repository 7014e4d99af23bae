"""What reaches oneself by mail: shown on the account page, chosen there."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request

from core.states import STAFF, Role
from dashboard import render
from dashboard.shapes import Alert, View
from domain.database import transaction
from domain.mail import mails, notices
from domain.mail.mails import Outlet
from domain.mail.notices import Kind
from models.people import User
from web import access

routes = Blueprint("desk_notifying", __name__)
WORDS: Mapping[Kind, tuple[str, str]] = {
    Kind.APPROVAL_NEEDED: ("An approval needs me", "Somebody asked for what I may agree to."),
    Kind.REQUEST_DECIDED: ("My request was decided", "Agreed to, refused, expired or cancelled."),
    Kind.CASE_ASSIGNED: ("A case is given to me", "By somebody else."),
    Kind.CASE_OVERDUE: ("A case of my team is overdue", "When its time runs out."),
    Kind.FREEZE_ENGAGED: ("A freeze is engaged", "Money out is held."),
    Kind.SECRET_OVERDUE: ("A secret is overdue", "It is older than it should be."),
    Kind.NEW_BROWSER: ("A sign-in from a new browser", "My own, which I should know of."),
}
_HOW: Mapping[Outlet, str] = {
    Outlet.SMTP: "At most one mail of a kind in ten minutes; what gathers meanwhile comes together.",
    Outlet.CONSOLE: "The sandbox sends no mail; the worker prints it.",
    Outlet.NONE: "This installation sends no mail: SMTP_URL is not set. Your choice is kept.",
}


def view_of(user: User) -> View | None:
    """Prepare the choices of a member of the staff; nobody else is told anything."""
    if user.role not in STAFF:
        return None
    offered = notices.offered(Role(user.role))
    return {
        "how": _HOW[mails.outlet()],
        "rows": [
            {
                "name": kind.value,
                "label": said,
                "text": text,
                "on": notices.wants(user, kind),
            }
            for kind, (said, text) in WORDS.items()
            if kind in offered
        ],
    }


@routes.post("/account/notices")
@access.session_only("one's own choices")
def choose() -> Response:
    names = set(request.form.getlist("kind"))
    with transaction() as session:
        wanted = [kind for kind in Kind if kind.value in names]
        notices.choose(session, render.actor().id, wanted)
    render.tell(Alert("good", "Your choice is kept"))
    return render.to("/account#notices")
