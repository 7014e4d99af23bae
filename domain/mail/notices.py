"""What members of the staff are told by mail: each chooses which facts; a fact is told once, and never to
whoever brought it about.

`domain/mail/notice_facts.py` says what to tell of which fact; `domain/jobs/notices.py` gathers it into mails.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.permissions import FINANCE_ADMIN, HOLDERS, Permission
from core.states import STAFF, Person, Role
from domain import database
from domain.mail import mails
from domain.mail.mails import Outlet
from models.people import User
from models.proofs import Notice


class Kind(StrEnum):
    """One kind of fact."""

    CASE_ASSIGNED = "case_assigned"
    CASE_OVERDUE = "case_overdue"
    APPROVAL_NEEDED = "approval_needed"
    REQUEST_DECIDED = "request_decided"
    FREEZE_ENGAGED = "freeze_engaged"
    SECRET_OVERDUE = "secret_overdue"  # noqa: S105  # the name of a fact, no secret
    NEW_BROWSER = "new_browser"


_WORKERS = STAFF - {Role.AUDITOR}
# To whom a kind can happen at all, and who is told of it until they choose otherwise.
OFFERED: Mapping[Kind, frozenset[Role]] = {
    Kind.CASE_ASSIGNED: _WORKERS,
    Kind.CASE_OVERDUE: frozenset({Role.SUPPORT, Role.FINANCE, Role.ENGINEER}),
    Kind.APPROVAL_NEEDED: HOLDERS[Permission.APPROVALS_DECIDE],
    Kind.REQUEST_DECIDED: _WORKERS,
    Kind.FREEZE_ENGAGED: STAFF,
    Kind.SECRET_OVERDUE: HOLDERS[Permission.SECRETS_READ],
    Kind.NEW_BROWSER: STAFF,
}
DEFAULTS: Mapping[Kind, frozenset[Role]] = {
    Kind.CASE_ASSIGNED: _WORKERS,
    Kind.CASE_OVERDUE: frozenset({Role.FINANCE, Role.ENGINEER}),
    Kind.APPROVAL_NEEDED: FINANCE_ADMIN,
    Kind.REQUEST_DECIDED: _WORKERS,
    Kind.FREEZE_ENGAGED: HOLDERS[Permission.FREEZES_ENGAGE],
    Kind.SECRET_OVERDUE: HOLDERS[Permission.SECRETS_ROTATE],
    Kind.NEW_BROWSER: STAFF,
}


@dataclass(frozen=True)
class Fact:
    """What happened. key: what makes a second report the same fact; href: the page that shows it."""

    kind: Kind
    key: str
    text: str
    href: str


def offered(role: Role) -> list[Kind]:
    """List what somebody in a role can be told of."""
    return [kind for kind in Kind if role in OFFERED[kind]]


def wants(user: User, kind: Kind) -> bool:
    """Tell whether somebody is told of a kind: as they chose, else as their role has it."""
    role = Role(user.role)
    if role not in OFFERED[kind]:
        return False
    chosen = (user.notify or {}).get(kind.value)
    return chosen if isinstance(chosen, bool) else role in DEFAULTS[kind]


def choose(session: Session, user_id: str, wanted: Collection[Kind]) -> None:
    """Keep which kinds a member of the staff is told of.

    Writes: users.notify. Transaction: caller's.
    """
    user = session.get_one(User, user_id)
    kept = dict(user.notify or {})
    user.notify = kept | {kind.value: kind in wanted for kind in offered(Role(user.role))}
    session.flush()


def tell(
    session: Session,
    fact: Fact,
    *,
    by: str | None,
    users: Collection[str] = (),
    roles: Collection[Role] = (),
    but_person: str | None = None,
) -> None:
    """Tell a fact to the people named and to the holders of roles, who want to hear of it.

    by: who brought it about; but_person: a blind index whose accounts are left out.
    Writes: notices. Transaction: caller's.
    """
    if mails.outlet() == Outlet.NONE:
        return
    named = or_(User.id.in_(users), User.role.in_([role.value for role in roles]))
    statement = select(User).where(named, User.state == Person.ACTIVE.value)
    for user in session.scalars(statement.order_by(User.id)):
        is_theirs = user.id == by or (but_person is not None and user.person_index == but_person)
        if user.role in STAFF and not is_theirs and wants(user, fact.kind):
            _note(session, user.id, fact)


def hears(session: Session, kind: Kind, role: Role) -> bool:
    """Tell whether anybody in a role wants to hear of a kind."""
    statement = select(User).where(User.role == role.value, User.state == Person.ACTIVE.value)
    return any(wants(user, kind) for user in session.scalars(statement))


def _note(session: Session, user_id: str, fact: Fact) -> None:
    values = {
        "id": ids.new("ntc"),
        "user_id": user_id,
        "kind": fact.kind.value,
        "fact": fact.key,
        "text": fact.text,
        "href": fact.href,
        "at": clock.now(),
        "told_at": None,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(Notice).values(values).on_conflict_do_nothing())
