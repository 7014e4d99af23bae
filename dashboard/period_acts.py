"""Asking for a month to be closed, with a reason for each thing left open, and for one to be opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from core.errors import AppError, InvalidInput
from core.permissions import Permission
from dashboard import case_words, confirming, guarded, period_words, render, words
from dashboard.confirming import LONGEST_REASON, Question
from dashboard.payment_acts import source
from dashboard.shapes import Alert, Fact, Input, Link, View
from domain import calendar
from domain.actors import Actor
from domain.cases import case_queries
from domain.database import reading, transaction
from domain.desk import Session
from domain.periods import checklist, closing, closings, months, reopening
from domain.periods.checklist import Carry, Line
from domain.periods.months import Month
from models.cases import ExceptionCase
from web import access

routes = Blueprint("desk_period_acts", __name__)
# More cases than these nobody carries forward by hand, one reason each.
MOST_CASES = 200
_CASE, _ITEM = "case-", "item-"


@dataclass(frozen=True)
class Typed:
    """What stands in the form: the note, and a reason for each case or item that is left open."""

    note: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)

    def carries(self) -> list[Carry]:
        """Give what is carried forward: all that has a reason."""
        found = []
        for name, reason in self.reasons.items():
            if not reason:
                continue
            if name.startswith(_CASE):
                found.append(Carry(reason, case_id=name.removeprefix(_CASE)))
            else:
                found.append(Carry(reason, item=name.removeprefix(_ITEM)))
        return found


def _typed() -> Typed:
    names = [name for name in request.form if name.startswith((_CASE, _ITEM))]
    reasons = {render.storable(name): render.typed(name) for name in names}
    return Typed(confirming.reason(), reasons)


def _errors(typed: Typed) -> dict[str, str]:
    found = {}
    if (error := confirming.reason_error(typed.note)) is not None:
        found["reason"] = error
    for name, reason in typed.reasons.items():
        if reason and (error := confirming.reason_error(reason)) is not None:
            found[name] = error
    return found


def _trail(month: Month) -> list[Link]:
    return [
        Link("Periods", "/periods"),
        Link(period_words.name(month.id), f"/periods/{month.id}"),
    ]


def _before(session: Session, month: Month) -> Typed:
    """Offer the reasons that the month before gave for what is still open."""
    before = closings.newest(session, calendar.preceding(month.id))
    carried = period_words.carries(before.carried_forward) if before else []
    named = {f"{_CASE}{each.case_id}": each.reason for each in carried if each.case_id}
    return Typed(reasons=named)


def _view(
    period_id: str,
    actor: Actor,
    typed: Typed | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    problem: Alert | None = None,
) -> View:
    wrong = errors or {}
    with reading() as session:
        month = months.get_month(session, period_id)
        typed = typed or _before(session, month)
        lines = checklist.compute(session, month.span, typed.carries())
        ids = sorted({each for line in lines for each in line.problems.case_ids})
        rows = case_queries.by_ids(session, ids[:MOST_CASES], actor=actor)
    stuck = _stuck(lines, len(ids))
    items = [line for line in lines if line.problems.count and line.item.may_carry]
    note = Input(
        "reason",
        "Note",
        "text-area",
        value=typed.note,
        error=wrong.get("reason"),
        hint="Kept with the closing and printed on its certificate.",
        required=True,
        maxlength=LONGEST_REASON,
    )
    return {
        "trail": _trail(month),
        "problem": problem,
        "title": f"Close {period_words.name(month.id)}",
        "action": f"/periods/{month.id}/close",
        "back": f"/periods/{month.id}",
        "lines": [period_words.line_view(line, month.span, actor=actor) for line in lines],
        "cases": [_case_view(row, typed, wrong) for row in rows],
        "items": [_item_view(line, typed, wrong) for line in items],
        "note": note,
        "stuck": stuck,
    }


def _stuck(lines: Sequence[Line], cases: int) -> str | None:
    """Say why no reason would help: something that nobody carries forward is in the way."""
    hard = [line.item.problem for line in checklist.red(lines) if _is_hard(line)]
    if hard:
        return f"First work off what cannot be carried forward: {'; '.join(hard)}."
    if cases > MOST_CASES:
        return f"{cases} cases are open, more than can be carried forward one by one. Settle some first."
    return None


def _is_hard(line: Line) -> bool:
    return not line.item.may_carry and bool(line.problems.free)


def _case_view(row: ExceptionCase, typed: Typed, errors: Mapping[str, str]) -> View:
    name = f"{_CASE}{row.id}"
    return {
        "href": f"/exceptions/{row.id}",
        "sentence": row.sentence,
        "kind": case_words.kind(row),
        "state": case_words.state(row),
        "risk": case_words.at_risk(row),
        "opened": words.moment(row.opened_at),
        "field": _reason(name, "Why it may stay open", typed, errors),
    }


def _item_view(line: Line, typed: Typed, errors: Mapping[str, str]) -> View:
    name = f"{_ITEM}{line.item.name}"
    return {
        "label": line.item.label,
        "note": line.problems.note,
        "count": line.problems.count,
        "field": _reason(name, "Why it may stay so", typed, errors),
    }


def _reason(name: str, label: str, typed: Typed, errors: Mapping[str, str]) -> Input:
    return Input(
        name,
        label,
        value=typed.reasons.get(name, ""),
        error=errors.get(name),
        optional=True,
        maxlength=LONGEST_REASON,
        autocomplete="off",
    )


@routes.get("/periods/<period_id>/close", endpoint="ask_close")
@access.page(Permission.PERIODS_CLOSE)
def ask_close(period_id: str) -> Response:
    with reading() as session:
        months.get_month(session, period_id)
    return guarded.detour() or render.page(
        "periods/close.html", _view(period_id, render.actor()), live=False
    )


@routes.post("/periods/<period_id>/close")
@access.page(Permission.PERIODS_CLOSE)
def close(period_id: str) -> Response:
    actor, typed = render.actor(), _typed()
    with reading() as session:
        months.get_month(session, period_id)
    if (away := guarded.detour(f"/periods/{period_id}/close")) is not None:
        return away
    if errors := _errors(typed):
        return _again(_view(period_id, actor, typed, errors=errors))
    try:
        with transaction() as session:
            asked = closing.ask(
                session,
                period_id,
                typed.carries(),
                actor=actor,
                source=source(actor),
                note=typed.note,
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        problem = Alert("bad", "It was not asked for", _said(refused))
        return _again(_view(period_id, actor, typed, problem=problem))
    render.tell(guarded.waits(asked))
    return render.to(f"/periods/{period_id}")


def _said(refused: AppError) -> str:
    if isinstance(refused, InvalidInput):
        return "A case that was carried forward keeps this month from nothing any more. Look again."
    return refused.message


def _again(view: View) -> Response:
    return render.page("periods/close.html", view, status=422, live=False)


def _question(month: Month) -> Question:
    stands = month.standing
    return Question(
        title=f"Reopen {period_words.name(month.id)}",
        lead="A second person must agree. The closing is kept as it is, and says for ever that it was"
        " undone, by whom and why.",
        effects=(
            "What takes effect in the month is booked in it again.",
            "The certificate of this closing is printed anew, marked as reopened.",
            "The month must be closed again, with a certificate of its own.",
        ),
        action=f"/periods/{month.id}/reopen",
        label="Ask to reopen",
        back=f"/periods/{month.id}",
        trail=_trail(month),
        facts=[
            Fact("Close no.", str(stands.no)),
            Fact("Snapshot", ref=words.ref("snapshot hash", stands.snapshot_sha256)),
        ]
        if stands
        else (),
        tone="danger",
    )


def _find(period_id: str) -> Month:
    with reading() as session:
        return months.get_month(session, period_id)


@routes.get("/periods/<period_id>/reopen", endpoint="ask_reopen")
@access.page(Permission.PERIODS_REOPEN)
def ask_reopen(period_id: str) -> Response:
    month = _find(period_id)
    if month.standing is None:
        said = f"{period_words.name(month.id)} is not closed."
        render.tell(Alert("info", "There is nothing to reopen", said))
        return render.to(f"/periods/{month.id}")
    return guarded.detour() or confirming.show(_question(month))


@routes.post("/periods/<period_id>/reopen")
@access.page(Permission.PERIODS_REOPEN)
def reopen(period_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    month = _find(period_id)
    if (away := guarded.detour(f"/periods/{month.id}/reopen")) is not None:
        return away
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(month), reason=reason, error=error)
    try:
        with transaction() as session:
            asked = reopening.ask(
                session, month.id, actor=actor, source=source(actor), reason=reason
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        problem = Alert("bad", "It was not asked for", refused.message)
        return confirming.show(_question(month), reason=reason, problem=problem)
    render.tell(guarded.waits(asked))
    return render.to(f"/periods/{month.id}")
