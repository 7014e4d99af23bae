"""Taking a case up, passing it on, writing on it. Settling it is `domain/cases/case_resolving.py`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Conflict, NotFound, invalid
from core.permissions import HOLDERS, Permission
from core.states import Case as State
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.cases import case_events, case_queries
from domain.mail import notice_facts
from domain.transitions import Why, move_together
from models.cases import CaseNote, ExceptionCase
from models.people import User

LONGEST_NOTE = 2000


def lock(session: Session, case_id: str, *, actor: Actor) -> ExceptionCase:
    """Load a case for change; its event, payment and order are locked before it, everywhere.

    Raises: NotFound. Transaction: caller's.
    """
    case_queries.get_case(session, case_id, actor=actor)
    statement = select(ExceptionCase).where(ExceptionCase.id == case_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _assert_unsettled(case: ExceptionCase) -> None:
    if case.state == State.RESOLVED.value:
        raise resolved_already(case)


def resolved_already(case: ExceptionCase) -> Conflict:
    """Make the error for an act on a case that is settled."""
    return Conflict(
        "This case is resolved already.",
        code="INVALID_TRANSITION",
        details={"kind": "case", "from": case.state, "verb": case.verb},
    )


def assign(
    session: Session, case_id: str, user_id: str | None, *, actor: Actor, source: str
) -> ExceptionCase:
    """Give a case to somebody of the staff, or to nobody; as it is already, nothing changes.

    Writes: exception_cases, state_changes. Emits: exception.assigned. Raises: NotFound,
    InvalidInput, Conflict when it is resolved or waits for a second person. Transaction: caller's.
    """
    case = lock(session, case_id, actor=actor)
    _assert_unsettled(case)
    if user_id is not None:
        assert_may_own(session, user_id)
    if case.owner_id == user_id and (user_id is None) == (case.state == State.OPEN.value):
        return case
    if user_id is None and case.approval_id is not None:
        raise Conflict("What was asked for waits for a second person; take that back first.")
    to = State.OPEN if user_id is None else State.ASSIGNED
    if user_id is None and case.state == State.CARRIED_FORWARD.value:
        raise Conflict("This case is carried forward; give it to somebody.")
    why = Why(actor, source)
    before = case.owner_id
    values: dict[str, object] = {"owner_id": user_id}
    move_together(session, case, moves={"case": to.value}, values=values, why=why)
    after = {"owner": user_id, "ownerBefore": before}
    case_events.tell(session, "exception.assigned", case, why=why, after=dict(after))
    notice_facts.case_assigned(session, case, by=actor.id)
    return case


def assert_may_own(session: Session, user_id: str) -> None:
    """Check that a person may be given cases: active, of the staff, and not only to read.

    Raises: InvalidInput
    """
    user = session.get(User, user_id)
    if user is None or user.state != "active" or not _works_on_cases(user):
        raise invalid("userId", "There is no active member of the staff with this id.")


def _works_on_cases(user: User) -> bool:
    return Role(user.role) in HOLDERS[Permission.EXCEPTIONS_ASSIGN]


def owners(session: Session) -> list[User]:
    """List the people to whom a case may be given, by name. Transaction: caller's, reads only."""
    roles = sorted(role.value for role in HOLDERS[Permission.EXCEPTIONS_ASSIGN])
    statement = select(User).where(User.state == "active", User.role.in_(roles))
    return list(session.scalars(statement.order_by(User.name, User.id)))


def add_note(session: Session, case_id: str, note: str, *, actor: Actor, source: str) -> CaseNote:
    """Write on a case; the same text by the same person is kept once. A settled case takes notes too.

    Writes: case_notes, event_log, audit_log. Emits: exception.noted. Raises: NotFound, InvalidInput.
    Transaction: caller's.
    """
    case = case_queries.get_case(session, case_id, actor=actor)
    if not 0 < len(note) <= LONGEST_NOTE:
        raise invalid("note", f"Between 1 and {LONGEST_NOTE:,} characters.")
    text_hash = hashing.sha256(note.encode())
    values = {
        "id": ids.new("not"),
        "case_id": case.id,
        "actor": actor.id,
        "note": note,
        "text_hash": text_hash,
        "at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CaseNote).values(values).on_conflict_do_nothing()
    written = session.execute(statement.returning(CaseNote.id)).scalar()
    same = select(CaseNote).where(
        CaseNote.case_id == case.id, CaseNote.actor == actor.id, CaseNote.text_hash == text_hash
    )
    row = session.scalars(same).first()
    if row is None:
        raise NotFound
    if written is not None:
        why = Why(actor, source)
        case_events.tell(session, "exception.noted", case, why=why, after={"noteId": row.id})
    return row


def notes_of(session: Session, case_id: str) -> list[CaseNote]:
    """List what people wrote on a case, oldest first."""
    statement = select(CaseNote).where(CaseNote.case_id == case_id)
    return list(session.scalars(statement.order_by(CaseNote.at, CaseNote.id)))
