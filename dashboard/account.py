"""One's own account: who one is, where one is signed in, ending those sessions, the theme."""

from __future__ import annotations

from flask import Blueprint, Response, request

from dashboard import render, renewing, words
from dashboard.shapes import Act, Alert, Fact, View
from domain import desk, people, second_factor, sessions
from domain.actors import Actor
from domain.database import reading, transaction
from models.people import DeskSession, User
from web import access, cookies, identity

routes = Blueprint("desk_account", __name__)
_BROWSERS = ("Firefox", "Edg", "OPR", "Chromium", "Chrome", "Safari")
_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android"}
_SYSTEMS |= {"Windows": "Windows", "Mac OS": "macOS", "Linux": "Linux"}


def browser_words(agent: str | None) -> str:
    """Name a browser from what it says of itself."""
    if not agent:
        return "An unnamed browser"
    name = next((_NAMES.get(each, each) for each in _BROWSERS if each in agent), "A browser")
    system = next((label for key, label in _SYSTEMS.items() if key in agent), None)
    return f"{name} on {system}" if system else name


def _session_view(row: DeskSession, actor: Actor) -> View:
    is_token = sessions.kind_of(row.id) == "jwt"
    is_current = row.id == actor.session_id
    end = Act(
        row.id,
        "End token" if is_token else "Sign out",
        f"/account/sessions/{row.id}/end",
        method="post",
    )
    return {
        "id": row.id,
        "kind": sessions.kind_of(row.id),
        "browser": "API token" if is_token else browser_words(row.browser),
        "address": row.address or "address not known",
        "created": words.moment(row.created_at),
        "seen": words.moment(row.seen_at),
        "current": is_current,
        "act": None if is_current else end,
    }


def _facts(user: User, merchant: str | None, email: str) -> list[Fact]:
    found = [Fact("Name", user.name or "Not given"), Fact("E-mail", email)]
    found.append(Fact("Role", user.role.capitalize()))
    if merchant is not None:
        found.append(Fact("Merchant", merchant))
    if user.role in ("buyer", "seller", "merchant"):
        found.append(Fact("Verification", user.kyc.capitalize()))
    factor = "Set up" if second_factor.is_enrolled(user) else "Not set up"
    return [*found, Fact("Second factor", factor), Fact("Since", at=words.moment(user.created_at))]


@routes.get("/account")
@access.session_only("one's own account")
def show() -> Response:
    actor = render.actor()
    with reading() as session:
        user = people.get_user(session, actor.id)
        rows = sessions.list_sessions(session, actor.id)
        merchants = desk.merchants_of(session, [user.merchant_id])
        email = people.email_of(user)
    others = [row for row in rows if row.id != actor.session_id]
    reason = None if others else "You are signed in nowhere else."
    view: View = {
        "lead": f"{email}, {user.role}",
        "sessions": [_session_view(row, actor) for row in rows],
        "sign_out_others": Act(
            id="others",
            label="Sign out everywhere else",
            href="/account/sessions/end-others",
            enabled=reason is None,
            reason=reason,
            method="post",
            icon="sign-out",
        ),
        "facts": _facts(user, merchants.get(user.merchant_id or ""), email),
        "sandbox": [renew] if (renew := renewing.act()) else None,
    }
    return render.page("account/index.html", view, live=False)


@routes.post("/account/sessions/end-others")
@access.session_only("one's own sessions")
def end_others() -> Response:
    actor = render.actor()
    with transaction() as session:
        ended = sessions.end_all(session, actor.id, actor=actor, keep=actor.session_id)
    identity.forget_cached()
    render.tell(Alert("good", f"Signed out of {words.counted(len(ended), 'other place')}"))
    return render.to("/account")


@routes.post("/account/sessions/<session_id>/end")
@access.session_only("one's own sessions")
def end(session_id: str) -> Response:
    actor = render.actor()
    with transaction() as session:
        sessions.end_session(session, session_id, user_id=actor.id, actor=actor)
    identity.forget_cached()
    if session_id == actor.session_id:
        answer = render.to("/login")
        cookies.clear_session(answer, render.settings())
        return answer
    render.tell(Alert("good", "That session has ended"))
    return render.to("/account")


@routes.post("/account/theme")
@access.session_only("one's own theme")
def theme() -> Response:
    with transaction() as session:
        desk.choose_theme(session, render.actor().id, request.form.get("theme", ""))
    return render.to(render.local(request.form.get("next")) or "/account")
