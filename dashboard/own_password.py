"""Changing one's own password: the old one shown, every other session ended."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import InvalidInput
from dashboard import proof_forms, render, words
from dashboard.proof_forms import Checked
from dashboard.shapes import Alert, Input, Link, View
from domain.database import transaction
from domain.people import own_password, passwords
from web import access

routes = Blueprint("desk_own_password", __name__)
HERE = "/account/password"


def _inputs(checked: Checked | None, errors: dict[str, str]) -> list[Input]:
    hint = f"At least {passwords.SHORTEST} characters; a few unrelated words do well."
    return [
        proof_forms.password_input(checked.error if checked else None),
        _new("new", "New password", errors, hint),
        _new("again", "New password once more", errors),
    ]


def _new(name: str, label: str, errors: dict[str, str], hint: str | None = None) -> Input:
    return Input(
        name,
        label,
        "password",
        hint=hint,
        error=errors.get(name),
        required=True,
        maxlength=passwords.LONGEST,
        autocomplete="new-password",
    )


def _form(
    checked: Checked | None = None, *, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    view: View = {
        "trail": (Link("Account", "/account"),),
        "problem": checked.problem if checked else None,
        "act": {
            "title": "Change your password",
            "lead": "The new one counts from the next sign-in.",
            "effects": [
                "You are signed out everywhere else, and your API tokens end.",
                "You stay signed in here.",
            ],
            "action": HERE,
            "inputs": _inputs(checked, errors or {}),
            "label": "Change the password",
            "back": "/account",
        },
    }
    return render.page("acts/confirm.html", view, status=status, live=False)


def _errors(new: str) -> dict[str, str]:
    """Find what is wrong with a new password, by field."""
    try:
        passwords.assert_acceptable(new)
    except InvalidInput as error:
        return {"new": error.message}
    if new != request.form.get("again", ""):
        return {"again": "This is not the same as above."}
    if new == request.form.get("password", ""):
        return {"new": "This is the password you have."}
    return {}


@routes.get(HERE)
@access.session_only("one's own password")
def ask() -> Response:
    return _form()


@routes.post(HERE)
@access.session_only("one's own password; counted as a sign-in")
def change() -> Response:
    new = request.form.get("new", "")[: passwords.LONGEST + 1]
    if errors := _errors(new):
        return _form(errors=errors, status=422)
    checked = proof_forms.check_password()
    if checked.is_refused:
        answer = _form(checked, status=checked.status)
        return proof_forms.wait(answer, checked.limit) if checked.limit else answer
    new_hash = passwords.hashed(new)
    with transaction() as session:
        changed = own_password.change(
            session,
            actor=render.actor(),
            token=proof_forms.token(),
            old_hash=checked.password_hash,
            new_hash=new_hash,
        )
    places = words.counted(changed.ended, "other place")
    said = f"You were signed out of {places}." if changed.ended else None
    render.tell(Alert("good", "Your password is changed", said))
    return proof_forms.to_with("/account", changed.token)
