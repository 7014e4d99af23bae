"""Manual entries that should have been reversed by now: each opens a case once, and its reversal settles it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, exists, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core import clock
from core.money import Money
from core.states import Case as State
from core.strictjson import Json
from domain import calendar
from domain.books import ledger
from domain.cases import case_events, cases
from domain.cases.cases import Finding
from domain.transitions import Why, move_together
from models.cases import ExceptionCase
from models.ledger import JournalEntry

KIND = "REVERSAL_DUE"
BATCH = 100


def find_due(session: Session) -> list[str]:
    """List manual entries whose day has come, not reversed, of which no case tells; the oldest first.

    Transaction: caller's, reads only.
    """
    told = exists().where(ExceptionCase.subject_key == _key_of_entry())
    statement = (
        select(JournalEntry.id)
        .where(
            JournalEntry.reversal_due_on <= calendar.today(),
            ~_is_reversed(JournalEntry.id),
            ~told,
        )
        .order_by(JournalEntry.reversal_due_on, JournalEntry.id)
    )
    return list(session.scalars(statement.limit(BATCH)))


def find_settled(session: Session) -> list[str]:
    """List reversed entries whose case still waits: it was opened while they were being reversed.

    Transaction: caller's, reads only.
    """
    statement = (
        select(JournalEntry.id)
        .join(ExceptionCase, ExceptionCase.subject_key == _key_of_entry())
        .where(ExceptionCase.state != State.RESOLVED.value, _is_reversed(JournalEntry.id))
    )
    return list(session.scalars(statement.limit(BATCH)))


def _key_of_entry() -> ColumnElement[str]:
    return literal(f"{KIND}:").concat(JournalEntry.id)


def _is_reversed(entry_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    reversal = aliased(JournalEntry)
    return exists().where(reversal.reverses_id == entry_id)


def remind(session: Session, entry_id: str, *, why: Why) -> str | None:
    """Open the case of an entry that is to be reversed. Gives the case's id, None when it has one.

    Writes: exception_cases, event_log, audit_log. Emits: exception.opened. Transaction: caller's.
    """
    entry = session.get_one(JournalEntry, entry_id)
    due = entry.reversal_due_on
    assert due is not None  # for the type checker; only such entries are found
    movements = ledger.movements_of(session, entry_id)
    finding = Finding(
        KIND,
        entry_id,
        f"Journal entry {entry_id} was to be reversed by {due}: {entry.note}",
        expected=f"reversed by {due}",
        found="not reversed",
        at_risk=_sum([amount for _, _, amount in movements]),
        due_at=calendar.begin_of(due + timedelta(days=1)),
    )
    return cases.open_case(session, finding, why=why)


def _sum(amounts: list[Money]) -> Money | None:
    units = {amount.asset for amount in amounts}
    return Money(sum(each.minor for each in amounts), units.pop()) if len(units) == 1 else None


def settle(session: Session, entry_id: str, reversal_id: str, *, by: str, why: Why) -> None:
    """Settle the case of an entry that has been reversed, if it has one that waits.

    No verb settled it: what it asked for was done. by: whose decision that was.
    Writes: exception_cases, state_changes. Emits: exception.resolved. Transaction: caller's.
    """
    statement = select(ExceptionCase).where(
        ExceptionCase.subject_key == f"{KIND}:{entry_id}",
        ExceptionCase.state != State.RESOLVED.value,
    )
    locked = statement.with_for_update().execution_options(populate_existing=True)
    case = session.scalars(locked).first()
    if case is None:
        return
    said: dict[str, Json] = {"entryId": reversal_id, "note": "The entry was reversed."}
    values: dict[str, object] = {
        "resolved_at": clock.now(),
        "resolved_by": by,
        "resolution": said,
    }
    move_together(session, case, moves={"case": State.RESOLVED.value}, values=values, why=why)
    after: dict[str, Json] = {"verb": None, "entryId": reversal_id}
    case_events.tell(session, "exception.resolved", case, why=why, after=after)
