"""Erasing somebody, from their page: what stands in the way, what goes, what stays and until when; then it is done."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, guarded, render, user_forms
from dashboard.shapes import Alert, Fact
from dashboard.user_forms import Form, Wrong
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import erasure, erasure_outlook, people
from domain.people.erasure_outlook import Line
from models.people import User
from web import access, identity

routes = Blueprint("desk_erasing", __name__)


def _goes(line: Line) -> str:
    return line.name if line.count is None else f"{line.name}: {line.count:,}"


def _form(session: Session, user: User) -> Form:
    found = erasure_outlook.look(session, user)
    name = user.name or people.email_of(user)
    facts = [Fact("In the way", each.said, href=each.href) for each in found.blocks]
    for line in found.stays:
        said = "Kept" if line.count is None else f"{line.count:,} kept"
        facts.append(Fact(line.name, said, note=line.why))
    problem = None
    if found.blocks:
        problem = Alert("warn", "Something has to end first", found.blocks[0].said)
    return Form(
        title="Erase this person",
        lead=f"{name}, {user.role}. Nobody can undo this; {user.id} stays as an id without a name.",
        effects=[_goes(line) for line in found.goes],
        facts=facts,
        action=f"/users/{user.id}/erase",
        label="Erase for good",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        tone="danger",
        problem=problem,
    )


def _shown(user_id: str, wrong: Wrong | None = None) -> Response:
    with reading() as session:
        form = _form(session, people.get_user(session, user_id))
    return user_forms.show(form, wrong)


@routes.get("/users/<user_id>/erase")
@access.page(Permission.USERS_APPROVE)
def ask(user_id: str) -> Response:
    with reading() as session:
        people.get_user(session, user_id)
    return guarded.detour() or _shown(user_id)


@routes.post("/users/<user_id>/erase")
@access.page(Permission.USERS_APPROVE)
def erase(user_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return _shown(user_id, Wrong({"reason": error}))
    if (leads := guarded.detour(f"/users/{user_id}/erase")) is not None:
        return leads
    try:
        with transaction() as session:
            erasure.erase(session, user_id, actor=actor, source=f"user:{actor.id}", reason=reason)
    except AppError as refused:
        return _shown(user_id, user_forms.refused(refused, "Nobody was erased"))
    identity.forget_cached()
    render.tell(Alert("good", "The person is erased. What the law keeps is listed under retention"))
    return render.to(f"/users/{user_id}")
