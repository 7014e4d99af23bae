"""What is told of which fact, and to whom; called where these facts arise, in their transaction."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.case_kinds import Team
from core.money_out import RULES, Act
from core.permissions import HOLDERS, Permission
from core.states import Case, Role
from domain.mail import mails, notices
from domain.mail.mails import Outlet
from domain.mail.notices import Fact, Kind
from models.cases import ExceptionCase
from models.control import Approval, Freeze
from models.people import DeskSession
from models.proofs import Notice

# Older ones were told when they were new, or before anybody could be told.
OVERDUE_SECONDS = 24 * 3600
MOST_OVERDUE = 100
TEAMS: Mapping[str, Role] = {
    Team.SUPPORT.value: Role.SUPPORT,
    Team.FINANCE.value: Role.FINANCE,
    Team.ENGINEERING.value: Role.ENGINEER,
}
_ENDED: Mapping[str, str] = {
    "approval.approved": "Agreed to",
    "approval.refused": "Refused",
    "approval.expired": "Expired",
    "approval.cancelled": "Cancelled",
}


def approval(session: Session, kind: str, row: Approval, *, by: str) -> None:
    """Tell those who may agree of a new request, and the asker of what became of theirs.

    kind: the event's type. Writes: notices. Transaction: caller's.
    """
    href = f"/approvals/{row.id}"
    if kind == "approval.requested":
        fact = Fact(Kind.APPROVAL_NEEDED, f"needed:{row.id}", row.text, href)
        roles = HOLDERS[RULES[Act(row.kind)].agrees]
        notices.tell(session, fact, by=by, roles=roles, but_person=row.requested_person)
    elif row.requested_kind == "user":
        text = f"{_ENDED[kind]}: {row.text}"
        fact = Fact(Kind.REQUEST_DECIDED, f"decided:{row.id}", text, href)
        notices.tell(session, fact, by=by, users=[row.requested_by])


def case_assigned(session: Session, case: ExceptionCase, *, by: str) -> None:
    """Tell whoever was given a case.

    Writes: notices. Transaction: caller's.
    """
    if case.owner_id is not None:
        # Given back and given again is told again.
        key = f"given:{case.id}:{clock.unix()}"
        fact = Fact(Kind.CASE_ASSIGNED, key, case.sentence, f"/exceptions/{case.id}")
        notices.tell(session, fact, by=by, users=[case.owner_id])


def cases_overdue(session: Session) -> int:
    """Tell the teams of cases whose time has just run out. Gives how many cases; each is told once.

    Writes: notices. Transaction: caller's.
    """
    teams = [
        team for team, role in TEAMS.items() if notices.hears(session, Kind.CASE_OVERDUE, role)
    ]
    now, since = clock.now(), clock.after(-OVERDUE_SECONDS)
    told = select(Notice.id).where(Notice.fact == "overdue:" + ExceptionCase.id)
    statement = select(ExceptionCase).where(
        ExceptionCase.state.in_((Case.OPEN.value, Case.ASSIGNED.value)),
        ExceptionCase.team.in_(teams),
        ExceptionCase.sla_due_at <= now,
        ExceptionCase.sla_due_at > since,
        # What the demo breaks is nobody's work.
        ExceptionCase.demo.is_(False),
        ~told.exists(),
    )
    rows = list(session.scalars(statement.order_by(ExceptionCase.sla_due_at).limit(MOST_OVERDUE)))
    for case in rows:
        href = f"/exceptions/{case.id}"
        fact = Fact(Kind.CASE_OVERDUE, f"overdue:{case.id}", case.sentence, href)
        notices.tell(session, fact, by=None, roles=[TEAMS[case.team]])
    return len(rows)


def freeze_engaged(session: Session, row: Freeze, *, by: str) -> None:
    """Tell the staff that money out is held.

    Writes: notices. Transaction: caller's.
    """
    held = "everything" if row.scope == "all" else f"{row.scope} {row.scope_id}"
    text = f"A freeze holds {held}: {row.reason}"
    fact = Fact(Kind.FREEZE_ENGAGED, f"frozen:{row.id}", text, "/freezes")
    notices.tell(session, fact, by=by, roles=HOLDERS[Permission.FREEZES_READ])


def secret_overdue(session: Session, secret_id: str, version_id: str, *, name: str) -> None:
    """Tell those who look after secrets that one is older than it should be.

    Writes: notices. Transaction: caller's.
    """
    text = f"Older than it should be: {name}"
    fact = Fact(Kind.SECRET_OVERDUE, f"old:{version_id}", text, f"/secrets/{secret_id}")
    notices.tell(session, fact, by=None, roles=HOLDERS[Permission.SECRETS_READ])


def signed_in(session: Session, row: DeskSession) -> None:
    """Tell somebody that they signed in from a browser they were never seen with; not at their first.

    Writes: notices. Transaction: caller's.
    """
    if mails.outlet() == Outlet.NONE:
        return
    desk = DeskSession.id.startswith("ses_", autoescape=True)
    earlier = select(DeskSession.id).where(
        DeskSession.user_id == row.user_id, DeskSession.id != row.id, desk
    )
    same = DeskSession.browser.is_not_distinct_from(row.browser)
    if session.scalar(earlier.limit(1)) and not session.scalar(earlier.where(same).limit(1)):
        text = "You signed in from a browser we had not seen. If it was not you, end it there"
        fact = Fact(Kind.NEW_BROWSER, f"browser:{row.id}", text, "/account")
        notices.tell(session, fact, by=None, users=[row.user_id])
