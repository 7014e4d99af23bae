"""Comparisons with providers: how they went over time, those that run, and the form that begins one; live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, Response

from core import clock
from core.book_states import Run as State
from core.errors import AppError, Conflict
from core.permissions import Permission
from dashboard import confirming, listing, reconciliation_words, render, run_chart
from dashboard.listing import Asked
from dashboard.shapes import Act, Alert, Empty, Input, Link, Option, View
from domain import calendar
from domain.database import reading, transaction
from domain.reconciliation import run_queries, runs, steps
from domain.reconciliation.run_queries import RunFilter
from domain.reconciliation.runs import Cause, Wanted
from providers import registry
from web import access

routes = Blueprint("desk_reconciliation", __name__)
HERE = "/reconciliation"
NAMES = ("state",)
_TABS: Mapping[str, str] = {
    "": "All",
    State.RUNNING.value: "Running",
    State.FINISHED.value: "Finished",
    State.FAILED.value: "Failed",
    State.CANCELLED.value: "Cancelled",
}
_DAYS = timedelta(days=7)


def _rows_view(asked: Asked) -> View:
    tab = asked.one_of("state", list(_TABS))
    wanted = RunFilter(status=(tab,) if tab else ())
    page = listing.page_of(asked)
    with reading() as session:
        found = run_queries.list_runs(session, wanted, page=page)
        shown = found[: page.limit]
        offered = run_queries.offered_of(session, [run.id for run in shown])
        drawn = run_queries.newest_finished(session, limit=run_chart.BARS)
    last = shown[-1] if len(found) > page.limit else None
    more = (last.started_at, last.id) if last else None
    return {
        "rows": [
            reconciliation_words.row_view(run, offered=offered.get(run.id, 0)) for run in shown
        ],
        "chart": run_chart.draw(drawn),
        "rows_url": asked.href(f"{HERE}/rows"),
        "page": listing.pages(asked, len(shown), more),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if (empty := listing.none_there(asked, "No comparison stands so.", "equal")) is not None:
        return empty
    return Empty(
        "Nothing was compared yet",
        "Once an hour and once a night it is compared by itself, whenever a provider is configured.",
        "refresh",
    )


def _start_act() -> Act:
    may = render.actor().may(Permission.RECONCILIATION_RUN)
    why = None if may else reconciliation_words.WHO_RUNS
    return Act("start", "Compare", f"{HERE}/start", may, why, icon="refresh", tone="primary")


@routes.get(HERE)
@access.page(Permission.RECONCILIATION_READ)
def index() -> Response:
    asked = listing.read(HERE, NAMES)
    view = _rows_view(asked) | {
        "lead": "What we say, what providers say and what the books say, beside each other. Short windows"
        " are compared every hour and apply missed events by themselves; long ones at night only offer"
        " them. A difference of money is always for people.",
        "acts": [_start_act()],
        "tabs_items": listing.tabs(asked, _TABS, {}),
    }
    return render.page("reconciliation/index.html", view)


@routes.get(f"{HERE}/rows")
@access.page(Permission.RECONCILIATION_READ)
def rows() -> Response:
    asked = listing.read(HERE, NAMES)
    return render.fragment("reconciliation/_rows.html", _rows_view(asked), page_href=asked.href())


@dataclass(frozen=True)
class _Form:
    """What was typed: with whom, and the days to compare."""

    provider: str
    since: str
    until: str
    reason: str = ""


def _ask(
    form: _Form, wrong: Mapping[str, str] | None = None, problem: Alert | None = None
) -> Response:
    wrong = wrong or {}
    act: View = {
        "title": "Compare with a provider",
        "lead": "Payments, refunds, disputes, bookings and payouts of these days are read and compared.",
        "effects": [
            "The provider's lists are read page by page; it goes on by itself and can be cancelled",
            "What differs is listed; differences of money open a case each, once",
            "Missed events are offered, with what applying them would do; nothing is applied",
        ],
        "action": f"{HERE}/start",
        "inputs": _inputs(form, wrong),
        "label": "Compare",
        "back": HERE,
    }
    view: View = {"trail": [Link("Reconciliation", HERE)], "problem": problem, "act": act}
    is_again = bool(wrong) or problem is not None
    if is_again and render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422 if is_again else 200, live=False)


def _inputs(form: _Form, wrong: Mapping[str, str]) -> list[Input]:
    choices = [
        Option(rail.name, rail.label, rail.name == form.provider) for rail in registry.every()
    ]
    longest = runs.LONGEST_WINDOW.days
    return [
        Input(
            "provider",
            "Provider",
            "select",
            options=choices,
            required=True,
            error=wrong.get("provider"),
        ),
        Input("from", "From", "date", value=form.since, required=True, error=wrong.get("from")),
        Input(
            "to",
            "To",
            "date",
            value=form.until,
            required=True,
            error=wrong.get("to"),
            hint=f"Both days included, on the house's clock; at most {longest} days. Today is up to now.",
        ),
        Input(
            "reason",
            "Reason",
            "text-area",
            value=form.reason,
            error=wrong.get("reason"),
            hint="Kept with the comparison.",
            optional=True,
            maxlength=runs.LONGEST_REASON,
        ),
    ]


@routes.get(f"{HERE}/start")
@access.page(Permission.RECONCILIATION_RUN)
def ask_start() -> Response:
    """Ask for the days; an address may name them, as that of a month's checklist does."""
    today = calendar.today()
    known = registry.every()
    first = known[0].name if known else ""
    since, until = (_named_day(name) for name in ("from", "to"))
    last = min(until or today, today)
    return _ask(_Form(first, str(since or last - _DAYS), str(last)))


