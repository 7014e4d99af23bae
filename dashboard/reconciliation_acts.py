"""Acts on a comparison: cancelling it, and applying all that it offers, as it was shown, once."""

from __future__ import annotations

from flask import Blueprint, Response

from core.book_states import Difference as DifferenceState
from core.book_states import Run as State
from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, reconciliation_words, render, words
from dashboard.confirming import Question
from dashboard.shapes import Alert, Fact, Link, View
from domain.database import reading, transaction
from domain.payments.payments import Page
from domain.reconciliation import backfill, differences, run_queries, runs
from domain.reconciliation.run_queries import DifferenceFilter
from models.reconciliation import ReconciliationRun
from web import access

routes = Blueprint("desk_reconciliation_acts", __name__)
HERE = "/reconciliation"
# So many of what would be applied are written out; the rest is on the run's page.
SHOWN = 100


def _find(run_id: str) -> ReconciliationRun:
    with reading() as session:
        return run_queries.get_run(session, run_id)


def _trail(run: ReconciliationRun) -> list[Link]:
    href = f"{HERE}/{run.id}"
    return [Link("Reconciliation", HERE), Link(words.short(run.id), href)]


def _cancel_question(run: ReconciliationRun) -> Question:
    is_backfill = run.of_run_id is not None
    effect = "What was not applied yet stays offered" if is_backfill else "No case is closed by it"
    return Question(
        title="Cancel the backfill" if is_backfill else "Cancel this comparison",
        lead="It stops at its next page; what it has found or applied so far stays.",
        effects=[effect, "It can be begun again at any time"],
        action=f"{HERE}/{run.id}/cancel",
        label="Cancel it",
        back=f"{HERE}/{run.of_run_id or run.id}",
        trail=_trail(run),
        facts=[Fact("Window", reconciliation_words.window(run))],
        tone="danger",
    )


@routes.get(f"{HERE}/<run_id>/cancel")
@access.page(Permission.RECONCILIATION_RUN)
def ask_cancel(run_id: str) -> Response:
    run = _find(run_id)
    if run.status != State.RUNNING.value:
        render.tell(Alert("info", "It is over already; there is nothing to cancel"))
        return render.to(f"{HERE}/{run.id}")
    return confirming.show(_cancel_question(run))


@routes.post(f"{HERE}/<run_id>/cancel")
@access.page(Permission.RECONCILIATION_RUN)
def cancel(run_id: str) -> Response:
    reason, actor, run = confirming.reason(), render.actor(), _find(run_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_cancel_question(run), reason=reason, error=error)
    try:
        with transaction() as session:
            runs.cancel(
                session,
                run_id,
                actor=actor,
                reason=reason,
                source=f"user:{actor.id}",
                different=differences.count(session, run.of_run_id or run.id),
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "It was not cancelled", refused.message)
        return confirming.show(_cancel_question(run), reason=reason, problem=problem)
    render.tell(Alert("good", "Cancelled; what was found so far stays"))
    return render.to(f"{HERE}/{run.of_run_id or run.id}")


def _preview(
    run: ReconciliationRun,
    *,
    reason: str = "",
    error: str | None = None,
    problem: Alert | None = None,
) -> Response:
    actor = render.actor()
    wanted = DifferenceFilter(state=(DifferenceState.OFFERED.value,))
    with reading() as session:
        number = backfill.count_offered(session, run.id)
        rows = run_queries.list_differences(session, run.id, wanted, page=Page(SHOWN))[:SHOWN]
    view: View = {
        "trail": _trail(run),
        "problem": problem,
        "title": f"Apply what was missed of {words.counted(number, 'payment')}",
        "number": number,
        "rows": [reconciliation_words.difference_view(row, {}, actor) for row in rows],
        "more": f"{number - len(rows):,} more are on the comparison's page."
        if number > len(rows)
        else None,
        "compared": words.moment(run.started_at),
        "action": f"{HERE}/{run.id}/apply",
        "reason": confirming.reason_input(reason, error),
        "back": f"{HERE}/{run.id}",
    }
    is_again = error is not None or problem is not None
    return render.page(
        "reconciliation/apply.html", view, status=422 if is_again else 200, live=False
    )


@routes.get(f"{HERE}/<run_id>/apply")
@access.page(Permission.RECONCILIATION_RUN)
def ask_apply(run_id: str) -> Response:
    run = _find(run_id)
    with reading() as session:
        number = backfill.count_offered(session, run.id)
    if not number or run.status == State.RUNNING.value:
        render.tell(Alert("info", "This comparison offers nothing that could be applied now"))
        return render.to(f"{HERE}/{run.id}")
    return _preview(run)


@routes.post(f"{HERE}/<run_id>/apply")
@access.page(Permission.RECONCILIATION_RUN)
def apply(run_id: str) -> Response:
    reason, actor, run = confirming.reason(), render.actor(), _find(run_id)
    shown = render.typed("number")
    if (error := confirming.reason_error(reason)) is not None:
        return _preview(run, reason=reason, error=error)
    try:
        with transaction() as session:
            backfill.start(
                session,
                run_id,
                actor=actor,
                reason=reason,
                source=f"user:{actor.id}",
                expected=int(shown) if shown.isdecimal() and len(shown) < 10 else 0,
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        if refused.details.get("runId"):
            render.tell(Alert("info", "It is being applied already"))
            return render.to(f"{HERE}/{run_id}")
        problem = Alert("bad", "Nothing was applied", refused.message)
        return _preview(run, reason=reason, problem=problem)
    render.tell(Alert("good", "What was missed is being applied"))
    return render.to(f"{HERE}/{run_id}")
