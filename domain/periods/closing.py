"""Closing a month: asked for by one of finance with the checklist green, agreed to by another, carried out at once.

What is signed is the checklist and whatever it leaves open. When a second person agrees it is computed
anew with nobody posting: what is booked by then is in the snapshot, what comes after is a late fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import clock, ids
from core.book_states import Period as State
from core.errors import Conflict, IllegalTransition, invalid
from core.hashing import Plain
from core.money_out import RULES, Act
from core.states import Case
from core.strictjson import Json
from domain import audit, calendar, crash, events
from domain.actors import Actor
from domain.books import chains
from domain.cases.case_queries import UNRESOLVED
from domain.control import gates, money_out
from domain.control.gates import Gate
from domain.control.warrants import Content, Warrant
from domain.periods import checklist, closings, months, snapshots
from domain.periods.checklist import BY_NAME, Carry, Line
from domain.periods.months import Span
from domain.transitions import Why, move, move_together
from models.cases import ExceptionCase
from models.control import Approval
from models.periods import Period, PeriodClosing

MOST_CARRIED = 500


def content(month: str, close_no: int, signed: Sequence[Plain]) -> Content:
    """Say what closing a month is, as it is agreed to. close_no: which closing of it this will be."""
    return Content(
        Act.PERIOD_CLOSE,
        object_kind="period",
        object_id=month,
        text=f"Close {calendar.name_of(month)}",
        details={"closeNo": close_no, "checklist": list(signed)},
    )


def ask(
    session: Session, name: str, carried: Sequence[Carry], *, actor: Actor, source: str, note: str
) -> Approval:
    """Ask for a month to be closed; it waits as `closing` until a second person agrees or a day is over.

    Writes: approvals, periods, state_changes. Emits: approval.requested. Raises: NotFound, Forbidden,
    also STEP_UP_REQUIRED; InvalidInput; Conflict, also INVALID_TRANSITION and CHECKLIST_RED.
    Transaction: caller's.
    """
    month = months.get_month(session, name)
    plain = content(month.id, len(month.closings) + 1, [])
    money_out.assert_may_ask(RULES[Act.PERIOD_CLOSE], plain, actor=actor)
    if month.state == State.CLOSED:
        raise IllegalTransition("period", month.state.value, State.CLOSING.value)
    _assert_carriable(carried)
    lines = checklist.compute(session, month.span, carried)
    _assert_of_the_month(session, lines, carried)
    assert_green(lines)
    wanted = content(month.id, len(month.closings) + 1, checklist.signed(lines))
    got = money_out.ask(session, wanted, actor=actor, source=source, reason=note)
    assert isinstance(got, Approval)  # for the type checker; the table says: always a second person
    move(session, "period", months.lock(session, name), to=State.CLOSING, why=Why(actor, source))
    return got


def assert_green(lines: Sequence[Line]) -> None:
    """Check that nothing keeps a month from being closed.

    Raises: Conflict CHECKLIST_RED
    """
    if red := checklist.red(lines):
        names = [line.item.name for line in red]
        said = "; ".join(f"{line.item.problem} ({line.problems.count})" for line in red)
        raise Conflict(
            f"This keeps the month from being closed: {said}.",
            code="CHECKLIST_RED",
            details={"items": names},
        )


def _assert_carriable(carried: Sequence[Carry]) -> None:
    if len(carried) > MOST_CARRIED:
        raise invalid("carryForward", f"At most {MOST_CARRIED} at a time.")
    seen: set[str] = set()
    for no, each in enumerate(carried):
        key = each.case_id or each.item or ""
        if key in seen:
            raise invalid(f"carryForward.{no}", "Named twice.", code="duplicate")
        seen.add(key)
        item = BY_NAME.get(each.item or "")
        if each.item is not None and (item is None or not item.may_carry):
            raise invalid(f"carryForward.{no}.item", "This item cannot be carried forward.")


def _assert_of_the_month(session: Session, lines: Sequence[Line], carried: Sequence[Carry]) -> None:
    """Refuse a case that keeps this month from nothing; one that is settled meanwhile needs no carrying."""
    used = {each.case_id for line in lines for each in line.carried}
    for no, each in enumerate(carried):
        if each.case_id is None or each.case_id in used:
            continue
        case = session.get(ExceptionCase, each.case_id)
        if case is None or case.state in UNRESOLVED:
            raise invalid(f"carryForward.{no}.caseId", "No open case of this month has this id.")


def as_asked(session: Session, asked: Content) -> Content | None:
    """Say what the closing that was asked for would be now; None when the month does not wait for it.

    While an item is red the request stands as it was: it is worked off, or refused. Slow items are
    asked again only by the closing itself.
    """
    row = session.get(Period, asked.object_id, populate_existing=True)
    if row is None or row.state != State.CLOSING:
        return None
    said = asked.details.get("checklist")
    lines = checklist.compute(
        session,
        months.span_of(row.id),
        checklist.carries_of(said),
        known=checklist.slow_of(said),
    )
    if not checklist.is_green(lines):
        return asked
    return content(row.id, row.close_no + 1, checklist.signed(lines))


def take_back(session: Session, asked: Content, why: Why) -> None:
    """Open a month again whose closing nobody agreed to; one that was reopened stays so.

    Writes: periods, state_changes. Transaction: caller's.
    """
    row = months.lock(session, asked.object_id)
    if row.state == State.CLOSING:
        to = State.REOPENED if row.close_no else State.OPEN
        move(session, "period", row, to=to, why=why)


def carry_out(session: Session, warrant: Warrant) -> PeriodClosing:
    """Close a month, with nobody posting until the commit.

    1. nobody posts any more; 2. the checklist, anew; 3. it is what was signed; 4. cases are carried
    forward; 5. every row is linked; 6. the snapshot; 7. the closing, told and audited.
    Writes: periods, period_closings, period_balances, exception_cases, chain_links, state_changes.
    Emits: period.closed. Raises: Conflict, also CHECKLIST_RED. Transaction: caller's.
    """
    span = months.span_of(warrant.content.object_id)
    gates.close(session, Gate.POSTING)
    row = months.lock(session, span.id)
    said = warrant.content.details.get("checklist")
    lines = checklist.compute(session, span, checklist.carries_of(said))
    assert_green(lines)
    warrant.assert_covers(content(row.id, row.close_no + 1, checklist.signed(lines)))
    why = Why(warrant.actor, warrant.source, warrant.reason)
    _carry_forward(session, checklist.carried_in(lines), why=why)
    for chain in chains.CHAINS:
        while chains.link_batch(session, chain) == chains.BATCH:
            pass
    closing = _keep(session, row, span, lines, warrant)
    values: dict[str, object] = {"close_no": closing.no, "updated_at": closing.closed_at}
    move_together(session, row, moves={"period": State.CLOSED.value}, values=values, why=why)
    _tell(session, closing, why)
    crash.point("period.before_commit")
    return closing


def _carry_forward(session: Session, carried: Sequence[Carry], *, why: Why) -> None:
    """Move the cases that are carried forward, each with its reason.

    Whoever works on a case may wait at the gate for this very closing, so nobody is waited for here.
    """
    reasons = {each.case_id: each.reason for each in carried if each.case_id is not None}
    statement = (
        select(ExceptionCase)
        .where(ExceptionCase.id.in_(reasons))
        .order_by(ExceptionCase.id)
        .with_for_update(nowait=True)
        .execution_options(populate_existing=True)
    )
    try:
        cases = session.scalars(statement).all()
    except OperationalError as error:
        raise Conflict("Somebody works on one of the cases right now. Try again.") from error
    for case in cases:
        reason = reasons[case.id]
        said = Why(why.actor, why.source, reason)
        move(session, "case", case, to=Case.CARRIED_FORWARD, why=said)
        audit.write(
            session,
            "exception.carry_forward",
            actor=why.actor,
            object_kind="case",
            object_id=case.id,
            source=why.source,
            reason=reason,
            after={"state": case.state},
        )


def _keep(
    session: Session, row: Period, span: Span, lines: Sequence[Line], warrant: Warrant
) -> PeriodClosing:
    opening = snapshots.opening_of(session, span.id)
    journal_seq, journal_head = chains.head_of(session, "journal")
    audit_seq, audit_head = chains.head_of(session, "audit")
    now, entries = clock.now(), snapshots.count_entries(session, span)
    if entries != snapshots.count_entries(session, span, up_to=journal_seq):
        raise Conflict("Some entries of the month are in no chain yet. Try again in a moment.")
    closing = PeriodClosing(
        id=ids.new("clo"),
        period_id=row.id,
        no=row.close_no + 1,
        asked_by=warrant.maker_id,
        agreed_by=warrant.actor.id,
        approval_id=warrant.approval_id,
        note=warrant.reason or "",
        checklist=[line.wire(span) for line in lines],
        carried_forward=[each.wire() for each in checklist.carried_in(lines)],
        journal_seq=journal_seq,
        journal_head=journal_head,
        audit_seq=audit_seq,
        audit_head=audit_head,
        snapshot_sha256=snapshots.digest(snapshots.computed(session, span, opening)),
        entries=entries,
        zone=calendar.zone().key,
        closed_at=now,
        certificate_due_at=now,
        certificate_attempts=0,
    )
    session.add(closing)
    session.flush()
    snapshots.keep(session, closing.id, span, opening)
    return closing


def _tell(session: Session, closing: PeriodClosing, why: Why) -> None:
    tell(session, "period.closed", closing, status=State.CLOSED, why=why)
    after: dict[str, Json] = {"closing": closing.id, "sha256": closings.digest(closing)}
    write_down(session, "period.close", closing, after=after, why=why)


def tell(session: Session, kind: str, closing: PeriodClosing, *, status: State, why: Why) -> None:
    """Tell the staff what became of a month.

    Writes: event_log, at commit. Transaction: caller's.
    """
    body: dict[str, Json] = {"periodId": closing.period_id, "chainHead": closing.journal_head}
    about = events.about_staff(closing.period_id)
    events.append(
        session, [events.row(kind, about, source=why.source, status=status.value, body=body)]
    )


def write_down(
    session: Session,
    action: str,
    closing: PeriodClosing,
    *,
    after: Mapping[str, Json],
    why: Why,
) -> None:
    """Keep in the audit log what was done to a month. Transaction: caller's."""
    said: dict[str, Json] = {"no": closing.no, "signers": [closing.asked_by, closing.agreed_by]}
    audit.write(
        session,
        action,
        actor=why.actor,
        object_kind="period",
        object_id=closing.period_id,
        source=why.source,
        reason=why.reason,
        after=said | dict(after),
    )
