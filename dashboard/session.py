"""Signing in and out of the desk; the second step, where one is set up, is `dashboard/second_step.py`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from core.errors import RateLimited, Unauthenticated
from dashboard import proof_forms, render, second_step
from dashboard.shapes import Alert, View
from domain.database import reading, transaction
from domain.people import halfway, passwords, sandbox_people, second_factor, sessions, sign_in
from web import access, cookies, identity, sign_in_cookie

routes = Blueprint("desk_session", __name__)
LONGEST_EMAIL, LONGEST_PASSWORD = 254, 256


@dataclass(frozen=True)
class Typed:
    """What the form sent."""

    email: str
    password: str
    next: str


def _read() -> Typed:
    return Typed(
        email=render.typed("email")[:LONGEST_EMAIL],
        password=request.form.get("password", "")[: LONGEST_PASSWORD + 1],
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
        {
            "role": each.role.value.capitalize(),
            "email": each.email,
            "password": each.password,
            "totp": each.totp,
        }
        for each in sandbox_people.list_sandbox_people()
    ]


def _form(typed: Typed, *, problem: Alert | None = None, status: int = 200) -> Response:
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
        "people": _people(),
        "people_note": "Made at the first start; they exist in this sandbox only. The long line is the "
        "secret for a code app: guarded acts ask for its code, and this sandbox shows it there.",
    }
    return render.plain("session/login.html", {"login": login}, status=status)


@routes.get("/login")
@access.public("the way in")
def login() -> Response:
    target = render.local(request.args.get("next")) or ""
    if identity.principal() is not None:
        return render.to(target or "/")
    return _form(Typed("", "", target))


@routes.post("/login")
@access.public("the way in; counted per account and per address")
def enter() -> Response:
    typed = _read()
    try:
        opened, held = _open(typed)
    except RateLimited as error:
        said = "Too many wrong tries. Wait a minute, then try again."
        answer = _form(typed, problem=Alert("bad", "Not now", said), status=429)
        answer.headers["Retry-After"] = str(error.retry_after or 60)
        return answer
    except Unauthenticated:
        said = "Five wrong tries close the account for a minute."
        return _form(typed, problem=Alert("bad", sign_in.WORDS, said), status=401)
    if opened is None:
        answer = render.to(proof_forms.with_next(second_step.HERE, typed.next))
        sign_in_cookie.give(answer, held, render.settings())
        return answer
    answer = render.to(typed.next or "/")
    cookies.set_session(answer, opened.token, render.settings())
    return answer


def _open(typed: Typed) -> tuple[sessions.Opened | None, str]:
    """Try the password outside any transaction, then open a session with a new name.

    Where a second factor is set up there is no session yet, but what the browser keeps until then.
    """
    address = identity.address(request)
    with transaction() as session:
        attempt = sign_in.begin(session, typed.email, ip=address)
    is_right = sign_in.is_right(attempt, typed.password)
    renewed = None
    if is_right and attempt.password_hash and passwords.is_outdated(attempt.password_hash):
        renewed = passwords.hashed(typed.password)
    with transaction() as session:
        user = sign_in.recognise(session, attempt, is_right=is_right)
        if renewed is not None:
            sign_in.refresh_hash(session, user, renewed)
        if second_factor.factors(session, user).is_set_up:
            return None, halfway.begin(session, user)
        browser = request.headers.get("User-Agent")
        return sessions.open_session(session, user, address=address, browser=browser), ""


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
