"""Giving and taking the rights of staff: a person's role, an account enabled again, an invitation to staff.

Bound to who, from which role and state, to which. Asked for and agreed to by admins who are still
admins at that moment; nobody decides about an account of their own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from core.errors import Conflict, Forbidden, SamePerson
from core.money_out import Act
from core.states import STAFF, Person, Role
from core.strictjson import Json
from core.vault import CannotOpen
from domain import audit, events
from domain.actors import Actor
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.people import account_links, people, sessions
from domain.secrets import keyring
from domain.transitions import Why, move
from models.people import User

# Whoever holds one of these can be the second person of somebody else's act.
GRANTED = frozenset({Role.ADMIN, Role.FINANCE})
INVITATION = "invitation"
_OBJECT = "user"
_ANOTHER = "Somebody else must do this: it is an account of your own."


@dataclass(frozen=True)
class Change:
    """What a person shall become. merchant_id: whose they are, for the role merchant."""

    role: Role
    state: Person
    merchant_id: str | None = None


@dataclass(frozen=True)
class Invitation:
    """Somebody who has no account yet."""

    email: str
    role: Role
    name: str | None = None
    merchant_id: str | None = None


def is_guarded(user: User, to: Change) -> bool:
    """Tell whether a change gives or takes rights of staff, so that the table of money out decides."""
    moves_role = to.role != user.role and bool({to.role, Role(user.role)} & STAFF)
    opens_staff = to.state != user.state and to.state == Person.ACTIVE and to.role in STAFF
    return moves_role or opens_staff


def content(user: User, to: Change) -> Content:
    """Say what a change of somebody's rights is."""
    is_new = to.role != user.role or to.state != user.state
    name = user.name or user.id
    if to.role != user.role:
        text = f"Change of role from {user.role} to {to.role.value}: {name}"
    else:
        text = f"Let in again as {user.role}: {name}"
    return Content(
        Act.ROLE_CHANGE,
        object_kind=_OBJECT,
        object_id=user.id,
        text=text,
        details={
            "fromRole": user.role,
            "fromState": user.state,
            "role": to.role.value,
            "state": to.state.value,
            "merchantId": to.merchant_id,
            "needsSecond": is_new and to.state == Person.ACTIVE and to.role in GRANTED,
        },
        demo=user.demo,
    )


def _invited_id(email: str) -> str:
    # The same for the same address, so that one invitation of it waits at a time.
    return f"inv_{people.email_index(email)[:32]}"


def _place(object_id: str) -> str:
    return f"approvals|email|{object_id}"


def invitation(wanted: Invitation) -> Content:
    """Say what an invitation to staff is; the address is sealed until there is an account to hold it."""
    object_id = _invited_id(wanted.email)
    who = f"{wanted.name}, {masked(wanted.email)}" if wanted.name else masked(wanted.email)
    sealed = keyring.seal_text(wanted.email, purpose="email", place=_place(object_id))
    return Content(
        Act.ROLE_CHANGE,
        object_kind=INVITATION,
        object_id=object_id,
        text=f"Invitation as {wanted.role.value}: {who}",
        details={
            "email": base64.b64encode(sealed).decode(),
            "name": wanted.name,
            "role": wanted.role.value,
            "state": Person.ACTIVE.value,
            "needsSecond": wanted.role in GRANTED,
        },
    )


def masked(email: str) -> str:
    """Write an address so that whoever knows it recognises it."""
    local, _, host = email.rpartition("@")
    return f"{local[:1]}…@{host}"


def invited(asked: Content) -> Invitation | None:
    """Read whom a waiting invitation is for; None when it cannot be opened any more."""
    details = asked.details
    try:
        sealed = base64.b64decode(str(details["email"]), validate=True)
        email = keyring.open_text(sealed, purpose="email", place=_place(asked.object_id))
    except (CannotOpen, KeyError, binascii.Error):
        return None
    name = details.get("name")
    return Invitation(email, Role(str(details["role"])), str(name) if name else None)


