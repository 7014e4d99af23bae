"""Gathering what people are to be told into mails: one of a kind for a person within ten minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from core import clock
from core.states import STAFF, Person
from domain import database
from domain.mail import mails, notice_facts
from domain.mail.mails import Letter, Outlet
from domain.mail.notices import Kind
from models.people import User
from models.proofs import Notice

PAUSE_SECONDS = 600
MOST_LINES = 20
TITLES: Mapping[Kind, tuple[str, str]] = {
    Kind.CASE_ASSIGNED: ("A case is yours now", "{} cases are yours now"),
    Kind.CASE_OVERDUE: ("A case of your team is overdue", "{} cases of your team are overdue"),
    Kind.APPROVAL_NEEDED: ("An approval needs you", "{} approvals need you"),
    Kind.REQUEST_DECIDED: ("Your request was decided", "{} of your requests were decided"),
    Kind.FREEZE_ENGAGED: ("Money out is held", "{} freezes hold money out"),
    Kind.SECRET_OVERDUE: ("A secret is overdue", "{} secrets are overdue"),
    Kind.NEW_BROWSER: ("A sign-in from a new browser", "{} sign-ins from new browsers"),
}


def gather() -> bool:
    """Write the mails of one person who is to be told something. Gives False when nobody is.

    Writes: notices, mails. Transaction: opens its own.
    """
    if mails.outlet() == Outlet.NONE:
        return False
    with database.reading() as session:
        # Asked first without the write lock, since most of the time nobody is.
        if session.scalar(_due().limit(1)) is None:
            return False
    with database.transaction() as session:
        user = _next(session)
        if user is None:
            return False
        for kind in _due_kinds(session, user.id):
            _mail(session, user, Kind(kind))
    return True


def find_overdue() -> bool:
    """Note the cases whose time has just run out.

    Writes: notices. Transaction: opens its own.
    """
    if mails.outlet() == Outlet.NONE:
        return False
    with database.transaction() as session:
        return notice_facts.cases_overdue(session) >= notice_facts.MOST_OVERDUE


def _next(session: Session) -> User | None:
    """Lock somebody with something untold, whom no other worker looks after now."""
    due = _due().where(Notice.user_id == User.id).exists()
    statement = select(User).where(due).order_by(User.id).limit(1)
    return session.scalars(statement.with_for_update(skip_locked=True, key_share=True)).first()


def _due_kinds(session: Session, user_id: str) -> Sequence[str]:
    found = _due().where(Notice.user_id == user_id).distinct().order_by(Notice.kind)
    return list(session.scalars(found))


def _due() -> Select[str]:
    told = aliased(Notice)
    lately = select(told.id).where(
        told.user_id == Notice.user_id,
        told.kind == Notice.kind,
        told.told_at > clock.after(-PAUSE_SECONDS),
    )
    return select(Notice.kind).where(Notice.told_at.is_(None), ~lately.exists())


def _mail(session: Session, user: User, kind: Kind) -> None:
    statement = select(Notice).where(
        Notice.user_id == user.id, Notice.kind == kind.value, Notice.told_at.is_(None)
    )
    rows = list(session.scalars(statement.order_by(Notice.at, Notice.id)))
    for row in rows:
        row.told_at = clock.now()
    session.flush()
    if user.state == Person.ACTIVE and user.role in STAFF:
        mails.write(session, user, letter(kind, rows))


def letter(kind: Kind, rows: Sequence[Notice]) -> Letter:
    """Write what happened, each with the page that shows it."""
    one, many = TITLES[kind]
    title = one if len(rows) == 1 else many.format(len(rows))
    lines = [f"{row.text}\n{mails.link(row.href)}" for row in rows[:MOST_LINES]]
    if len(rows) > MOST_LINES:
        lines.append(f"And {len(rows) - MOST_LINES} more.")
    choose = f"Which of these reach you, you choose here: {mails.link('/account#notices')}"
    return Letter("notice", title, "\n\n".join([f"{title}.", *lines, choose]))
