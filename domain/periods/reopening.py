"""Reopening a month: the newest closed one, by two people, for a reason that stays on its closing for ever.

Nothing of the closing changes but this mark. Closed again, the month has another closing beside it.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.book_states import Period as State
from core.errors import Conflict, IllegalTransition
from core.money_out import RULES, Act
from core.strictjson import Json
from domain import calendar, crash
from domain.actors import Actor
from domain.control import gates, money_out
from domain.control.gates import Gate
from domain.control.warrants import Content, Warrant
from domain.periods import closing as closing_acts
from domain.periods import closings, months
from domain.transitions import Why, move_together
from models.control import Approval
from models.periods import PeriodClosing


def content(closing: PeriodClosing) -> Content:
    """Say what reopening a month is, as it is agreed to."""
    return Content(
        Act.PERIOD_REOPEN,
        object_kind="period",
        object_id=closing.period_id,
        text=f"Reopen {calendar.name_of(closing.period_id)}",
        details={
            "closeNo": closing.no,
            "closing": closing.id,
            "snapshot": closing.snapshot_sha256,
        },
    )


def why_not(session: Session, month: months.Month) -> str | None:
    """Say why a month cannot be reopened now, or None. Transaction: caller's, reads only."""
    if month.state != State.CLOSED:
        return "It is not closed."
    newest = months.newest_closed(session)
    if newest != month.id:
        return f"{calendar.name_of(str(newest))} was closed after it; reopen that one first."
    return None


def ask(session: Session, name: str, *, actor: Actor, source: str, reason: str) -> Approval:
    """Ask for a month to be reopened; it stays closed until a second person agrees.

    Writes: approvals. Emits: approval.requested. Raises: NotFound, Forbidden, also STEP_UP_REQUIRED;
    Conflict, also INVALID_TRANSITION. Transaction: caller's.
    """
    month = months.get_month(session, name)
    rule = RULES[Act.PERIOD_REOPEN]
    plain = Content(Act.PERIOD_REOPEN, object_kind="period", object_id=month.id, text="")
    money_out.assert_may_ask(rule, plain, actor=actor)
    if month.standing is None:
        raise IllegalTransition("period", month.state.value, State.REOPENED.value)
    if (refused := why_not(session, month)) is not None:
        raise Conflict(refused)
    wanted = content(month.standing)
    got = money_out.ask(session, wanted, actor=actor, source=source, reason=reason)
    assert isinstance(got, Approval)  # for the type checker; the table says: always a second person
    return got


def as_asked(session: Session, asked: Content) -> Content | None:
    """Say what reopening would be now; None when the month is not the newest closed one any more."""
    if months.newest_closed(session) != asked.object_id:
        return None
    closing = closings.newest(session, asked.object_id)
    return content(closing) if closing is not None else None


def carry_out(session: Session, warrant: Warrant) -> PeriodClosing:
    """Reopen a month and mark its closing; what takes effect in it is booked in it again.

    Writes: periods, period_closings, state_changes. Emits: period.reopened. Raises: Conflict.
    Transaction: caller's.
    """
    # Whoever posts has read which months are closed, and finishes first.
    gates.close(session, Gate.POSTING)
    name = warrant.content.object_id
    row = months.lock(session, name)
    closing = closings.newest(session, name)
    if closing is None or row.state != State.CLOSED or months.newest_closed(session) != name:
        raise Conflict("It is not the newest closed month any more.")
    warrant.assert_covers(content(closing))
    why = Why(warrant.actor, warrant.source, warrant.reason)
    now = clock.now()
    mark: dict[str, object] = {
        "reopened_at": now,
        "reopened_by": warrant.maker_id,
        "reopen_agreed_by": warrant.actor.id,
        "reopen_reason": warrant.reason,
        # Its certificate is printed anew, with the mark.
        "certificate_due_at": now,
        "certificate_error": None,
    }
    move_together(session, closing, moves={}, values=mark, why=why)
    again: dict[str, object] = {"updated_at": now}
    move_together(session, row, moves={"period": State.REOPENED.value}, values=again, why=why)
    closing_acts.tell(session, "period.reopened", closing, status=State.REOPENED, why=why)
    said: dict[str, Json] = {
        "closing": closing.id,
        "reopenedAt": clock.rfc3339(now),
        "reopenedBy": [warrant.maker_id, warrant.actor.id],
    }
    closing_acts.write_down(session, "period.reopen", closing, after=said, why=why)
    crash.point("period.before_commit")
    return closing
