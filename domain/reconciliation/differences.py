"""What differed: one row per run, kind and subject; a case per subject for what people must decide."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from core import clock, ids
from core.book_states import Difference as State
from core.money import Money
from core.recon_kinds import KINDS, NOT_COMPARED, case_subject
from core.states import Case
from domain import database
from domain.actors import system
from domain.cases import case_acts, cases
from domain.cases.cases import Finding
from domain.reconciliation import runs
from domain.transitions import Why, move_together
from models.cases import ExceptionCase
from models.payments import Payment
from models.reconciliation import ReconciliationDifference as Difference
from models.reconciliation import ReconciliationRun

CASE = "RECON_DIFFERENCE"
# What was made right at the edge of a window may be in the one list and not in the other.
EDGE = timedelta(minutes=5)
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Found:
    """One difference. ours, theirs, books: what each says, for people; None: it was not asked.

    subject: what it is about, the same in every run; case_about: what its case is about, where that is
    another thing than the subject; effect, effect_hash: what a backfill would do.
    """

    kind: str
    subject: str
    subject_at: datetime
    ours: str | None = None
    theirs: str | None = None
    books: str | None = None
    at_risk: Money | None = None
    payment: Payment | None = None
    reference: str | None = None
    state: State = State.OPEN
    effect: str | None = None
    effect_hash: str | None = None
    case_about: str | None = None
    has_case: bool = True


def record(session: Session, run: ReconciliationRun, found: Found) -> bool:
    """Keep a difference; one that waits for people has a case, its subject's only one.

    Gives False when this run has it already. Writes: reconciliation_differences, exception_cases,
    audit_log. Emits: exception.opened. Transaction: caller's.
    """
    case_id = _case_of(session, run, found) if _is_for_people(found) else None
    values = {
        "id": ids.new("dif"),
        "run_id": run.id,
        "kind": found.kind,
        "subject": found.subject[:_LONGEST_NAME],
        "ours": found.ours,
        "theirs": found.theirs,
        "books": found.books,
        "asset": str(found.at_risk.asset) if found.at_risk else None,
        "amount_minor": found.at_risk.minor if found.at_risk else None,
        "payment_id": found.payment.id if found.payment else None,
        "provider_reference": found.reference,
        "case_id": case_id,
        "state": found.state.value,
        "effect": found.effect,
        "effect_hash": found.effect_hash,
        "subject_at": found.subject_at,
        "found_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    insert = dialect.insert(Difference).values(values).on_conflict_do_nothing()
    return session.scalar(insert.returning(Difference.id)) is not None


def _is_for_people(found: Found) -> bool:
    return found.state == State.OPEN and found.has_case


def sentence(found: Found, label: str) -> str:
    """Say a difference in one sentence, with what each side says."""
    said = [("We say", found.ours), (f"{label} says", found.theirs), ("the books say", found.books)]
    told = "; ".join(f"{who} {what}" for who, what in said if what is not None)
    return f"{KINDS[found.kind].label}. {told[:1].upper()}{told[1:]}."


def _case_of(session: Session, run: ReconciliationRun, found: Found) -> str | None:
    subject = case_subject(found.kind, found.case_about or found.subject)
    finding = Finding(
        CASE,
        subject,
        sentence(found, run.provider.capitalize())[:2000],
        expected=found.ours or found.books,
        found=found.theirs or found.books,
        at_risk=found.at_risk,
        payment=found.payment,
    )
    why = Why(system("reconciliation"), runs.source_of(run))
    opened = cases.open_case(session, finding, why=why)
    if opened is not None:
        return opened
    known = select(ExceptionCase.id).where(ExceptionCase.subject_key == f"{CASE}:{subject}")
    return session.scalar(known)


def count(session: Session, run_id: str) -> int:
    """Count what differed in a run, each subject once. Transaction: caller's, reads only."""
    statement = select(func.count(func.distinct(Difference.subject)))
    return session.scalar(statement.where(Difference.run_id == run_id)) or 0


def known_of(session: Session, run_id: str, subjects: Collection[str]) -> set[str]:
    """Tell which of some subjects differed in a run already. Transaction: caller's, reads only."""
    statement = select(Difference.subject).where(
        Difference.run_id == run_id, Difference.subject.in_(subjects)
    )
    return set(session.scalars(statement))


def list_gone(
    session: Session, run: ReconciliationRun, *, after: str, limit: int
) -> list[Difference]:
    """List what earlier runs found in this one's window and this one does not, by id.

    Transaction: caller's, reads only.
    """
    now, doubtful = aliased(Difference), aliased(Difference)
    again = (
        select(now.id)
        .where(now.run_id == run.id, now.kind == Difference.kind, now.subject == Difference.subject)
        .exists()
    )
    unknown = (
        select(doubtful.id)
        .where(
            doubtful.run_id == run.id,
            doubtful.kind == NOT_COMPARED,
            (doubtful.subject == Difference.subject)
            | (doubtful.payment_id == Difference.payment_id),
        )
        .exists()
    )
    statement = (
        select(Difference)
        .join(ReconciliationRun, ReconciliationRun.id == Difference.run_id)
        .where(
            Difference.state.in_((State.OPEN.value, State.OFFERED.value, State.STALE.value)),
            Difference.subject_at >= run.window_from + EDGE,
            Difference.subject_at < run.window_to - EDGE,
            Difference.run_id != run.id,
            Difference.found_at < run.started_at,
            Difference.id > after,
            ReconciliationRun.provider == run.provider,
            ReconciliationRun.livemode.is_(run.livemode),
            ~again,
            ~unknown,
        )
        .order_by(Difference.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def note_gone(session: Session, run: ReconciliationRun, row: Difference) -> None:
    """Note that a later run found a difference no more: on its row, and on its case if that is open.

    The case stays with people: that a difference went away says nothing of why.
    Writes: reconciliation_differences, case_notes. Emits: exception.noted. Transaction: caller's.
    """
    actor = system("reconciliation")
    why = Why(actor, runs.source_of(run), "a later run found it no more")
    values: dict[str, object] = {"gone_at": clock.now()}
    moves = {"difference": State.GONE.value}
    move_together(session, row, moves=moves, values=values, why=why)
    case = session.get(ExceptionCase, row.case_id) if row.case_id else None
    if case is not None and case.state != Case.RESOLVED.value:
        note = f"{KINDS[row.kind].label}: the comparison {run.id} finds this no more."
        case_acts.add_note(session, case.id, note, actor=actor, source=why.source)
