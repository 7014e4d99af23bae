"""Copies of one's data: asked for and fetched from the account page, or by an admin for somebody else."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, guarded, render, user_forms, words
from dashboard.shapes import Act, Alert, Link
from dashboard.user_forms import Form, Wrong
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import people, person_exports
from web import access

routes = Blueprint("desk_data_exports", __name__)
_LABEL = "Copy your data"
_LAST = {
    "expired": "The last copy is kept no longer.",
    "dead": "The last copy could not be made. Ask again.",
}


def act_of(session: Session, user_id: str) -> Act:
    """Offer to ask for a copy, or to fetch the one that is there."""
    row, href = person_exports.newest(session, user_id), "/account/data-export"
    if row is not None and row.state == "waiting":
        return Act("export", _LABEL, href, enabled=False, reason="It is being made.", verb="Ask")
    if row is not None and row.state == "ready" and row.expires_at is not None:
        text = f"It is there until {words.absolute(row.expires_at)}."
        return Act("export", _LABEL, f"{href}/{row.id}.zip", text=text, verb="Fetch")
    said = "All that is held about you, as files." if row is None else _LAST[row.state]
    return Act("export", _LABEL, href, text=said, verb="Ask")


@routes.get("/account/data-export")
@access.session_only("a copy of one's own data")
def ask_own() -> Response:
    form = Form(
        title="Ask for a copy of your data",
        lead="All that is held about you, as a ZIP of JSON files with your invoices.",
        effects=["It is made within minutes", "You can fetch it from your account page for a week"],
        action="/account/data-export",
        label="Ask for the copy",
        back="/account",
        trail=[Link("Account", "/account")],
        asks_reason=False,
    )
    return guarded.detour() or user_forms.show(form)


@routes.post("/account/data-export")
@access.session_only("a copy of one's own data")
def own() -> Response:
    actor = render.actor()
    if (leads := guarded.detour("/account/data-export")) is not None:
        return leads
    try:
        with transaction() as session:
            person_exports.ask(
                session, actor.id, actor=actor, source=f"user:{actor.id}", reason=None
            )
    except AppError as refused:
        guarded.note(refused)
        render.tell(Alert("warn", "No copy was asked for", refused.message))
        return render.to("/account")
    render.tell(Alert("good", "Asked for. It can be fetched here within minutes"))
    return render.to("/account")


@routes.get("/account/data-export/<export_id>.zip")
@access.session_only("a copy of one's own data")
def fetch_own(export_id: str) -> Response:
    return _fetched(export_id, render.actor().id)


def _fetched(export_id: str, user_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        person_exports.assert_there(session, export_id, user_id)
    if (leads := guarded.detour()) is not None:
        return leads
    with transaction() as session:
        body = person_exports.fetch(
            session, export_id, user_id, actor=actor, source=f"user:{actor.id}"
        )
    answer = Response(body, content_type="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{user_id}.zip")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form(user_id: str) -> Form:
    with reading() as session:
        user = people.get_user(session, user_id)
        name = user.name or people.email_of(user)
        row = person_exports.newest(session, user_id)
    problem = None
    if row is not None and row.state == "ready":
        problem = Alert(
            "info",
            "A copy is ready",
            "It holds personal data; hand it to nobody but them.",
            f"/users/{user_id}/data-export/{row.id}.zip",
            "Fetch the copy",
        )
    elif row is not None and row.state == "waiting":
        problem = Alert("info", "A copy is being made", "It is there within minutes.")
    return Form(
        title="Copy this person's data",
        lead=f"{name}, {user.role}. For somebody who asks for it by another way than their account.",
        effects=[
            "The worker makes a ZIP of all that is held about them, sealed under their key",
            "It can be fetched here and from their account page for a week; each fetch is audited",
        ],
        action=f"/users/{user_id}/data-export",
        label="Make the copy",
        back=f"/users/{user_id}",
        trail=user_forms.trail(user, name),
        problem=problem,
    )


@routes.get("/users/<user_id>/data-export")
@access.page(Permission.USERS_APPROVE)
def ask_for(user_id: str) -> Response:
    form = _form(user_id)
    return guarded.detour() or user_forms.show(form)


@routes.post("/users/<user_id>/data-export")
@access.page(Permission.USERS_APPROVE)
def make_for(user_id: str) -> Response:
    reason, actor, here = confirming.reason(), render.actor(), f"/users/{user_id}/data-export"
    if (error := confirming.reason_error(reason)) is not None:
        return user_forms.show(_form(user_id), Wrong({"reason": error}))
    if (leads := guarded.detour(here)) is not None:
        return leads
    try:
        with transaction() as session:
            person_exports.ask(
                session, user_id, actor=actor, source=f"user:{actor.id}", reason=reason
            )
    except AppError as refused:
        return user_forms.show(_form(user_id), user_forms.refused(refused, "No copy is made"))
    return render.to(here)


@routes.get("/users/<user_id>/data-export/<export_id>.zip")
@access.page(Permission.USERS_APPROVE)
def fetch_for(user_id: str, export_id: str) -> Response:
    return _fetched(export_id, user_id)
