"""What an admin does about a person: role, name, verification, closing and opening the account."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from core.states import Kyc, Person, Role
from dashboard import confirming, guarded, people_words, render, user_forms
from dashboard.shapes import Alert, Fact
from dashboard.user_forms import Form, Wrong
from domain.database import reading, transaction
from domain.people import people, people_queries, rights
from domain.people.rights import Done, Wanted
from models.people import User
from web import access, identity

routes = Blueprint("desk_user_acts", __name__)
Make = Callable[[User, str], Form]


def _find(user_id: str) -> tuple[User, str]:
    """Fetch a person and what the desk calls them."""
    with reading() as session:
        user = people.get_user(session, user_id)
        return user, user.name or people.email_of(user)


def _ask(user_id: str, make: Make) -> Response:
    """Show a form, once the person who opens it has proved themselves."""
    return guarded.detour() or user_forms.show(make(*_find(user_id)))


def _do(
    user_id: str, make: Make, wanted: Callable[[], Wanted | dict[str, str]], *, done: str
) -> Response:
    """Do what a form asks, or show it again with what is wrong."""
    back = f"/users/{user_id}"
    asked, reason = wanted(), confirming.reason()
    errors = dict(asked) if isinstance(asked, dict) else {}
    if (error := confirming.reason_error(reason)) is not None:
        errors["reason"] = error
    if errors or not isinstance(asked, Wanted):
        return user_forms.show(make(*_find(user_id)), Wrong(errors))
    if (leads := guarded.detour(back)) is not None:
        return leads
    try:
        made = _change(user_id, asked, reason)
    except AppError as refused:
        wrong = user_forms.refused(refused, "Nothing was changed")
        return user_forms.show(make(*_find(user_id)), wrong)
    identity.forget_cached()
    render.tell(guarded.waits(made.approval) if made.approval else Alert("good", done))
    return render.to(back)


def _change(user_id: str, wanted: Wanted, reason: str) -> Done:
    actor = render.actor()
    source = f"user:{actor.id}"
    with transaction() as session:
        return rights.change(session, user_id, wanted, actor=actor, source=source, reason=reason)


def _role_form(user: User, name: str) -> Form:
    typed, error = render.typed("role"), None
    with reading() as session:
        merchants = people_queries.merchants(session)
    effects = [
        "They are signed out everywhere, at once",
        "To make somebody admin or finance, a second admin must agree within a day",
    ]
    return Form(
        title="Change the role",
        lead=f"{name} is {user.role} now.",
        effects=effects,
        facts=_compared(user, typed),
        action=f"/users/{user.id}/role",
        label="Change role",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        inputs=[
            user_forms.role_input(typed, error, but=user.role),
            user_forms.merchant_input(merchants, render.typed("merchant")),
        ],
    )


def _compared(user: User, to: str) -> list[Fact]:
    """Show what each other role would give and take; of the chosen one only, once one is chosen."""
    found = []
    for role in people_words.ROLES:
        if role == user.role or (to in people_words.ROLE_CHOICES and role != to):
            continue
        more, less = people_words.difference(Role(user.role), role)
        said = [f"gains {user_forms.listed(more)}" if more else "gains nothing"]
        said.append(f"loses {user_forms.listed(less)}" if less else "loses nothing")
        found.append(Fact(role.value.capitalize(), "; ".join(said)))
    return found


def _wanted_role() -> Wanted | dict[str, str]:
    role, merchant = render.typed("role"), render.typed("merchant")
    if role not in people_words.ROLE_CHOICES:
        return {"role": "Choose a role."}
    return Wanted(role=Role(role), merchant_id=merchant or None)


@routes.get("/users/<user_id>/role")
@access.page(Permission.USERS_APPROVE)
def ask_role(user_id: str) -> Response:
    return _ask(user_id, _role_form)


@routes.post("/users/<user_id>/role")
@access.page(Permission.USERS_APPROVE)
def role(user_id: str) -> Response:
    return _do(user_id, _role_form, _wanted_role, done="The role is changed")


def _name_form(user: User, name: str) -> Form:
    typed = render.typed("name") if confirming.reason() else user.name or ""
    return Form(
        title="Change the name",
        lead=f"The desk calls them {name}.",
        action=f"/users/{user.id}/name",
        label="Change name",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        inputs=[user_forms.name_input(typed)],
    )


@routes.get("/users/<user_id>/name")
@access.page(Permission.USERS_APPROVE)
def ask_name(user_id: str) -> Response:
    return _ask(user_id, _name_form)


@routes.post("/users/<user_id>/name")
@access.page(Permission.USERS_APPROVE)
def name(user_id: str) -> Response:
    def wanted() -> Wanted:
        return Wanted(name=render.typed("name"))

    return _do(user_id, _name_form, wanted, done="The name is changed")


def _kyc_form(user: User, name: str) -> Form:
    typed = render.typed("kyc") or user.kyc
    return Form(
        title="Set the verification",
        lead=f"{name}: {people_words.KYC[user.kyc].word.lower()} now.",
        effects=["Only who is approved may move money; everybody else may read"],
        action=f"/users/{user.id}/kyc",
        label="Set verification",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        inputs=[user_forms.choice("kyc", "Verification", people_words.KYC_CHOICES, value=typed)],
    )


def _wanted_kyc() -> Wanted | dict[str, str]:
    typed = render.typed("kyc")
    known = typed in people_words.KYC_CHOICES
    return Wanted(kyc=Kyc(typed)) if known else {"kyc": "Choose one of these."}


@routes.get("/users/<user_id>/kyc")
@access.page(Permission.USERS_KYC)
def ask_kyc(user_id: str) -> Response:
    return _ask(user_id, _kyc_form)


@routes.post("/users/<user_id>/kyc")
@access.page(Permission.USERS_KYC)
def kyc(user_id: str) -> Response:
    return _do(user_id, _kyc_form, _wanted_kyc, done="The verification is set")


def _disable_form(user: User, name: str) -> Form:
    return Form(
        title="Disable this account",
        lead=f"{name}, {user.role}.",
        effects=[
            "They cannot sign in any more, and their tokens end",
            "Everything they are signed in to ends within seconds",
            "What they asked for and nobody has agreed to yet is cancelled",
            "Nothing they did is lost; the account can be enabled again",
        ],
        action=f"/users/{user.id}/disable",
        label="Disable account",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
        tone="danger",
    )


@routes.get("/users/<user_id>/disable")
@access.page(Permission.USERS_APPROVE)
def ask_disable(user_id: str) -> Response:
    return _ask(user_id, _disable_form)


@routes.post("/users/<user_id>/disable")
@access.page(Permission.USERS_APPROVE)
def disable(user_id: str) -> Response:
    def wanted() -> Wanted:
        return Wanted(state=Person.DISABLED)

    return _do(user_id, _disable_form, wanted, done="The account is disabled")


def _enable_form(user: User, name: str) -> Form:
    return Form(
        title="Enable this account",
        lead=f"{name}, {user.role}.",
        effects=[
            "They may sign in again with the password they had",
            "For an admin or finance, a second admin must agree within a day",
        ],
        action=f"/users/{user.id}/enable",
        label="Enable account",
        back=f"/users/{user.id}",
        trail=user_forms.trail(user, name),
    )


@routes.get("/users/<user_id>/enable")
@access.page(Permission.USERS_APPROVE)
def ask_enable(user_id: str) -> Response:
    return _ask(user_id, _enable_form)


@routes.post("/users/<user_id>/enable")
@access.page(Permission.USERS_APPROVE)
def enable(user_id: str) -> Response:
    def wanted() -> Wanted:
        return Wanted(state=Person.ACTIVE)

    return _do(user_id, _enable_form, wanted, done="The account is enabled")
