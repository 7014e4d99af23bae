"""The page of one comparison: how far it is, what differed by kind, the three sides beside each other; live."""

from __future__ import annotations

from flask import Blueprint, Response

from core.book_states import Difference as DifferenceState
from core.book_states import Run as State
from core.permissions import Permission
from core.recon_kinds import KINDS
from dashboard import listing, reconciliation_words, render, words
from dashboard.listing import Asked
from dashboard.shapes import Act, Alert, Empty, Fact, View
from domain.actors import Actor
from domain.database import reading
from domain.desk import Session
from domain.naming import actor_names
from domain.reconciliation import run_queries, runs
from domain.reconciliation.run_queries import DifferenceFilter
from models.reconciliation import ReconciliationRun
from web import access

routes = Blueprint("desk_reconciliation_run", __name__)
HERE = "/reconciliation"
NAMES = ("kind", "state")
_LABELS = {
    "payments": "Payments",
    "refunds": "Refunds",
    "disputes": "Disputes",
    "bookings": "Bookings",
    "payouts": "Payouts",
}


def find(session: Session, run_id: str) -> ReconciliationRun:
    """Find a run. Raises: NotFound."""
    return run_queries.get_run(session, run_id)


def _head_view(run_id: str, kind: str) -> View:
    actor = render.actor()
    with reading() as session:
        run = find(session, run_id)
        by_kind = run_queries.kinds_of(session, [run.id])[run.id]
        became = run_queries.states_of(session, run.id)
        backfills = run_queries.backfills_of(session, run.id)
        askers = {each.asked_by for each in (run, *backfills) if each.asked_by}
        names = actor_names(session, askers, for_staff=True)
    offered = became.get(DifferenceState.OFFERED.value, 0)
    applying = [each for each in backfills if each.status == State.RUNNING.value]
    return {
        "run": {
            "id": run.id,
            "short": words.short(run.id),
            "title": words.provider(run.provider),
            "state": reconciliation_words.state(run),
            "window": reconciliation_words.window(run),
            "ref": words.ref("comparison id", run.id),
            "started": words.moment(run.started_at),
            "cause": reconciliation_words.cause(run),
        },
        "said": _said(run, actor, offered=offered, is_applying=bool(applying)),
        "progress": reconciliation_words.progress(run),
        "figures": _figures(run),
        "kinds": reconciliation_words.kinds_view(by_kind, f"{HERE}/{run.id}", kind),
        "facts": _facts(run, names),
        "backfills": [_backfill(each, names) for each in backfills],
        "acts": reconciliation_words.run_acts(run, actor, offered=offered, applying=bool(applying)),
        "exports": _exports(run),
        "links": {"body": listing.read(f"{HERE}/{run.id}/body", ("kind",)).href()},
    }


def _exports(run: ReconciliationRun) -> list[Act]:
    href = f"/api/reconciliation/runs/{run.id}/differences"
    return [
        Act("export-csv", "CSV", f"{href}?format=csv", text="For spreadsheets"),
        Act("export-json", "JSON", f"{href}?format=json", text="As the API gives it"),
    ]


def _said(run: ReconciliationRun, actor: Actor, *, offered: int, is_applying: bool) -> Alert | None:
    """Say what the person should know first."""
    if run.status == State.FAILED.value:
        return Alert("bad", "This comparison failed", run.last_error)
    if is_applying:
        return Alert("info", "What was missed is being applied")
    if offered and run.status != State.RUNNING.value:
        facts = words.counted(offered, "payment")
        who = (
            "" if actor.may(Permission.RECONCILIATION_RUN) else f" {reconciliation_words.WHO_RUNS}"
        )
        return Alert(
            "info",
            f"Events were missed of {facts}",
            f"Applying them would do what each row says, and nothing else.{who}",
        )
    return None


def _figures(run: ReconciliationRun) -> list[View]:
    """Count what was compared; what differs is counted once all of it was looked at."""
    compared, equal = run_queries.compared(run), run_queries.equal(run)
    is_running = run.status == State.RUNNING.value
    so_far = " so far" if is_running else ""
    counted: list[View] = [
        {"label": f"Compared{so_far}", "value": f"{compared:,}", "shape": "bars", "tone": "quiet"},
        {"label": f"Equal{so_far}", "value": f"{equal:,}", "shape": "equal", "tone": "good"},
    ]
    if is_running:
        return counted
    return [
        *counted,
        {
            "label": "Different",
            "value": f"{compared - equal:,}",
            "shape": "warn",
            "tone": "warn" if compared > equal else "quiet",
        },
    ]


