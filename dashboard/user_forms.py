"""The forms about people: what they ask, with the reason; sent wrong, they come again with what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Response

from core.errors import AppError, InvalidInput
from core.states import Role
from dashboard import confirming, guarded, people_words, render, words
from dashboard.shapes import Alert, Fact, Input, Link, Option, View
from domain.people.people import LONGEST_NAME
from models.people import Merchant, User

LONGEST_EMAIL = 254


@dataclass(frozen=True)
class Form:
    """One form. lead: in a sentence; effects: what will happen; inputs: what it asks beside the reason;
    problem: what will stand in the way.
    """

    title: str
    lead: str
    action: str
    label: str
    back: str
    trail: Sequence[Link]
    effects: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    inputs: Sequence[Input] = ()
    tone: str = "primary"
    fields: Mapping[str, str] = field(default_factory=dict)
    asks_reason: bool = True
    problem: Alert | None = None


@dataclass(frozen=True)
class Wrong:
    """What was wrong with a form that was sent: the errors of its fields, or what became of the act."""

    errors: Mapping[str, str] = field(default_factory=dict)
    problem: Alert | None = None


def show(form: Form, wrong: Wrong | None = None) -> Response:
    """Ask; or ask again, with what was wrong."""
    inputs = list(form.inputs)
    if form.asks_reason:
        error = wrong.errors.get("reason") if wrong else None
        inputs.append(confirming.reason_input(confirming.reason() if wrong else "", error))
    view: View = {
        "trail": form.trail,
        "problem": wrong.problem if wrong else form.problem,
        "act": {
            "title": form.title,
            "lead": form.lead,
            "effects": form.effects,
            "facts": form.facts,
            "action": form.action,
            "fields": form.fields,
            "inputs": inputs,
            "label": form.label,
            "tone": form.tone,
            "back": form.back,
        },
    }
    if wrong is None:
        return render.page("acts/confirm.html", view, live=False)
    if render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422, live=False)


def refused(error: AppError, title: str) -> Wrong:
    """Say what became of an act that was refused; who may not, or about nobody, gets their own page.

    Raises: the error itself
    """
    if error.http_status in (403, 404):
        raise error
    guarded.note(error)
    if isinstance(error, InvalidInput):
        rows = error.details.get("fields")
        if isinstance(rows, list):
            named = {str(row["field"]): str(row["message"]) for row in rows}
            return Wrong({_FIELDS.get(name, name): said for name, said in named.items()})
    return Wrong(problem=Alert("bad", title, error.message))


_FIELDS = {"merchantId": "merchant"}


def trail(user: User, name: str) -> list[Link]:
    """Say where a form about a person is."""
    return [Link("Users", "/users"), Link(name, f"/users/{user.id}")]


def role_input(value: str, error: str | None = None, *, but: str = "") -> Input:
    """Prepare the field that asks for a role. but: one that is not offered."""
    choices = {"": "Choose a role"} | {
        role.value: f"{role.value.capitalize()}: {said[:1].lower()}{said[1:]}"
        for role, said in people_words.ROLES.items()
        if role.value != but
    }
    return Input(
        "role",
        "Role",
        "select",
        value=value,
        error=error,
        required=True,
        options=_options(choices, value),
    )


def _options(choices: Mapping[str, str], value: str) -> list[Option]:
    return [Option(each, label, each == value) for each, label in choices.items()]


def choice(
    name: str, label: str, choices: Mapping[str, str], *, value: str, error: str | None = None
) -> Input:
    """Prepare a field with a few choices."""
    return Input(
        name,
        label,
        "select",
        value=value,
        error=error,
        required=True,
        options=_options(choices, value),
    )


def merchant_input(found: Sequence[Merchant], value: str, error: str | None = None) -> Input:
    """Prepare the field that asks whose somebody with the role merchant is."""
    choices = {"": "None"} | {merchant.id: merchant.name for merchant in found}
    return Input(
        "merchant",
        "Merchant",
        "select",
        value=value,
        error=error,
        hint=f"Only for the role {Role.MERCHANT.value}.",
        options=_options(choices, value),
    )


def name_input(value: str, error: str | None = None, *, optional: bool = True) -> Input:
    """Prepare the field that asks for a name."""
    return Input(
        "name",
        "Name",
        value=value,
        error=error,
        optional=optional,
        maxlength=LONGEST_NAME,
        autocomplete="off",
    )


def email_input(value: str, error: str | None = None) -> Input:
    """Prepare the field that asks for an address."""
    return Input(
        "email",
        "E-mail",
        "email",
        value=value,
        error=error,
        required=True,
        maxlength=LONGEST_EMAIL,
        autocomplete="off",
        autofocus=not value,
    )


def listed(found: Sequence[str], *, most: int = 8) -> str:
    """Write a list of rights inside a line."""
    shown = ", ".join(found[:most])
    more = len(found) - most
    return f"{shown} and {words.counted(more, 'more', 'more')}" if more > 0 else shown
