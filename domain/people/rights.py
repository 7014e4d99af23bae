"""Changing people: role, state, verification and name; what gives or takes rights of staff goes through
`domain/control/money_out.py`. Both doors call this and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core.errors import Conflict, Forbidden, NotFound, invalid
from core.permissions import Permission
from core.states import STAFF, Kyc, Person, Role
from domain.actors import Actor
from domain.control import money_out
from domain.control.acts import role_change
from domain.control.acts.role_change import Change, Invitation
from domain.control.warrants import Content
from domain.people import account_links, people, sessions, step_up
from domain.transitions import Why
from models.control import Approval
from models.people import Merchant, User


@dataclass(frozen=True)
class Wanted:
    """What to change about a person; None leaves it. merchant_id: only with the role merchant."""

    role: Role | None = None
    state: Person | None = None
    kyc: Kyc | None = None
    name: str | None = None
    merchant_id: str | None = None


@dataclass(frozen=True)
class Done:
    """The person as they are now, None before they exist; and the approval that waits, or None.

    url: the link of an invitation just made, which nothing keeps in the clear.
    """

    user: User | None
    approval: Approval | None = None
    url: str | None = field(default=None, repr=False)


def assert_may(actor: Actor, wanted: Wanted) -> None:
    """Check who may change what: admins everything, finance the verification.

    Raises: Forbidden, also STEP_UP_REQUIRED
    """
    if wanted.kyc is not None and not actor.may(Permission.USERS_KYC):
        raise Forbidden
    others = (wanted.role, wanted.state, wanted.name)
    if any(each is not None for each in others) and not actor.may(Permission.USERS_APPROVE):
        raise Forbidden("Only an admin changes this about a person.")
    step_up.assert_fresh(actor)


def change(
    session: Session, user_id: str, wanted: Wanted, *, actor: Actor, source: str, reason: str
) -> Done:
    """Change a person.

    1. who may, just proved, and not about an account of their own; 2. everybody concerned locked;
    3. name, verification and what touches no right of staff at once; 4. the rest by the table.
    Writes: users, state_changes, desk_sessions, account_links, approvals, event_log, audit_log.
    Emits: user.changed, session.revoked, approval.requested.
    Raises: Forbidden, NotFound, SamePerson, InvalidInput, Conflict. Transaction: caller's.
    """
    assert_may(actor, wanted)
    locked = role_change.lock(session, {user_id, actor.id})
    user = locked.get(user_id)
    if user is None:
        raise NotFound
    if user.erased_at is not None:
        raise Conflict("This person was erased; nothing about them changes.", code="ALREADY_ERASED")
    if actor.may(Permission.USERS_APPROVE):
        role_change.assert_still_admins(locked, {actor.id})
    why = Why(actor, source, reason)
    if wanted.name is not None:
        _rename(session, user, wanted.name, why=why)
    if wanted.role is None and wanted.state is None and wanted.kyc is None:
        return Done(user)
    role_change.assert_another(session, people.person_index_of(user), {actor.id})
    if wanted.kyc is not None:
        _verify(session, user, wanted.kyc, why=why)
    to = _target(session, user, wanted)
    if to is None:
        return Done(user)
    if role_change.is_guarded(user, to):
        return _ask(session, role_change.content(user, to), user, why=why)
    if to.state != Person.ACTIVE:
        role_change.assert_not_last_admin(locked, user)
    role_change.apply(session, user, to, why=why)
    return Done(user)


def _target(session: Session, user: User, wanted: Wanted) -> Change | None:
    """Say what a person shall become, or None when they are that already."""
    role = wanted.role or Role(user.role)
    state = wanted.state or Person(user.state)
    if state == Person.LOCKED and user.state != Person.LOCKED:
        raise invalid("state", "A state is active or disabled.")
    home = _home(session, user, role, wanted.merchant_id)
    if role == user.role and state == user.state and home == user.merchant_id:
        return None
    return Change(role, state, home)


def _home(session: Session, user: User, role: Role, asked: str | None) -> str | None:
    """Say whose somebody is in a new role; whoever leaves a merchant sees nothing of it any more."""
    if asked is not None:
        _assert_merchant(session, role, asked)
    stays = role in (Role.MERCHANT, user.role) and role not in STAFF
    home = asked or (user.merchant_id if stays else None)
    people.assert_home(role, home)
    return home


def _assert_merchant(session: Session, role: Role, merchant_id: str) -> None:
    if role != Role.MERCHANT:
        raise invalid("merchantId", "Only the role merchant belongs to a merchant.")
    if session.get(Merchant, merchant_id) is None:
        raise invalid("merchantId", "There is no such merchant.")


def _ask(session: Session, content: Content, user: User | None, *, why: Why) -> Done:
    asked = money_out.ask(session, content, actor=why.actor, source=why.source, reason=why.reason)
    if isinstance(asked, Approval):
        return Done(user, asked)
    if user is None:
        made, url = role_change.bring_in(session, asked)
        return Done(made, url=url)
    role_change.KIND.carry_out(session, asked)
    return Done(user)


def _rename(session: Session, user: User, name: str, *, why: Why) -> None:
    cleaned = people.clean_name(name)
    if cleaned == user.name:
        return
    user.name = cleaned
    session.flush()
    # Names are personal data: the audit log says that one changed, not to what.
    role_change.tell(session, user, "name", before={}, after={"name": "changed"}, why=why)


def _verify(session: Session, user: User, kyc: Kyc, *, why: Why) -> None:
    if user.role in STAFF:
        raise Conflict("Staff are not verified this way; it is for buyers, sellers and merchants.")
    if kyc == user.kyc:
        return
    before, user.kyc = user.kyc, kyc.value
    session.flush()
    role_change.tell(session, user, "kyc", before={"kyc": before}, after={"kyc": user.kyc}, why=why)


def invite(
    session: Session, wanted: Invitation, *, actor: Actor, source: str, reason: str | None
) -> Done:
    """Invite somebody: an account and a letter at once, or for staff what the table says.

    Writes: users, account_links, mails, approvals, event_log, audit_log.
    Emits: user.created, approval.requested.
    Raises: Forbidden, SamePerson, InvalidInput, Conflict USER_EXISTS. Transaction: caller's.
    """
    if not actor.may(Permission.USERS_APPROVE):
        raise Forbidden("Only an admin invites people.")
    step_up.assert_fresh(actor)
    wanted = Invitation(
        people.clean_email(wanted.email),
        wanted.role,
        people.clean_name(wanted.name),
        wanted.merchant_id,
    )
    people.assert_home(wanted.role, wanted.merchant_id)
    if wanted.merchant_id is not None:
        _assert_merchant(session, wanted.role, wanted.merchant_id)
    if people.find_user(session, wanted.email) is not None:
        raise Conflict("There is a user with this address.", code="USER_EXISTS")
    role_change.assert_still_admins(role_change.lock(session, {actor.id}), {actor.id})
    role_change.assert_another(session, people.person_index(wanted.email), {actor.id})
    why = Why(actor, source, reason)
    if wanted.role in STAFF:
        return _ask(session, role_change.invitation(wanted), None, why=why)
    user, url = role_change.welcome(session, wanted, actor=actor, source=source, reason=reason)
    return Done(user, url=url)


def send_link(session: Session, user_id: str, *, actor: Actor, source: str, reason: str) -> str:
    """Send a person a new link: the invitation again, or a reset. Gives the link's address.

    Writes: account_links, mails, audit_log. Raises: Forbidden, NotFound, SamePerson, Conflict.
    Transaction: caller's.
    """
    if not actor.may(Permission.USERS_APPROVE):
        raise Forbidden("Only an admin sends people links.")
    step_up.assert_fresh(actor)
    user = people.get_user(session, user_id)
    role_change.assert_another(session, people.person_index_of(user), {actor.id})
    return account_links.make(session, user, actor=actor, source=source, reason=reason).url


def end_sessions(
    session: Session, user_id: str, *, actor: Actor, session_id: str | None = None
) -> int:
    """End one session of a person, or all of them. Gives how many.

    Writes, emits: as `sessions.end_all`. Raises: Forbidden, NotFound. Transaction: caller's.
    """
    if not actor.may(Permission.USERS_APPROVE):
        raise Forbidden("Only an admin ends other people's sessions.")
    people.get_user(session, user_id)
    if session_id is None:
        return len(sessions.end_all(session, user_id, actor=actor))
    sessions.end_session(session, session_id, user_id=user_id, actor=actor)
    return 1
