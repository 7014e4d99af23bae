"""People: oneself, the list of users, inviting and changing them, their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask import Blueprint
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Pending,
    Query,
    Several,
    Text,
    endpoint,
    page,
    place_of,
)
from core import clock
from core.errors import Forbidden, invalid
from core.permissions import Permission
from core.states import Kyc, Person, Role
from core.strictjson import Json
from domain.actors import Actor
from domain.control.acts.role_change import Invitation
from domain.database import reading, transaction
from domain.people import people, rights, sessions
from domain.people.rights import Wanted
from models.control import Approval
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


RoleIn = Literal[
    "buyer", "seller", "merchant", "support", "finance", "admin", "engineer", "auditor"
]


class InviteIn(In):
    """Whom to invite. merchantId: whose they are, with the role merchant only."""

    email: str = Field(min_length=3, max_length=254)
    name: str | None = Field(default=None, max_length=people.LONGEST_NAME)
    role: RoleIn
    merchant_id: str | None = Field(default=None, max_length=40)


class ChangeIn(In):
    """What to change; what is left out stays."""

    role: RoleIn | None = None
    kyc: Literal["none", "pending", "approved", "rejected"] | None = None
    state: Literal["active", "disabled"] | None = None
    name: str | None = Field(default=None, max_length=people.LONGEST_NAME)
    reason: Text = Field(max_length=500)


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
        holders = people.with_a_factor(session, [row.id for row in rows])

    def mark(user: User) -> tuple[datetime, str]:
        return user.created_at, user.id

    def wire(user: User) -> dict[str, Json]:
        return people.wire(user, has_factor=user.id in holders)

    return Answer(200, page(rows, place, wire=wire, mark=mark))


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
        return Answer(200, people.said(session, user))


def _pending(said: dict[str, object], approval: Approval) -> Answer:
    expires_at = clock.rfc3339(approval.expires_at)
    waits = {"status": "pending_approval", "approvalId": approval.id}
    return Answer(202, said | waits | {"approvalExpiresAt": expires_at})


@endpoint(
    blueprint,
    "POST",
    "/api/users",
    access=Permission.USERS_APPROVE,
    body=InviteIn,
    answers={201: UserOut, 202: Pending},
    errors=["USER_EXISTS", "SAME_PERSON", "STEP_UP_REQUIRED", "CONFLICT"],
    events=["user.created", "approval.requested"],
    summary="Invite somebody by mail; an account of staff is made when a second admin agrees.",
    requirement="S10",
)
def invite(call: Call[InviteIn, NoQuery]) -> Answer:
    body = call.body
    wanted = Invitation(body.email, Role(body.role), body.name, body.merchant_id)
    with transaction() as session:
        done = rights.invite(session, wanted, actor=call.actor, source=call.source, reason=None)
        if done.approval is not None:
            asked = {"email": body.email, "name": body.name, "role": body.role, "merchantId": None}
            return _pending(dict(asked), done.approval)
        assert done.user is not None
        said = people.said(session, done.user)
    return Answer(201, said, location=f"/api/users/{said['userId']}")


@endpoint(
    blueprint,
    "PATCH",
    "/api/users/{userId}",
    access=Permission.USERS_MANAGE,
    body=ChangeIn,
    answers={200: UserOut, 202: Pending},
    errors=["NOT_FOUND", "SAME_PERSON", "STEP_UP_REQUIRED", "CONFLICT"],
    events=["user.changed", "session.revoked", "approval.requested"],
    summary="Change a user; to or from a role of staff a second admin must agree.",
    requirement="S10",
)
def change(call: Call[ChangeIn, NoQuery]) -> Answer:
    body = call.body
    wanted = Wanted(
        role=Role(body.role) if body.role else None,
        state=Person(body.state) if body.state else None,
        kyc=Kyc(body.kyc) if body.kyc else None,
        name=body.name,
    )
    if wanted == Wanted():
        raise invalid("body", "Say what to change: role, kyc, state or name.", code="nothing")
    user_id, actor = call.path["userId"], call.actor
    with transaction() as session:
        done = rights.change(
            session, user_id, wanted, actor=actor, source=call.source, reason=body.reason
        )
        assert done.user is not None
        said = people.said(session, done.user)
    # A right that was just taken ends here at once, elsewhere within two seconds.
    identity.forget_cached()
    return _pending(dict(said), done.approval) if done.approval else Answer(200, said)


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
