"""Proving oneself again before a guarded act: a code or a passkey, then on to where one wanted to be."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import RateLimited
from dashboard import proof_forms, render
from dashboard.shapes import Alert, View
from domain.database import reading, transaction
from domain.people import (
    lockouts,
    passkeys,
    people,
    proving,
    sandbox_people,
    second_factor,
    step_up,
)
from domain.people.challenges import Purpose
from domain.people.second_factor import Factors
from web import access

routes = Blueprint("desk_step_up", __name__)
HERE = "/account/step-up"
ENROL = "/account/second-factor"


def _found() -> tuple[Factors, str | None]:
    """Tell what the person can show, and in a sandbox the code that is known to everybody."""
    with reading() as session:
        user = people.get_user(session, render.actor().id)
        code = sandbox_people.current_code(user) if render.settings().is_sandbox else None
        return second_factor.factors(session, user), code


def _form(found: Factors, code: str | None, *, problem: Alert | None = None) -> View:
    target = proof_forms.target()
    return {
        "problem": problem,
        "proof": {
            "title": "Prove that it is you",
            "lead": "What comes next moves money or rights. Your proof counts for five minutes.",
            "action": HERE,
            "next": target,
            "code": proof_forms.CODE if found.has_app else None,
            "sandbox_code": code,
            "passkey": proof_forms.way_of_passkeys(HERE, f"{HERE}/options", target)
            if found.passkeys
            else None,
            "back": "/account",
            "back_label": "Back without it",
        },
    }


def _again(problem: Alert, *, status: int = 422) -> Response:
    found, code = _found()
    view = _form(found, code, problem=problem)
    return render.page("proofs/step_up.html", view, status=status, live=False)


@routes.get(HERE)
@access.session_only("one's own second factor")
def show() -> Response:
    target = proof_forms.target()
    if step_up.is_fresh(render.actor()):
        return render.to(target or "/account")
    found, code = _found()
    if not found.any:
        return render.to(proof_forms.with_next(ENROL, target))
    return render.page("proofs/step_up.html", _form(found, code), live=False)


@routes.post(HERE)
@access.session_only("one's own second factor; counted per person")
def prove() -> Response:
    actor, shown = render.actor(), proof_forms.shown()
    if proof_forms.is_without_script(shown):
        return _again(proof_forms.NO_SCRIPT)
    try:
        with transaction() as session:
            tried = lockouts.begin_proof(session, actor.id)
    except RateLimited as error:
        return proof_forms.wait(_again(proof_forms.locked(error), status=429), error)
    with transaction() as session:
        fresh = proving.step_up(
            session,
            shown,
            tried=tried,
            token=proof_forms.token(),
            actor=actor,
            site=proof_forms.site(),
        )
    if fresh is None:
        return _again(proof_forms.wrong(shown))
    return proof_forms.to_with(proof_forms.target() or "/account", fresh)


@routes.post(f"{HERE}/options")
@access.session_only("what one's own passkey is to sign")
def options() -> Response:
    actor = render.actor()
    with transaction() as session:
        user = people.get_user(session, actor.id)
        place = actor.session_id or ""
        asked, said = passkeys.ask(
            session, user, Purpose.STEP_UP, place=place, site=proof_forms.site()
        )
    return proof_forms.options(asked.id, said)
