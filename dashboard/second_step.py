"""The second step of a sign-in: a code or a passkey, after the right password and in the same browser."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import RateLimited, Unauthenticated
from dashboard import proof_forms, render
from dashboard.shapes import Alert, View
from domain.database import reading, transaction
from domain.people import halfway, passkeys, people, second_factor, sessions
from domain.people.challenges import Purpose
from domain.people.halfway import Halfway
from domain.people.sessions import Opened
from web import access, cookies, identity, sign_in_cookie

routes = Blueprint("desk_second_step", __name__)
HERE = "/login/second-factor"


def _held() -> str:
    return sign_in_cookie.held(request, render.settings())


def _found() -> Halfway | None:
    with reading() as session:
        return halfway.find(session, _held())


def _begin_again() -> Response:
    """Send a browser whose password nobody remembers back to the first step."""
    answer = render.to(proof_forms.with_next("/login", proof_forms.target()))
    sign_in_cookie.take(answer, render.settings())
    return answer


def _form(found: Halfway, *, problem: Alert | None = None, status: int = 200) -> Response:
    with reading() as session:
        factors = second_factor.factors(session, people.get_user(session, found.user_id))
    target = proof_forms.target()
    view: View = {
        "problem": problem,
        "proof": {
            "title": "One more step",
            "lead": "Your password was right. Now show your second factor.",
            "action": HERE,
            "next": target,
            "code": proof_forms.CODE if factors.is_app_confirmed else None,
            "sandbox_code": None,
            "passkey": proof_forms.way_of_passkeys(HERE, f"{HERE}/options", target)
            if factors.passkeys
            else None,
            "back": proof_forms.with_next("/login", target),
            "back_label": "Sign in as somebody else",
        },
    }
    return render.plain("session/second_step.html", view, status=status)


@routes.get(HERE)
@access.public("the way in, after the password")
def show() -> Response:
    found = _found()
    return _begin_again() if found is None else _form(found)


@routes.post(HERE)
@access.public("the way in, after the password; counted per person, account and address")
def finish() -> Response:
    found, shown = _found(), proof_forms.shown()
    if found is None:
        return _begin_again()
    if proof_forms.is_without_script(shown):
        return _form(found, problem=proof_forms.NO_SCRIPT, status=422)
    try:
        opened = _open(found)
    except RateLimited as error:
        answer = _form(found, problem=proof_forms.locked(error), status=429)
        return proof_forms.wait(answer, error)
    except Unauthenticated:
        return _begin_again()
    if opened is None:
        return _form(found, problem=proof_forms.wrong(shown), status=401)
    answer = render.to(proof_forms.target() or "/")
    sign_in_cookie.take(answer, render.settings())
    cookies.set_session(answer, opened.token, render.settings())
    return answer


def _open(found: Halfway) -> Opened | None:
    address = identity.address(request)
    with transaction() as session:
        tried = halfway.begin_proof(session, found, ip=address)
    with transaction() as session:
        user = halfway.finish(
            session, _held(), proof_forms.shown(), tried=tried, site=proof_forms.site()
        )
        if user is None:
            return None
        browser = request.headers.get("User-Agent")
        return sessions.open_session(
            session, user, address=address, browser=browser, stepped_up=True
        )


@routes.post(f"{HERE}/options")
@access.public("what a passkey is to sign, after the password")
def options() -> Response:
    found = _found()
    if found is None:
        raise Unauthenticated("This sign-in took too long. Begin again.")
    with transaction() as session:
        user = people.get_user(session, found.user_id)
        asked, said = passkeys.ask(
            session, user, Purpose.SIGN_IN, place=found.id, site=proof_forms.site()
        )
    return proof_forms.options(asked.id, said)
