"""One's own second factor: the choice of one, and setting up, replacing and removing codes from an app."""

from __future__ import annotations

import segno
from flask import Blueprint, Response

from dashboard import guarded, proof_forms, render
from dashboard.proof_forms import Checked
from dashboard.shapes import Alert, Input, Link, Ref, View
from domain.database import reading, transaction
from domain.people import enrolment, people, proving, second_factor
from domain.people.enrolment import Pending
from domain.people.second_factor import Factors
from web import access

routes = Blueprint("desk_code_app", __name__)
CHOICE, HERE = "/account/second-factor", "/account/code-app"
CONFIRM, REMOVE = f"{HERE}/confirm", f"{HERE}/remove"
TRAIL = (Link("Account", "/account"),)
FIRST = "Asked for because this is your first second factor."


def found() -> Factors:
    """Tell what the person who asks can show."""
    with reading() as session:
        return second_factor.factors(session, people.get_user(session, render.actor().id))


def detour(factors: Factors, back: str) -> Response | None:
    """Send a person who has a second factor to show it, before they change it."""
    return guarded.detour(back) if factors.any else None


@routes.get(CHOICE)
@access.session_only("one's own second factor")
def choose() -> Response:
    target = proof_forms.target()
    view: View = {
        "trail": TRAIL,
        "is_needed": bool(target) and not found().any,
        "app_href": proof_forms.with_next(HERE, target),
        "passkey_href": proof_forms.with_next("/account/passkeys/new", target),
        "why_no_passkeys": proof_forms.why_no_passkeys(),
        "back": "/account",
    }
    return render.page("proofs/choose.html", view, live=False)


def _begin_form(factors: Factors, checked: Checked | None = None) -> Response:
    target = proof_forms.target()
    again = factors.is_app_confirmed
    inputs = [] if factors.any else [_password(checked)]
    view: View = {
        "trail": TRAIL,
        "problem": checked.problem if checked else None,
        "act": {
            "title": "Replace your code app" if again else "Set up codes from an app",
            "lead": "An authenticator app on your phone shows six digits that change by the half minute.",
            "effects": [
                "A new secret is made and shown to you on the next page.",
                "It counts as soon as you have typed a code that your app shows for it.",
                "The app you have now stops counting then."
                if again
                else "From then on signing in asks for a code after the password.",
            ],
            "action": HERE,
            "fields": {"next": target},
            "inputs": inputs,
            "label": "Show the new secret",
            "back": "/account",
        },
    }
    status = checked.status if checked else 200
    return render.page("acts/confirm.html", view, status=status, live=False)


def _password(checked: Checked | None) -> Input:
    return proof_forms.password_input(checked.error if checked else None, hint=FIRST)


@routes.get(HERE)
@access.session_only("one's own second factor")
def begin() -> Response:
    factors = found()
    return detour(factors, _here()) or _begin_form(factors)


def _here() -> str:
    return proof_forms.with_next(HERE, proof_forms.target())


@routes.post(HERE)
@access.session_only("one's own second factor")
def make() -> Response:
    factors, actor = found(), render.actor()
    if (away := detour(factors, _here())) is not None:
        return away
    checked = proof_forms.check_password(wanted=not factors.any)
    if checked.is_refused:
        return _begin_form(factors, checked)
    with transaction() as session:
        enrolment.begin_app(session, actor.id, actor=actor, password_shown=checked.password_shown)
    return render.to(proof_forms.with_next(CONFIRM, proof_forms.target()))


def _confirm_form(pending: Pending, *, problem: Alert | None = None, status: int = 200) -> Response:
    picture = segno.make(pending.uri, error="m").svg_data_uri(
        scale=5, border=3, light="#ffffff", dark="#10131a", svgclass=None, lineclass=None
    )
    secret = pending.secret
    shown = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    view: View = {
        "trail": (*TRAIL, Link("Code app", HERE)),
        "problem": problem,
        "picture": picture,
        "secret": Ref("secret", secret, short=shown),
        "action": CONFIRM,
        "next": proof_forms.target(),
        "code": proof_forms.CODE,
        "back": "/account",
    }
    return render.page("proofs/code_app.html", view, status=status, live=False)


