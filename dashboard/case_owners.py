"""Taking a case up with one press, giving it to somebody, letting it go."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import AppError, InvalidInput
from core.permissions import Permission
from dashboard import case_page, case_words, exceptions, render
from dashboard.case_page import Shown
from dashboard.shapes import Alert, Input, Option, View
from domain.cases import case_acts
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import people
from web import access

routes = Blueprint("desk_exception_owners", __name__)


def _form(
    session: Session, shown: Shown, *, error: str | None = None, problem: Alert | None = None
) -> View:
    chosen = request.form.get("user", shown.row.owner_id or "")
    options = [Option("", "Nobody: whoever has time", not chosen)]
    for user in case_acts.owners(session):
        name = user.name or people.email_of(user)
        is_me = " (you)" if user.id == shown.actor.id else ""
        label = f"{name}{is_me}, {user.role}"
        options.append(Option(user.id, label, user.id == chosen))
    choice = Input("user", "Give it to", "select", options=options, error=error)
    return {
        "trail": exceptions.crumb(shown.row),
        "problem": problem,
        "act": {
            "title": "Give this case to somebody",
            "lead": shown.row.sentence,
            "effects": [
                "Who has it sees it under “Mine”; everybody else sees whose it is",
                f"It stays with the team {case_words.TEAMS.get(shown.row.team, shown.row.team)}",
            ],
            "facts": [],
            "action": f"{shown.href}/assign",
            "inputs": [choice],
            "label": "Give",
            "back": shown.href,
        },
    }


@routes.get("/exceptions/<case_id>/assign")
@access.page(Permission.EXCEPTIONS_ASSIGN)
def ask(case_id: str) -> Response:
    with reading() as session:
        shown = case_page.find(session, case_id, actor=render.actor())
        view = _form(session, shown)
    if shown.row.state == "resolved":
        render.tell(Alert("warn", "This case is settled already"))
        return render.to(shown.href)
    return render.page("acts/confirm.html", view, live=False)


@routes.post("/exceptions/<case_id>/assign")
@access.page(Permission.EXCEPTIONS_ASSIGN)
def assign(case_id: str) -> Response:
    actor, user_id = render.actor(), render.typed("user") or None
    back = render.local(render.typed("back"))
    try:
        with transaction() as session:
            source = f"user:{actor.id}"
            case_acts.assign(session, case_id, user_id, actor=actor, source=source)
    except InvalidInput as error:
        return _again(case_id, error=error.message)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "Nothing was changed", refused.message)
        if render.wants_fragment():
            render.tell(problem)
            return render.to(back or f"/exceptions/{case_id}")
        return _again(case_id, problem=problem)
    asked = exceptions.asked_in(back) if back else None
    if render.wants_fragment() and asked is not None:
        return exceptions.live_rows(asked)
    return render.to(back or f"/exceptions/{case_id}")


def _again(case_id: str, *, error: str | None = None, problem: Alert | None = None) -> Response:
    with reading() as session:
        shown = case_page.find(session, case_id, actor=render.actor())
        view = _form(session, shown, error=error, problem=problem)
    return render.page("acts/confirm.html", view, status=422, live=False)