def _facts(run: ReconciliationRun, names: dict[str, str]) -> list[Fact]:
    found = [
        Fact(label, f"{runs.number_of(run, name):,}")
        for name, label in _LABELS.items()
        if runs.number_of(run, name)
    ]
    if unknown := runs.number_of(run, "unknown"):
        found.append(Fact("Not ours", f"{unknown:,}", note="objects that other systems made there"))
    if gone := runs.number_of(run, "gone"):
        found.append(Fact("Gone since", f"{gone:,}", note="found by earlier comparisons"))
    if run.asked_by:
        found.append(Fact("Begun by", names[run.asked_by]))
    if run.reason:
        found.append(Fact("Reason", run.reason))
    found.append(Fact("Begun", at=words.moment(run.started_at)))
    if run.finished_at:
        found.append(Fact("Over", at=words.moment(run.finished_at)))
    took = run.finished_at - run.started_at if run.finished_at else None
    if took is not None:
        found.append(Fact("Took", words.span(took.total_seconds())))
    return found


def _backfill(run: ReconciliationRun, names: dict[str, str]) -> View:
    return {
        "id": run.id,
        "state": _backfill_words(run),
        "by": names.get(run.asked_by or "", "Somebody"),
        "at": words.moment(run.started_at),
        "reason": run.reason,
        "progress": reconciliation_words.progress(run),
    }


def _backfill_words(run: ReconciliationRun) -> object:
    shown = reconciliation_words.state(run)
    if run.status == State.FINISHED.value:
        return reconciliation_words.APPLIED
    return shown


def _rows_view(asked: Asked, run_id: str) -> View:
    actor, page = render.actor(), listing.page_of(asked)
    kind = asked.one_of("kind", list(KINDS))
    state = asked.one_of("state", list(reconciliation_words.DIFFERENCE_STATES))
    wanted = DifferenceFilter(kind=(kind,) if kind else (), state=(state,) if state else ())
    with reading() as session:
        run = find(session, run_id)
        found = run_queries.list_differences(session, run_id, wanted, page=page)
        shown = found[: page.limit]
        cases = run_queries.cases_of(session, shown)
        by_kind = run_queries.kinds_of(session, [run_id])[run_id]
    last = shown[-1] if len(found) > page.limit else None
    more = (last.found_at, last.id) if last else None
    return {
        "rows": [reconciliation_words.difference_view(row, cases, actor) for row in shown],
        "rows_url": asked.href(f"{HERE}/{run_id}/differences"),
        "page": listing.pages(asked, len(shown), more),
        "empty_note": _empty(asked, run),
        "run_id": run_id,
        "has_filters": bool(by_kind),
        "inputs": [
            listing.select(
                asked,
                "kind",
                "Kind",
                {"": "Any"} | {name: each.label for name, each in KINDS.items() if name in by_kind},
            ),
            listing.select(asked, "state", "State", reconciliation_words.DIFFERENCE_STATES),
        ],
        "clear_href": f"{HERE}/{run_id}#differences"
        if asked.is_narrowed("kind", "state")
        else None,
    }


def _empty(asked: Asked, run: ReconciliationRun) -> Empty:
    if asked.is_narrowed("kind", "state"):
        return Empty(
            "Nothing differs so",
            "Choose another kind or state.",
            "search",
            href=f"{HERE}/{run.id}#differences",
            label="Clear the filters",
        )
    if run.status == State.RUNNING.value:
        return Empty("Nothing differs so far", "What is found is listed here at once.", "hourglass")
    if run.status == State.FINISHED.value and run_queries.compared(run):
        return Empty("Nothing differs", "All three sides say the same.", "check")
    return Empty("Nothing was found", "Nothing was compared in this window.", "inbox")


def _asked(run_id: str) -> Asked:
    return listing.read(f"{HERE}/{run_id}", NAMES)


@routes.get(f"{HERE}/<run_id>")
@access.page(Permission.RECONCILIATION_READ)
def show(run_id: str) -> Response:
    with reading() as session:
        run = find(session, run_id)
    if run.of_run_id is not None:
        return render.to(f"{HERE}/{run.of_run_id}")
    asked = _asked(run_id)
    view = _rows_view(asked, run_id) | _head_view(run_id, asked.get("kind"))
    return render.page("reconciliation/show.html", view)


@routes.get(f"{HERE}/<run_id>/body")
@access.page(Permission.RECONCILIATION_READ)
def body(run_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"{HERE}/{run_id}")
    asked = _asked(run_id)
    return render.part("reconciliation/_body.html", _head_view(run_id, asked.get("kind")))


@routes.get(f"{HERE}/<run_id>/differences")
@access.page(Permission.RECONCILIATION_READ)
def differences(run_id: str) -> Response:
    asked = _asked(run_id)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("reconciliation/_differences.html", _rows_view(asked, run_id))