def _pending() -> Pending | None:
    actor = render.actor()
    with reading() as session:
        return enrolment.find_pending(people.get_user(session, actor.id), actor=actor)


@routes.get(CONFIRM)
@access.session_only("one's own second factor")
def scan() -> Response:
    pending = _pending()
    return render.to(_here()) if pending is None else _confirm_form(pending)


@routes.post(CONFIRM)
@access.session_only("one's own second factor")
def confirm() -> Response:
    pending, actor, shown = _pending(), render.actor(), proof_forms.shown()
    if pending is None:
        render.tell(Alert("warn", "That took too long", "Begin again with a new secret."))
        return render.to(_here())
    with transaction() as session:
        is_right = enrolment.confirm_app(session, actor.id, shown.code, actor=actor)
        # Whoever has just shown a code for it has proved themselves.
        fresh = (
            proving.renew(session, proof_forms.token(), actor=actor, stepped_up=True)
            if is_right
            else ""
        )
    if not is_right:
        said = "Check that the clock of your phone is right, and type the code shown now."
        problem = Alert("bad", "This code does not belong to the new secret", said)
        return _confirm_form(pending, problem=problem, status=422)
    render.tell(
        Alert("good", "Your code app is set up", "Signing in asks for its code from now on.")
    )
    return proof_forms.to_with(proof_forms.target() or "/account", fresh)


def _remove_form(factors: Factors, checked: Checked | None = None) -> Response:
    view: View = {
        "trail": TRAIL,
        "problem": checked.problem if checked else None,
        "act": {
            "title": "Remove your code app",
            "lead": "Its codes stop counting at once.",
            "effects": remove_effects(factors, app=True),
            "action": REMOVE,
            "inputs": removing_inputs(factors, checked, app=True),
            "label": "Remove the code app",
            "tone": "danger",
            "back": "/account",
        },
    }
    status = checked.status if checked else 200
    return render.page("acts/confirm.html", view, status=status, live=False)


def remove_effects(factors: Factors, *, app: bool) -> list[str]:
    """Say what removing a factor means for its person."""
    if second_factor.is_last(factors, app=app):
        return [
            "You have no second factor left: signing in asks for the password only.",
            "Guarded acts ask you to set one up again first.",
        ]
    return ["Your other second factor goes on counting."]


def wants_password(factors: Factors, *, app: bool) -> bool:
    """Tell whether removing a factor asks for the password."""
    with reading() as session:
        user = people.get_user(session, render.actor().id)
        return second_factor.is_last(factors, app=app) and second_factor.needs_password_for_last(
            user
        )


def removing_inputs(factors: Factors, checked: Checked | None, *, app: bool) -> list[Input]:
    """Prepare the fields of a form that removes a factor."""
    if not wants_password(factors, app=app):
        return []
    hint = "Asked for because it is your last second factor."
    return [proof_forms.password_input(checked.error if checked else None, hint=hint)]


@routes.get(REMOVE)
@access.session_only("one's own second factor")
def ask_remove() -> Response:
    factors = found()
    if not factors.has_app:
        return render.to("/account")
    return detour(factors, REMOVE) or _remove_form(factors)


@routes.post(REMOVE)
@access.session_only("one's own second factor")
def remove() -> Response:
    factors, actor = found(), render.actor()
    if (away := detour(factors, REMOVE)) is not None:
        return away
    checked = proof_forms.check_password(wanted=wants_password(factors, app=True))
    if checked.is_refused:
        return _remove_form(factors, checked)
    with transaction() as session:
        second_factor.remove_app(
            session, actor.id, actor=actor, password_shown=checked.password_shown
        )
    render.tell(Alert("good", "The code app was removed"))
    return render.to("/account")
