"""Months of the books: how each stands, what keeps it from being closed, asking to close and to reopen it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import Field, StringConstraints

from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Pending,
    Session,
    endpoint,
    page,
    place_of,
    run_once,
)
from core import clock
from core.errors import invalid
from core.permissions import Permission
from domain import calendar
from domain.database import reading
from domain.periods import certificates, checklist, closing, late_facts, months, reopening
from domain.periods.checklist import BY_NAME, Carry
from domain.periods.months import Month
from models.control import Approval
from models.periods import PeriodClosing

blueprint = Blueprint("periods", __name__)
LONGEST_REASON = 500
Reason = Annotated[
    str, StringConstraints(min_length=3, max_length=LONGEST_REASON, strip_whitespace=True)
]
Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,255}$")]


class CarryIn(In):
    """What is left open, and why: one open case, or, where an item allows it, all that it found."""

    case_id: str | None = Field(default=None, min_length=1, max_length=64)
    item: str | None = Field(default=None, min_length=1, max_length=64)
    reason: Reason


class PeriodCloseIn(In):
    """What whoever asks says of the month, and what is carried forward into the next one."""

    note: Reason
    carry_forward: list[CarryIn] = Field(default_factory=list, max_length=closing.MOST_CARRIED)
    reference: Ref | None = None


class PeriodReopenIn(In):
    """Why the month is opened again; it stays on its closing for ever."""

    reason: Reason
    reference: Ref | None = None


class PeriodOut(Out):
    """A month of the books, on the house's calendar. from inclusive, to exclusive.

    fiscalYear: `2026`, or `2026/27` where it goes on into the next year; fiscalQuarter: 1 to 4 of it.
    closedAt, signers, chainHead, certificateSha256: of the closing that stands; null while none does.
    signers: who asked, and who agreed.
    """

    period_id: str
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    fiscal_year: str
    fiscal_quarter: int
    state: Literal["open", "closing", "closed", "reopened"]
    closed_at: str | None
    signers: list[str]
    chain_head: str | None
    certificate_sha256: str | None


class CarriedOut(Out):
    """What is carried forward: a case, or all that an item found."""

    case_id: str | None = None
    item: str | None = None
    reason: str


class ChecklistOut(Out):
    """One item. ok: nothing is in the way; count: what was found; link: where it is worked off."""

    item: Literal[tuple(BY_NAME)]  # type: ignore[valid-type]  # the names of the table
    ok: bool
    count: int
    link: str
    carried_forward: list[CarriedOut]


class ClosingOut(Out):
    """One closing of a month; one that was reopened bears its mark for ever."""

    no: int
    closed_at: str
    signers: list[str]
    note: str
    entries: int
    snapshot_sha256: str
    chain_head: str
    chain_length: int
    certificate_sha256: str | None
    reopened_at: str | None
    reopened_by: list[str]
    reopen_reason: str | None


class PeriodDetailOut(PeriodOut):
    """A month with its checklist (as signed once it is closed), all its closings, and its late facts."""

    checklist: list[ChecklistOut]
    closings: list[ClosingOut]
    late_facts: list[str]


def wire(month: Month) -> dict[str, Any]:
    """Write a month as lists show it."""
    stands = month.standing
    return {
        "periodId": month.id,
        "from": clock.rfc3339(month.span.begins),
        "to": clock.rfc3339(month.span.ends),
        "fiscalYear": calendar.fiscal_year_of(month.id),
        "fiscalQuarter": calendar.quarter_of(month.id),
        "state": month.state.value,
        "closedAt": clock.rfc3339(stands.closed_at) if stands else None,
        "signers": [stands.asked_by, stands.agreed_by] if stands else [],
        "chainHead": stands.journal_head if stands else None,
        "certificateSha256": stands.certificate_sha256 if stands else None,
    }


def _closing(row: PeriodClosing) -> dict[str, Any]:
    return {
        "no": row.no,
        "closedAt": clock.rfc3339(row.closed_at),
        "signers": [row.asked_by, row.agreed_by],
        "note": row.note,
        "entries": row.entries,
        "snapshotSha256": row.snapshot_sha256,
        "chainHead": row.journal_head,
        "chainLength": row.journal_seq,
        "certificateSha256": row.certificate_sha256,
        "reopenedAt": clock.rfc3339(row.reopened_at),
        "reopenedBy": [row.reopened_by, row.reopen_agreed_by] if row.reopened_at else [],
        "reopenReason": row.reopen_reason,
    }


def _checklist(session: Session, month: Month) -> list[Any]:
    """Give the checklist as it is now, or, of a closed month, as it was signed."""
    if month.standing is not None:
        return month.standing.checklist
    return [line.wire(month.span) for line in checklist.compute(session, month.span)]


def _pending(row: Approval) -> Answer:
    said = {
        "periodId": row.object_id,
        "status": "pending_approval",
        "approvalId": row.id,
        "approvalExpiresAt": clock.rfc3339(row.expires_at),
    }
    return Answer(202, said)


def _carries(found: list[CarryIn]) -> list[Carry]:
    for no, each in enumerate(found):
        if (each.case_id is None) == (each.item is None):
            raise invalid(f"carryForward.{no}", "Name either a case or an item.")
    return [Carry(each.reason, case_id=each.case_id, item=each.item) for each in found]


@endpoint(
    blueprint,
    "GET",
    "/api/periods",
    access=Permission.PERIODS_READ,
    query=PageQuery,
    answers={200: Listed[PeriodOut]},
    summary="List the months of the books, newest first, from the first entry to the running month.",
    requirement="S199",
)
def index(call: Call[NoBody, PageQuery]) -> Answer:
    place = place_of(call.query)
    before = place.before[1] if place.before else None
    with reading() as session:
        rows = months.list_months(session, limit=place.fetch, before=before)
    body = page(rows, place, wire=wire, mark=lambda month: (month.span.begins, month.id))
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/periods/{periodId}",
    access=Permission.PERIODS_READ,
    answers={200: PeriodDetailOut},
    errors=("NOT_FOUND",),
    summary="Read a month with what keeps it from being closed, or what was signed, and its late facts.",
    requirement="S199",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        month = months.get_month(session, call.path["periodId"])
        said = wire(month) | {
            "checklist": _checklist(session, month),
            "closings": [_closing(row) for row in month.closings],
            "lateFacts": late_facts.ids_of(session, month.id),
        }
    return Answer(200, said)


@endpoint(
    blueprint,
    "POST",
    "/api/periods/{periodId}/close",
    access=Permission.PERIODS_CLOSE,
    body=PeriodCloseIn,
    answers={202: Pending},
    key="R",
    errors=("NOT_FOUND", "CHECKLIST_RED", "INVALID_TRANSITION", "CONFLICT"),
    events=("approval.requested", "period.closed"),
    summary="Ask for a month to be closed; somebody else of finance or an admin agrees on the desk.",
    requirement="S199",
)
def close(call: Call[PeriodCloseIn, NoQuery]) -> Answer:
    body = call.body

    def work(session: Session) -> Answer:
        row = closing.ask(
            session,
            call.path["periodId"],
            _carries(body.carry_forward),
            actor=call.actor,
            source=call.source,
            note=body.note,
        )
        return _pending(row)

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/periods/{periodId}/reopen",
    access=Permission.PERIODS_REOPEN,
    body=PeriodReopenIn,
    answers={202: Pending},
    key="R",
    errors=("NOT_FOUND", "INVALID_TRANSITION", "CONFLICT"),
    events=("approval.requested", "period.reopened"),
    summary="Ask for the newest closed month to be opened again; it stays closed until somebody agrees.",
    requirement="S199",
)
def reopen(call: Call[PeriodReopenIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        row = reopening.ask(
            session,
            call.path["periodId"],
            actor=call.actor,
            source=call.source,
            reason=call.body.reason,
        )
        return _pending(row)

    return run_once(call, work)


@endpoint(
    blueprint,
    "GET",
    "/api/periods/{periodId}/certificate.pdf",
    access=Permission.PERIODS_READ,
    answers={200: None},
    errors=("NOT_FOUND", "CONFLICT"),
    media="application/pdf",
    summary="Download the certificate of a closed month, byte for byte as it was printed and hashed.",
    requirement="S199",
)
def certificate(call: Call[NoBody, NoQuery]) -> Response:
    with reading() as session:
        month = months.get_month(session, call.path["periodId"])
        found = certificates.open_standing(session, month)
    return Response(
        found.pdf,
        mimetype="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{found.name}"'},
    )
