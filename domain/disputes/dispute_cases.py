"""The case of a dispute and what it holds: opened with the bank's deadline, told how it ended, settled by people."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.disputes import INQUIRY, Status
from core.money import Money, asset
from core.states import Case
from domain import database, pending
from domain.cases import case_events, cases
from domain.cases.cases import Finding
from domain.orders.release_holds import DISPUTE, Wanted
from domain.transitions import Why, move_together
from models.cases import CaseNote, ExceptionCase
from models.disputes import Dispute
from models.payments import Payment

KIND = "DISPUTE"
_ENDS = {
    Status.WON: "The bank has decided for us. Look whether all of the money is back, then settle this.",
    Status.LOST: "The bank has decided against us. What it kept is booked as lost; no seller was charged.",
    Status.WARNING_CLOSED: "The inquiry ended without a dispute. No money was taken.",
    Status.PREVENTED: "The dispute was prevented before it began.",
}


def reason_words(dispute: Dispute) -> str:
    """Write the provider's reason in plain letters."""
    return (dispute.reason or "no reason given").replace("_", " ")


def open_for(session: Session, payment: Payment, dispute: Dispute, *, why: Why) -> str | None:
    """Open the case of a dispute, due when the bank wants its answer. Gives its id.

    Writes: exception_cases, audit_log. Emits: exception.opened. Transaction: caller's.
    """
    amount = Money(dispute.amount_minor, asset(dispute.asset))
    asks = "asks about" if dispute.status in INQUIRY else "asks back"
    sentence = (
        f"The payer's bank {asks} {amount.major()} {amount.asset.code} of this payment"
        f" ({reason_words(dispute)})."
    )
    finding = Finding(
        KIND,
        dispute.provider_reference,
        sentence,
        at_risk=amount,
        payment=payment,
        due_at=dispute.evidence_due_at,
    )
    opened = cases.open_case(session, finding, why=why)
    key = f"{KIND}:{dispute.provider_reference}"
    known = select(ExceptionCase.id).where(ExceptionCase.subject_key == key)
    return opened or session.scalar(known)


def hold_of(dispute: Dispute) -> Wanted:
    """Say why a dispute holds its order's release."""
    amount = Money(dispute.amount_minor, asset(dispute.asset))
    said = f"The payer's bank disputes {amount.major()} {amount.asset.code}."
    return Wanted(DISPUTE, dispute.provider_reference, said, dispute.case_id)


def follow(session: Session, dispute: Dispute, *, has_ended: bool, why: Why) -> None:
    """Keep the case due when the bank wants its answer, and note on it how the dispute ended.

    It is settled by a person: an end that nobody has seen would be a silent one.
    Writes: exception_cases, case_notes. Emits: exception.noted. Transaction: caller's.
    """
    pending.write_rows(session)
    statement = select(ExceptionCase).where(ExceptionCase.id == dispute.case_id).with_for_update()
    case = session.scalars(statement.execution_options(populate_existing=True)).first()
    if case is None:
        return
    due = dispute.evidence_due_at
    if due is not None and case.sla_due_at != due and case.state != Case.RESOLVED:
        move_together(session, case, moves={}, values={"sla_due_at": due}, why=why)
    if has_ended:
        _note(session, case, f"Ended as {dispute.status.replace('_', ' ')}. {_end(dispute)}", why)


def _end(dispute: Dispute) -> str:
    return _ENDS[Status(dispute.status)]


def _note(session: Session, case: ExceptionCase, text: str, why: Why) -> None:
    values = {
        "id": ids.new("not"),
        "case_id": case.id,
        "actor": "system:worker",
        "note": text,
        "text_hash": hashing.sha256(text.encode()),
        "at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CaseNote).values(values).on_conflict_do_nothing()
    written = session.execute(statement.returning(CaseNote.id)).scalar()
    if written is not None:
        case_events.tell(session, "exception.noted", case, why=why, after={"noteId": written})
