"""Setting a password by a link, and asking for such a link: the pages for people who are not signed in."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import Gone, InvalidInput, RateLimited
from dashboard import render
from dashboard.shapes import Alert, Input, View
from domain.database import reading, transaction
from domain.mail import mails
from domain.mail.mails import Outlet
from domain.people import account_links, lockouts, passwords, people
from web import access, identity

routes = Blueprint("desk_account_links", __name__)
LONGEST_EMAIL = 254
# The address of this page opens an account: no other page may learn it from the browser.
# `no-referrer` would hide our own form's origin too, which `web/origins.py` asks for.
_REFERRER = "strict-origin"


def _quiet(template: str, view: View, *, status: int = 200) -> Response:
    """Show a page whose address no other page, style or script of ours is told either."""
    answer = render.plain(template, view | {"referrer": _REFERRER}, status=status)
    answer.headers["Referrer-Policy"] = _REFERRER
    return answer


def _password(name: str, label: str, errors: dict[str, str], hint: str | None = None) -> Input:
    return Input(
        name,
        label,
        "password",
        hint=hint,
        error=errors.get(name),
        required=True,
        maxlength=passwords.LONGEST,
        autocomplete="new-password",
        autofocus=name == "new",
    )


def _form(token: str, errors: dict[str, str], *, status: int = 200) -> Response:
    with reading() as session:
        user = account_links.find(session, token)
        if user is None:
            return _over()
        email, is_new = people.email_of(user), user.password_hash is None
    hint = f"At least {passwords.SHORTEST} characters; a few unrelated words do well."
    view: View = {
        "title": "Choose your password" if is_new else "Set a new password",
        "lead": "Then sign in with it."
        if is_new
        else "You are signed out everywhere; then sign in with it.",
        "email": email,
        "action": f"/account/set-password/{token}",
        "inputs": [
            _password("new", "New password", errors, hint),
            _password("again", "New password once more", errors),
        ],
    }
    return _quiet("session/set_password.html", view, status=status)


def _over() -> Response:
    view: View = {"problem": Alert("warn", "This link works no more", account_links.OVER)}
    return _quiet("session/link_over.html", view, status=410)


@routes.get("/account/set-password/<token>")
@access.public("whoever holds the link, which works once")
def ask(token: str) -> Response:
    return _form(token, {})


@routes.post("/account/set-password/<token>")
@access.public("whoever holds the link, which works once")
def choose(token: str) -> Response:
    new = request.form.get("new", "")[: passwords.LONGEST + 1]
    if errors := _errors(new):
        return _form(token, errors, status=422)
    with reading() as session:
        if account_links.find(session, token) is None:
            return _over()
    password_hash = passwords.hashed(new)
    try:
        with transaction() as session:
            address = identity.address(request)
            account_links.use(session, token, password_hash, address=address)
    except Gone:
        return _over()
    identity.forget_cached()
    render.tell(Alert("good", "Your password is set", "Sign in with it now."))
    answer = render.to("/login")
    answer.headers["Referrer-Policy"] = _REFERRER
    return answer


def _errors(new: str) -> dict[str, str]:
    try:
        passwords.assert_acceptable(new)
    except InvalidInput as error:
        return {"new": error.message}
    if new != request.form.get("again", ""):
        return {"again": "This is not the same as above."}
    return {}


def _forgot(*, problem: Alert | None = None, sent: bool = False, status: int = 200) -> Response:
    can_send = mails.outlet() != Outlet.NONE
    view: View = {
        "problem": problem,
        "sent": sent,
        "can_send": can_send,
        "is_printed": mails.outlet() == Outlet.CONSOLE,
        "minutes": account_links.LIFE_SECONDS["reset"] // 60,
        "inputs": [
            Input(
                "email",
                "E-mail",
                "email",
                required=True,
                maxlength=LONGEST_EMAIL,
                autocomplete="username",
                autofocus=True,
            )
        ],
    }
    return render.plain("session/forgot.html", view, status=status)


@routes.get("/login/forgot")
@access.public("asking for a link; says the same to everybody")
def ask_forgot() -> Response:
    return _forgot()


@routes.post("/login/forgot")
@access.public("asking for a link; counted per account and per address, says the same to everybody")
def forgot() -> Response:
    """Note the wish and answer; who that is, if anybody, the worker finds out."""
    email = render.typed("email")[:LONGEST_EMAIL]
    try:
        with transaction() as session:
            lockouts.count_wish(session, email, ip=identity.address(request))
            if mails.outlet() != Outlet.NONE:
                mails.wish(session, email)
    except RateLimited as error:
        said = "Too many tries. Wait a minute, then try again."
        answer = _forgot(problem=Alert("bad", "Not now", said), status=429)
        answer.headers["Retry-After"] = str(error.retry_after or 60)
        return answer
    return _forgot(sent=True)
