"""Reading people for the desk: the list, one person with what waits and what was done; writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from core.money_out import Act
from core.states import Approval as State
from core.states import Person, Role
from domain.audit_reading import AuditFilter, Entry, list_entries
from domain.control.acts import role_change
from domain.control.approvals import content_of
from domain.payments.payments import Page
from domain.people import people
from domain.people.people import UserFilter
from models.audit import AuditRow
from models.control import Approval
from models.people import Merchant, User
from models.proofs import Passkey

MOST_MERCHANTS = 200


@dataclass(frozen=True)
class Waiting:
    """A request about rights that a second admin must agree to. email: of whom it invites."""

    row: Approval
    email: str | None


def list_page(
    session: Session, wanted: UserFilter, *, page: Page
) -> tuple[list[User], tuple[datetime, str] | None]:
    """List people, newest first, with where the next page begins."""
    statement = select(User).where(*people.conditions(wanted))
    if page.before:
        statement = statement.where(tuple_(User.created_at, User.id) < page.before)
    newest = (User.created_at.desc(), User.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(page.limit + 1)))
    more = rows[page.limit - 1] if len(rows) > page.limit else None
    return rows[: page.limit], (more.created_at, more.id) if more else None


def with_passkeys(session: Session, user_ids: Collection[str]) -> set[str]:
    """Tell which of these people have a passkey."""
    found = select(Passkey.user_id).where(Passkey.user_id.in_(user_ids)).distinct()
    return set(session.scalars(found)) if user_ids else set()


def is_last_admin(session: Session, user: User) -> bool:
    """Tell whether nobody else is an active admin; for showing only, the act asks under a lock."""
    if user.role != Role.ADMIN or user.state != Person.ACTIVE:
        return False
    others = select(func.count()).where(
        User.role == Role.ADMIN.value, User.state == Person.ACTIVE.value, User.id != user.id
    )
    return not session.scalar(others)


def waiting(session: Session, *, user_id: str | None = None) -> list[Waiting]:
    """List the requests about rights that wait: those about one person, or all."""
    statement = select(Approval).where(
        Approval.kind == Act.ROLE_CHANGE.value, Approval.state == State.PENDING.value
    )
    if user_id is not None:
        statement = statement.where(
            or_(Approval.object_id == user_id, Approval.requested_by == user_id)
        )
    rows = session.scalars(statement.order_by(Approval.requested_at.desc()))
    return [Waiting(row, invited_email(row)) for row in rows]


def invited_email(row: Approval) -> str | None:
    """Open the address that an invitation which waits is for; None when it is none, or its key is gone."""
    if row.object_kind != role_change.INVITATION:
        return None
    found = role_change.invited(content_of(row))
    return found.email if found else None


def audit_about(session: Session, user_id: str, *, limit: int) -> list[Entry]:
    """List what was last done to a person, and what they last did."""
    about = list_entries(session, AuditFilter(object_id=user_id), limit=limit)
    by = list_entries(session, AuditFilter(actor=user_id), limit=limit)
    each = {entry.row.id: entry for entry in (*about, *by)}
    return sorted(each.values(), key=_newest, reverse=True)[:limit]


def _newest(entry: Entry) -> tuple[datetime, str]:
    row: AuditRow = entry.row
    return row.at, row.id


def merchants(session: Session) -> list[Merchant]:
    """List merchants by name, for a form to choose from."""
    statement = select(Merchant).where(Merchant.is_house.is_(False)).order_by(Merchant.name)
    return list(session.scalars(statement.limit(MOST_MERCHANTS)))