def _named_day(name: str) -> date | None:
    try:
        return date.fromisoformat(listing.asked_text(name))
    except ValueError:
        return None


@routes.post(f"{HERE}/start")
@access.page(Permission.RECONCILIATION_RUN)
def start() -> Response:
    actor = render.actor()
    form = _Form(*(render.typed(name) for name in ("provider", "from", "to", "reason")))
    window, wrong = _window(form)
    if window is None:
        return _ask(form, wrong)
    wanted = Wanted(form.provider, *window, Cause.DESK, reason=form.reason or None)
    try:
        with transaction() as session:
            run = runs.start(
                session, wanted, actor=actor, source=f"user:{actor.id}", step=steps.FIRST
            )
    except Conflict as refused:
        if isinstance(running := refused.details.get("runId"), str):
            render.tell(Alert("info", "This is being compared already"))
            return render.to(f"{HERE}/{running}")
        raise
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _ask(form, _by_field(refused), Alert("bad", "Nothing was begun", refused.message))
    render.tell(Alert("good", "The comparison has begun"))
    return render.to(f"{HERE}/{run.id}")


def _by_field(refused: AppError) -> dict[str, str]:
    fields = refused.details.get("fields")
    found: dict[str, str] = {}
    for each in fields if isinstance(fields, list) else []:
        if isinstance(each, dict):
            found[str(each["field"])] = str(each["message"])
    return found


def _window(form: _Form) -> tuple[tuple[datetime, datetime] | None, dict[str, str]]:
    """Read the days, or say beside each field what is wrong with it."""
    wrong: dict[str, str] = {}
    first, last = (_day(text) for text in (form.since, form.until))
    if form.provider not in registry.names():
        wrong["provider"] = "Choose a provider."
    if first is None:
        wrong["from"] = "Choose a day."
    if last is None:
        wrong["to"] = "Choose a day."
    elif last > calendar.today():
        wrong["to"] = "Choose a day up to today."
    elif first is not None and first > last:
        wrong["to"] = "It must not end before it begins."
    elif first is not None and (last - first).days >= runs.LONGEST_WINDOW.days:
        wrong["from"] = f"Compare at most {runs.LONGEST_WINDOW.days} days at a time."
    if form.reason and (error := confirming.reason_error(form.reason)) is not None:
        wrong["reason"] = error
    if wrong or first is None or last is None:
        return None, wrong
    end = min(calendar.begin_of(last + timedelta(days=1)), clock.now())
    return (calendar.begin_of(first), end), {}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
