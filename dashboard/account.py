"""One's own account: who one is, how one proves it, where one is signed in, ending those sessions, the theme."""

from __future__ import annotations

from flask import Blueprint, Response, request

from dashboard import data_exports, notifying, own_erasure, proof_forms, render, renewing, words
from dashboard.shapes import Act, Alert, Fact, State, View
from domain import desk
from domain.actors import Actor
from domain.database import reading, transaction
from domain.people import passkeys, people, second_factor, sessions, step_up
from domain.people.second_factor import Factors
from models.people import DeskSession, User
from models.proofs import Passkey
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
        "proved": words.moment(row.stepped_up_at) if row.stepped_up_at else None,
        "is_fresh": step_up.is_recent(row.stepped_up_at),
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
    return [*found, Fact("Since", at=words.moment(user.created_at))]


def _password_row(user: User) -> View:
    has_one = user.password_hash is not None
    at = words.moment(user.password_set_at) if user.password_set_at else None
    return {
        "icon": "lock",
        "name": "Password",
        "state": None,
        "text": "Set" if at else ("Asked for when you sign in" if has_one else "None is set"),
        "at": at,
        "acts": [Act("password", "Change", "/account/password")] if has_one else [],
    }


def _app_row(user: User, factors: Factors) -> View:
    acts = [Act("app", "Replace" if factors.has_app else "Set up", "/account/code-app")]
    if factors.has_app:
        acts.append(Act("app-remove", "Remove", "/account/code-app/remove"))
    at, text, state = None, "Six digits from an app on your phone", None
    if user.totp_confirmed_at is not None:
        at, text = words.moment(user.totp_confirmed_at), "Set up"
        state = State("Asked at sign-in", "shield", "good")
    elif factors.has_app:
        text = "Handed out with the sandbox; replace it with a secret of your own."
        state = State("At guarded acts only", "dotted", "warn")
    return {
        "icon": "keyboard",
        "name": "Codes from an app",
        "state": state,
        "text": text,
        "at": at,
        "acts": acts,
    }


def _passkey_row(row: Passkey) -> View:
    return {
        "icon": "key",
        "name": row.name,
        "state": State("Passkey", "shield", "good"),
        "text": "Last used" if row.last_used_at else "Not used yet; set up",
        "at": words.moment(row.last_used_at or row.created_at),
        "acts": [Act(row.id, "Remove", f"/account/passkeys/{row.id}/remove")],
    }


def _proofs(user: User, factors: Factors, keys: list[Passkey]) -> View:
    """Prepare what a person proves themselves with."""
    why_not = proof_forms.why_no_passkeys()
    if why_not is None and len(keys) >= passkeys.MOST:
        why_not = f"{passkeys.MOST} passkeys are the most. Remove one first."
    add = Act(
        "passkey-add",
        "Add a passkey",
        "/account/passkeys/new",
        enabled=why_not is None,
        reason=why_not,
        icon="key",
    )
    return {
        "rows": [
            _password_row(user),
            _app_row(user, factors),
            *(_passkey_row(row) for row in keys),
        ],
        "add": add,
        "missing": not factors.any,
    }


@routes.get("/account")
@access.session_only("one's own account")
def show() -> Response:
    actor = render.actor()
    with reading() as session:
        user = people.get_user(session, actor.id)
        rows = sessions.list_sessions(session, actor.id)
        keys = passkeys.list_passkeys(session, actor.id)
        factors = second_factor.factors(session, user)
        merchants = desk.merchants_of(session, [user.merchant_id])
        email = people.email_of(user)
        own_data = [data_exports.act_of(session, actor.id), own_erasure.act_of(user)]
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
        "proofs": _proofs(user, factors, keys),
        "facts": _facts(user, merchants.get(user.merchant_id or ""), email),
        "notices": notifying.view_of(user),
        "own_data": own_data,
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
