"""Signing in and out of the desk."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from core.errors import RateLimited, Unauthenticated
from dashboard import render
from dashboard.shapes import Alert, View
from domain import passwords, sandbox_people, sessions, sign_in
from domain.database import reading, transaction
from web import access, cookies, identity

routes = Blueprint("desk_session", __name__)
LONGEST_EMAIL, LONGEST_PASSWORD = 254, 256


@dataclass(frozen=True)
class Typed:
    """What the form sent."""

    email: str
    password: str
    code: str | None
    next: str


def _read() -> Typed:
    return Typed(
        email=render.typed("email")[:LONGEST_EMAIL],
        password=request.form.get("password", "")[: LONGEST_PASSWORD + 1],
        code=render.typed("code")[:10] or None,
        next=render.local(request.form.get("next")) or "",
    )


def _people() -> list[View]:
    """List the sandbox's people with their passwords, once they exist; nowhere but in the sandbox."""
    if not render.settings().is_sandbox:
        return []
    with reading() as session:
        if sandbox_people.is_empty(session):
            return []
    return [
        {"role": each.role.value.capitalize(), "email": each.email, "password": each.password}
        for each in sandbox_people.list_sandbox_people()
    ]


def _form(
    typed: Typed, *, problem: Alert | None = None, status: int = 200, code: bool = False
) -> Response:
    is_sandbox = render.settings().is_sandbox
    lead = (
        "Sandbox. No real money moves here." if is_sandbox else "For the people who run payments."
    )
    login: View = {
        "lead": lead,
        "next": typed.next,
        "email": typed.email,
        "problem": problem,
        "errors": None,
        "wants_code": code,
        "people": _people(),
        "people_note": "Made at the first start. They exist in this sandbox only.",
    }
    return render.plain("session/login.html", {"login": login}, status=status)


@routes.get("/login")
@access.public("the way in")
def login() -> Response:
    target = render.local(request.args.get("next")) or ""
    if identity.principal() is not None:
        return render.to(target or "/")
    return _form(Typed("", "", None, target))


@routes.post("/login")
@access.public("the way in; counted per account and per address")
def enter() -> Response:
    typed = _read()
    try:
        opened = _open(typed)
    except RateLimited as error:
        said = "Too many wrong tries. Wait a minute, then try again."
        answer = _form(typed, problem=Alert("bad", "Not now", said), status=429)
        answer.headers["Retry-After"] = str(error.retry_after or 60)
        return answer
    except Unauthenticated as error:
        if error.code == "SECOND_FACTOR_REQUIRED":
            said = "Type your password again, with the six digits of your second factor."
            problem = Alert("info", "One more step", said)
            return _form(typed, problem=problem, status=401, code=True)
        said = "Five wrong tries close the account for a minute."
        problem = Alert("bad", sign_in.WORDS, said)
        return _form(typed, problem=problem, status=401, code=typed.code is not None)
    answer = render.to(typed.next or "/")
    cookies.set_session(answer, opened.token, render.settings())
    return answer


def _open(typed: Typed) -> sessions.Opened:
    """Try the password outside any transaction, then open a session with a new name."""
    address = identity.address(request)
    with transaction() as session:
        attempt = sign_in.begin(session, typed.email, ip=address)
    is_right = sign_in.is_right(attempt, typed.password)
    renewed = None
    if is_right and attempt.password_hash and passwords.is_outdated(attempt.password_hash):
        renewed = passwords.hashed(typed.password)
    with transaction() as session:
        user = sign_in.admit(session, attempt, is_right=is_right, code=typed.code)
        if renewed is not None:
            sign_in.refresh_hash(session, user, renewed)
        browser = request.headers.get("User-Agent")
        return sessions.open_session(session, user, address=address, browser=browser)


@routes.post("/logout")
@access.session_only("one's own session")
def leave() -> Response:
    actor = render.actor()
    if actor.session_id is not None:
        with transaction() as session:
            sessions.end_session(session, actor.session_id, user_id=actor.id, actor=actor)
    identity.forget_cached()
    answer = render.to("/login")
    cookies.clear_session(answer, render.settings())
    return answer
