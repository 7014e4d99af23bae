"""Bringing people in and letting them in again: invitations, reset links, lost second factors, sessions."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from core.states import STAFF, Role
from dashboard import confirming, guarded, people_words, render, user_forms, words
from dashboard.shapes import Alert, Link, View
from dashboard.user_forms import Form, Wrong
from domain.control.acts.role_change import Invitation
from domain.database import reading, transaction
from domain.mail import mails
from domain.mail.mails import Outlet
from domain.people import people, people_queries, rights, second_factor
from models.people import User
from web import access, identity

routes = Blueprint("desk_user_links", __name__)


def source() -> str:
    """Name the signed-in admin as the source of what follows."""
    return f"user:{render.actor().id}"


def _is_shown(user_role: str) -> bool:
    """Tell whether a link is shown to the admin who made it: only where nothing is mailed.

    In production whoever holds a link of the staff is that person; there the operator prints it.
    """
    is_open = not (render.settings().is_production and user_role in STAFF)
    return mails.outlet() != Outlet.SMTP and is_open


def _how(user_role: str) -> str:
    """Say how a link reaches its person."""
    if mails.outlet() == Outlet.SMTP:
        return "It is sent by mail."
    if mails.outlet() == Outlet.CONSOLE:
        return "The sandbox sends no mail: the link is shown here once, and printed by the worker."
    if _is_shown(user_role):
        return "SMTP_URL is not set, so nothing is sent: the link is shown here, once."
    return "SMTP_URL is not set: have the operator print it with `flask user link`."


def _shown(user: User, name: str, url: str) -> Response:
    """Show a link once. No redirect and no notice in a cookie: it is in this answer and nowhere else."""
    view: View = {
        "trail": user_forms.trail(user, name),
        "name": name,
        "ref": words.ref("link", url, text=url),
        "life": "three days" if user.password_hash is None else "half an hour",
        "back": f"/users/{user.id}",
    }
    return render.page("users/link.html", view, live=False)


def _link_form(user: User, name: str) -> Form:
    is_invited = user.password_hash is None
    title = "Send the invitation again" if is_invited else "Send a reset link"
    life = "three days" if is_invited else "half an hour"
    return Form(
        title=title,
        lead=f"To {name}, {user.role}.",
        effects=[
            f"A link that works once, for {life}; older ones end",
            _how(user.role),
            "Whoever sets a password with it is signed out everywhere and then signs in as always",
        ],
        action=f"/users/{user.id}/link",
        label="Make the link",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
    )


def _find(user_id: str) -> tuple[User, str]:
    with reading() as session:
        user = people.get_user(session, user_id)
        return user, user.name or people.email_of(user)


@routes.get("/users/<user_id>/link")
@access.page(Permission.USERS_APPROVE)
def ask_link(user_id: str) -> Response:
    return guarded.detour() or user_forms.show(_link_form(*_find(user_id)))


@routes.post("/users/<user_id>/link")
@access.page(Permission.USERS_APPROVE)
def link(user_id: str) -> Response:
    user, name = _find(user_id)
    reason = confirming.reason()
    if (error := confirming.reason_error(reason)) is not None:
        return user_forms.show(_link_form(user, name), Wrong({"reason": error}))
    if (leads := guarded.detour(f"/users/{user_id}/link")) is not None:
        return leads
    try:
        with transaction() as session:
            url = rights.send_link(
                session, user_id, actor=render.actor(), source=source(), reason=reason
            )
    except AppError as refused:
        wrong = user_forms.refused(refused, "No link was made")
        return user_forms.show(_link_form(user, name), wrong)
    if _is_shown(user.role):
        return _shown(user, name, url)
    render.tell(Alert("good", "The link was made", _how(user.role)))
    return render.to(f"/users/{user_id}")


def _invite_form(errors: dict[str, str]) -> Form:
    with reading() as session:
        merchants = people_queries.merchants(session)
    typed = render.typed
    return Form(
        title="Invite somebody",
        lead="They get a link with which they choose a password; it works once, for three days.",
        effects=[
            _how(""),
            "Admin and finance come in when a second admin has agreed",
            "At their first guarded act they are asked to set up a second factor",
        ],
        action="/users/invite",
        label="Invite",
        back="/users",
        trail=[Link("Users", "/users")],
        inputs=[
            user_forms.email_input(typed("email"), errors.get("email")),
            user_forms.name_input(typed("name"), errors.get("name")),
            user_forms.role_input(typed("role"), errors.get("role")),
            user_forms.merchant_input(merchants, typed("merchant"), errors.get("merchant")),
        ],
    )


def _again(wrong: Wrong) -> Response:
    return user_forms.show(_invite_form(dict(wrong.errors)), wrong)


@routes.get("/users/invite")
@access.page(Permission.USERS_APPROVE)
def ask_invite() -> Response:
    return guarded.detour() or user_forms.show(_invite_form({}))


@routes.post("/users/invite")
@access.page(Permission.USERS_APPROVE)
def invite() -> Response:
    reason, role = confirming.reason(), render.typed("role")
    errors = {}
    if role not in people_words.ROLE_CHOICES:
        errors["role"] = "Choose a role."
    if (error := confirming.reason_error(reason)) is not None:
        errors["reason"] = error
    if errors:
        return _again(Wrong(errors))
    if (leads := guarded.detour("/users/invite")) is not None:
        return leads
    wanted = Invitation(
        render.typed("email"), Role(role), render.typed("name"), render.typed("merchant") or None
    )
    try:
        return _invited(wanted, reason)
    except AppError as refused:
        return _again(user_forms.refused(refused, "Nobody was invited"))


def _invited(wanted: Invitation, reason: str) -> Response:
    with transaction() as session:
        done = rights.invite(session, wanted, actor=render.actor(), source=source(), reason=reason)
    if done.approval is not None:
        render.tell(guarded.waits(done.approval))
        return render.to("/users")
    assert done.user is not None
    if done.url is not None and _is_shown(done.user.role):
        return _shown(done.user, done.user.name or wanted.email, done.url)
    render.tell(Alert("good", "The invitation was made", _how(done.user.role)))
    return render.to(f"/users/{done.user.id}")


def _factor_form(user: User, name: str) -> Form:
    return Form(
        title="Reset the second factor",
        lead=f"{name} lost theirs. Make sure that it is really them who asks.",
        effects=[
            "Their code app and their passkeys are taken away",
            "They are signed out everywhere",
            "With the password alone they can sign in until they set up a new one",
        ],
        action=f"/users/{user.id}/second-factor",
        label="Reset second factor",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        tone="danger",
    )


@routes.get("/users/<user_id>/second-factor")
@access.page(Permission.USERS_APPROVE)
def ask_factor(user_id: str) -> Response:
    return guarded.detour() or user_forms.show(_factor_form(*_find(user_id)))


@routes.post("/users/<user_id>/second-factor")
@access.page(Permission.USERS_APPROVE)
def factor(user_id: str) -> Response:
    user, name = _find(user_id)
    reason, back = confirming.reason(), f"/users/{user_id}"
    if (error := confirming.reason_error(reason)) is not None:
        return user_forms.show(_factor_form(user, name), Wrong({"reason": error}))
    if (leads := guarded.detour(back)) is not None:
        return leads
    try:
        with transaction() as session:
            second_factor.reset(session, user_id, actor=render.actor(), reason=reason)
    except AppError as refused:
        wrong = user_forms.refused(refused, "Nothing was reset")
        return user_forms.show(_factor_form(user, name), wrong)
    identity.forget_cached()
    render.tell(Alert("good", "The second factor is reset"))
    return render.to(back)


@routes.post("/users/<user_id>/sessions/end")
@access.page(Permission.USERS_APPROVE)
def end_sessions(user_id: str) -> Response:
    session_id = render.typed("session") or None
    with transaction() as session:
        ended = rights.end_sessions(session, user_id, actor=render.actor(), session_id=session_id)
    identity.forget_cached()
    render.tell(Alert("good", f"{words.counted(ended, 'session')} ended"))
    return render.to(f"/users/{user_id}")