def lock(session: Session, user_ids: Collection[str]) -> dict[str, User]:
    """Lock people and every active admin, in one order, so that the last admin cannot leave twice.

    Transaction: caller's.
    """
    is_admin = and_(User.role == Role.ADMIN.value, User.state == Person.ACTIVE.value)
    statement = (
        select(User)
        .where(or_(User.id.in_(user_ids), is_admin))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {user.id: user for user in session.scalars(statement)}


def _is_admin(user: User | None) -> bool:
    return user is not None and user.role == Role.ADMIN and user.state == Person.ACTIVE


def assert_still_admins(locked: dict[str, User], actor_ids: Collection[str]) -> None:
    """Check that whoever asks and whoever agrees are admins now.

    Raises: Forbidden
    """
    if not all(_is_admin(locked.get(each)) for each in actor_ids):
        raise Forbidden("Whoever asks for this and whoever agrees must be admins at that moment.")


def assert_not_last_admin(locked: dict[str, User], user: User) -> None:
    """Check that an active admin is left without this one.

    Raises: Conflict
    """
    others = [each for each in locked.values() if _is_admin(each) and each.id != user.id]
    if _is_admin(user) and not others:
        raise Conflict("This is the last admin. Make somebody else admin first.")


def assert_another(session: Session, index: str, actor_ids: Collection[str]) -> None:
    """Check that an account belongs to none of those who decide about it, under any of their addresses.

    index: the person's blind index. Raises: SamePerson
    """
    for actor_id in actor_ids:
        user = session.get(User, actor_id)
        if user is not None and people.person_index_of(user) == index:
            raise SamePerson(_ANOTHER)


def apply(session: Session, user: User, to: Change, *, why: Why) -> None:
    """Change a locked person's role and state, and sign them out everywhere.

    Writes: users, state_changes, desk_sessions, revoked_tokens, account_links, event_log, audit_log.
    Emits: user.changed, session.revoked. Transaction: caller's.
    """
    before: dict[str, Json] = {
        "role": user.role,
        "state": user.state,
        "merchantId": user.merchant_id,
    }
    what = "role" if user.role != to.role else "state"
    user.role = to.role.value
    user.merchant_id = to.merchant_id
    session.flush()
    move(session, "user", user, to=to.state.value, why=why)
    if to.state != Person.ACTIVE:
        account_links.end_all(session, user.id)
    after: dict[str, Json] = {
        "role": user.role,
        "state": user.state,
        "merchantId": user.merchant_id,
    }
    tell(session, user, what, before=before, after=after, why=why)
    sessions.end_all(session, user.id, actor=why.actor)


def tell(
    session: Session,
    user: User,
    what: str,
    *,
    before: dict[str, Json],
    after: dict[str, Json],
    why: Why,
) -> None:
    """Write down what was changed about a person.

    Writes: event_log, audit_log. Emits: user.changed. Transaction: caller's.
    """
    body: dict[str, Json] = {"userId": user.id, "what": what}
    about = people.about_user(user.id)
    events.append(session, [events.row("user.changed", about, source=why.source, body=body)])
    audit.write(
        session,
        "user.change",
        actor=why.actor,
        object_kind="user",
        object_id=user.id,
        source=why.source,
        reason=why.reason,
        before=before,
        after=after,
    )


def _read(session: Session, asked: Content) -> Content | None:
    if asked.object_kind == INVITATION:
        wanted = invited(asked)
        is_free = wanted is not None and people.find_user(session, wanted.email) is None
        return asked if is_free else None
    user = session.get(User, asked.object_id, populate_existing=True)
    return content(user, _change(asked)) if user is not None else None


def _change(asked: Content) -> Change:
    details = asked.details
    merchant_id = details.get("merchantId")
    return Change(
        Role(str(details["role"])),
        Person(str(details["state"])),
        str(merchant_id) if merchant_id else None,
    )


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    asked, deciders = warrant.content, {warrant.maker_id, warrant.actor.id}
    if asked.object_kind == INVITATION:
        return {"userId": bring_in(session, warrant)[0].id}
    locked = lock(session, {*deciders, asked.object_id})
    assert_still_admins(locked, deciders)
    user, to = locked[asked.object_id], _change(asked)
    warrant.assert_covers(content(user, to))
    assert_another(session, people.person_index_of(user), deciders)
    if to.role != Role.ADMIN or to.state != Person.ACTIVE:
        assert_not_last_admin(locked, user)
    apply(session, user, to, why=Why(warrant.actor, warrant.source, warrant.reason))
    return {"userId": user.id}


def bring_in(session: Session, warrant: Warrant) -> tuple[User, str]:
    """Make the account of staff whose invitation was agreed to. Gives it with its link.

    Writes, emits: as `welcome`. Raises: Forbidden, SamePerson, Conflict. Transaction: caller's.
    """
    deciders = {warrant.maker_id, warrant.actor.id}
    assert_still_admins(lock(session, deciders), deciders)
    wanted = invited(warrant.content)
    if wanted is None:
        raise Conflict("This invitation cannot be read any more. Ask again.")
    assert_another(session, people.person_index(wanted.email), deciders)
    return welcome(
        session, wanted, actor=warrant.actor, source=warrant.source, reason=warrant.reason
    )


def welcome(
    session: Session, wanted: Invitation, *, actor: Actor, source: str, reason: str | None
) -> tuple[User, str]:
    """Make the account of somebody invited, and the letter that brings them in. Gives it with its link.

    Writes: users, account_links, mails, event_log, audit_log. Emits: user.created.
    Raises: InvalidInput, Conflict USER_EXISTS. Transaction: caller's.
    """
    new = people.NewUser(
        email=wanted.email, role=wanted.role, name=wanted.name, merchant_id=wanted.merchant_id
    )
    user = people.create_user(session, new, actor=actor, source=source)
    made = account_links.make(session, user, actor=actor, source=source, reason=reason)
    return user, made.url


KIND = Kind(read=_read, carry_out=_carry_out)
