"""People: oneself, the list of users, their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask import Blueprint
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    Listed,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Query,
    Several,
    endpoint,
    page,
    place_of,
)
from core import clock
from core.errors import Forbidden
from core.permissions import Permission
from core.states import Role
from domain import people, sessions
from domain.actors import Actor
from domain.database import reading, transaction
from models.people import User
from web import identity

blueprint = Blueprint("people", __name__)


class MeOut(Out):
    """Who the caller is. A key has `keyId` and `scopes` where a person has `userId` and `email`."""

    user_id: str | None = None
    email: str | None = None
    key_id: str | None = None
    scopes: list[str] | None = None
    role: str
    kyc: str
    merchant_id: str | None
    permissions: list[str]
    environment: str
    stepped_up_at: str | None


class UserOut(Out):
    """One person."""

    user_id: str
    email: str
    name: str | None
    role: str
    kyc: str
    state: Literal["active", "disabled", "locked"]
    merchant_id: str | None
    second_factor: bool
    last_seen_at: str | None
    created_at: str


class SessionOut(Out):
    """One signed-in browser or issued token."""

    session_id: str
    kind: Literal["desk", "jwt"]
    created_at: str
    seen_at: str
    address: str | None
    browser: str | None
    current: bool


class SessionsOut(Out):
    """All live sessions of a person."""

    items: list[SessionOut]
    next_cursor: None


class UsersQuery(PageQuery):
    """Which users. q: an exact address or id, or a part of the name."""

    role: Several = ()
    kyc: Several = ()
    state: Several = ()
    q: str | None = Field(default=None, max_length=200)


class SessionQuery(Query):
    """Which session; all of them when none is named."""

    session_id: str | None = Field(default=None, max_length=64)


def _environment(actor: Actor) -> str:
    """Name the mode the caller works in: a key's own, else what this installation is."""
    if actor.livemode is not None:
        return "live" if actor.livemode else "test"
    return identity.settings().env


@endpoint(
    blueprint,
    "GET",
    "/api/me",
    access=Permission.SELF_READ,
    answers={200: MeOut},
    summary="Who am I, and what may I do?",
    requirement="S80",
)
def me(call: Call[NoBody, NoQuery]) -> Answer:
    actor = call.actor
    stepped_up_at = call.caller.stepped_up_at if call.caller else None
    said: dict[str, object] = {
        "role": actor.role.value,
        "kyc": actor.kyc.value,
        "merchantId": actor.merchant_id,
        "permissions": [each.value for each in Permission if actor.may(each)],
        "environment": _environment(actor),
        "steppedUpAt": clock.rfc3339(stepped_up_at),
    }
    if actor.kind == "key":
        return Answer(200, {"keyId": actor.id, "scopes": sorted(actor.scopes)} | said)
    with reading() as session:
        email = people.email_of(people.get_user(session, actor.id))
    return Answer(200, {"userId": actor.id, "email": email} | said)


@endpoint(
    blueprint,
    "GET",
    "/api/users",
    access=Permission.USERS_READ,
    query=UsersQuery,
    answers={200: Listed[UserOut]},
    summary="List the users.",
)
def index(call: Call[NoBody, UsersQuery]) -> Answer:
    asked, place = call.query, place_of(call.query)
    wanted = people.UserFilter(roles=asked.role, kyc=asked.kyc, states=asked.state, q=asked.q)
    with reading() as session:
        rows = people.list_users(session, wanted, limit=place.fetch, before=place.before)

    def mark(user: User) -> tuple[datetime, str]:
        return user.created_at, user.id

    return Answer(200, page(rows, place, wire=people.wire, mark=mark))


@endpoint(
    blueprint,
    "GET",
    "/api/users/{userId}",
    access=Permission.SELF_READ,
    answers={200: UserOut},
    errors=["NOT_FOUND"],
    summary="Read one user: oneself, or anybody for those who administer people.",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        user = people.get_visible_user(session, call.path["userId"], actor=call.actor)
        return Answer(200, people.wire(user))


def _assert_own_or_admin(actor: Actor, user_id: str) -> None:
    """Check that sessions are one's own, or that an administrator looks."""
    if actor.kind == "user" and (actor.id == user_id or actor.role == Role.ADMIN):
        return
    raise Forbidden("Sessions are shown to their own person and to administrators.")


@endpoint(
    blueprint,
    "GET",
    "/api/users/{userId}/sessions",
    access=Permission.SELF_READ,
    answers={200: SessionsOut},
    errors=["NOT_FOUND"],
    summary="List a user's signed-in browsers and issued tokens.",
)
def list_sessions(call: Call[NoBody, NoQuery]) -> Answer:
    actor, user_id = call.actor, call.path["userId"]
    with reading() as session:
        people.get_visible_user(session, user_id, actor=actor)
        _assert_own_or_admin(actor, user_id)
        rows = sessions.list_sessions(session, user_id)
    items = [sessions.wire(row, current_id=actor.session_id) for row in rows]
    return Answer(200, {"items": items, "nextCursor": None})


@endpoint(
    blueprint,
    "DELETE",
    "/api/users/{userId}/sessions",
    access=Permission.SELF_READ,
    query=SessionQuery,
    answers={204: None},
    errors=["NOT_FOUND"],
    events=["session.revoked"],
    summary="End one session of a user, or all of them, within five seconds everywhere.",
)
def end_sessions(call: Call[NoBody, SessionQuery]) -> Answer:
    actor, user_id, session_id = call.actor, call.path["userId"], call.query.session_id
    with transaction() as session:
        people.get_visible_user(session, user_id, actor=actor)
        _assert_own_or_admin(actor, user_id)
        if session_id is None:
            sessions.end_all(session, user_id, actor=actor)
        else:
            sessions.end_session(session, session_id, user_id=user_id, actor=actor)
    identity.forget_cached()
    return Answer(204)
