"""One's own passkeys: set up with a name, several of them, and removed."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import Conflict, InvalidInput
from dashboard import code_app, proof_forms, render, words
from dashboard.code_app import TRAIL
from dashboard.proof_forms import Checked
from dashboard.shapes import Alert, Fact, Input, View
from domain.database import reading, transaction
from domain.people import passkeys, proving
from models.proofs import Passkey
from web import access

routes = Blueprint("desk_passkeys", __name__)
NEW, OPTIONS = "/account/passkeys/new", "/account/passkeys/options"


def _name_input(value: str = "", error: str | None = None) -> Input:
    return Input(
        "name",
        "Name",
        value=value,
        error=error,
        hint="What you call it: this laptop, my blue key.",
        required=True,
        maxlength=passkeys.LONGEST_NAME,
        autofocus=True,
    )


def _form(*, problem: Alert | None = None, name_error: str | None = None) -> Response:
    factors = code_app.found()
    inputs = [_name_input(render.typed("name"), name_error)]
    if not factors.any:
        inputs.append(proof_forms.password_input(hint=code_app.FIRST))
    view: View = {
        "trail": TRAIL,
        "problem": problem,
        "action": NEW,
        "options": OPTIONS,
        "next": proof_forms.target(),
        "inputs": inputs,
        "why_not": proof_forms.why_no_passkeys(),
        "back": "/account",
    }
    status = 422 if problem or name_error else 200
    return render.page("proofs/passkey.html", view, status=status, live=False)


@routes.get(NEW)
@access.session_only("one's own passkeys")
def ask() -> Response:
    here = proof_forms.with_next(NEW, proof_forms.target())
    return code_app.detour(code_app.found(), here) or _form()


@routes.post(OPTIONS)
@access.session_only("what a new passkey of one's own is to sign")
def options() -> Response:
    actor, factors = render.actor(), code_app.found()
    try:
        passkeys.clean_name(render.typed("name"))
        checked = proof_forms.check_password(wanted=not factors.any)
        if checked.is_refused:
            return _refused(checked)
        with transaction() as session:
            asked, said = passkeys.ask_new(
                session,
                actor.id,
                actor=actor,
                site=proof_forms.site(),
                password_shown=checked.password_shown,
            )
    except InvalidInput as error:
        return proof_forms.refused(error.message, status=422)
    return proof_forms.options(asked.id, said)


def _refused(checked: Checked) -> Response:
    if checked.limit is None:
        return proof_forms.refused(checked.error or "", status=checked.status)
    answer = proof_forms.refused(proof_forms.locked(checked.limit).title, status=checked.status)
    return proof_forms.wait(answer, checked.limit)


@routes.post(NEW)
@access.session_only("one's own passkeys")
def add() -> Response:
    actor, shown = render.actor(), proof_forms.shown()
    if not shown.answer:
        return _form(problem=Alert("warn", "Passkeys need JavaScript", "Set up codes instead."))
    try:
        name = passkeys.clean_name(render.typed("name"))
    except InvalidInput as error:
        return _form(name_error=error.message)
    with transaction() as session:
        challenge = passkeys.use_new(session, actor.id, shown.challenge_id, actor=actor)
    if challenge is None:
        return _form(problem=Alert("warn", "That took too long", "Try again."))
    try:
        made = passkeys.read_new(shown.answer, challenge=challenge, site=proof_forms.site())
        with transaction() as session:
            passkeys.add(session, actor.id, made, name, actor=actor)
            token = proof_forms.token()
            fresh = proving.renew(session, token, actor=actor, stepped_up=True)
    except (InvalidInput, Conflict) as error:
        return _form(problem=Alert("bad", "The passkey was not set up", error.message))
    render.tell(Alert("good", "The passkey is set up", "Signing in asks for it from now on."))
    return proof_forms.to_with(proof_forms.target() or "/account", fresh)


def _remove_form(row: Passkey, checked: Checked | None = None) -> Response:
    factors = code_app.found()
    view: View = {
        "trail": TRAIL,
        "problem": checked.problem if checked else None,
        "act": {
            "title": "Remove a passkey",
            "lead": "It stops counting at once. Delete it from the device too.",
            "effects": code_app.remove_effects(factors, app=False),
            "facts": [
                Fact("Name", row.name),
                Fact("Set up", at=words.moment(row.created_at)),
            ],
            "action": f"/account/passkeys/{row.id}/remove",
            "inputs": code_app.removing_inputs(factors, checked, app=False),
            "label": "Remove the passkey",
            "tone": "danger",
            "back": "/account",
        },
    }
    status = checked.status if checked else 200
    return render.page("acts/confirm.html", view, status=status, live=False)


def _row(passkey_id: str) -> Passkey:
    with reading() as session:
        return passkeys.get_passkey(session, passkey_id, user_id=render.actor().id)


@routes.get("/account/passkeys/<passkey_id>/remove")
@access.session_only("one's own passkeys")
def ask_remove(passkey_id: str) -> Response:
    row = _row(passkey_id)
    away = code_app.detour(code_app.found(), f"/account/passkeys/{row.id}/remove")
    return away or _remove_form(row)


@routes.post("/account/passkeys/<passkey_id>/remove")
@access.session_only("one's own passkeys")
def remove(passkey_id: str) -> Response:
    actor, row = render.actor(), _row(passkey_id)
    factors = code_app.found()
    away = code_app.detour(factors, f"/account/passkeys/{row.id}/remove")
    if away is not None:
        return away
    checked = proof_forms.check_password(wanted=code_app.wants_password(factors, app=False))
    if checked.is_refused:
        return _remove_form(row, checked)
    with transaction() as session:
        shown = checked.password_shown
        passkeys.remove(session, actor.id, row.id, actor=actor, password_shown=shown)
    render.tell(Alert("good", "The passkey was removed"))
    return render.to("/account")
