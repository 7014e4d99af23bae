"""Comparisons with providers: begun and cancelled here, followed, and read difference by difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import Field, StringConstraints

from api import shapes
from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Reference,
    Session,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    page,
    place_of,
    run_once,
)
from core import clock
from core.book_states import Difference as DifferenceState
from core.book_states import Run as State
from core.csvsafe import Cell
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from core.recon_kinds import KINDS
from domain.database import reading
from domain.payments.payments import LONGEST_PAGE, Page
from domain.reconciliation import differences, run_queries, runs, steps
from domain.reconciliation.run_queries import DifferenceFilter, RunFilter
from domain.reconciliation.runs import Cause, Wanted
from models.reconciliation import ReconciliationDifference, ReconciliationRun
from providers import registry

blueprint = Blueprint("reconciliation", __name__)
AROUND = (b'{"items":[', b'],"nextCursor":null}')
COLUMNS = (
    "differenceId kind state subject ours theirs books amount currency paymentId providerReference"
    " caseId effect foundAt goneAt"
).split()
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=runs.LONGEST_REASON, strip_whitespace=True)
]
States = Literal["running", "finished", "cancelled", "failed"]


class ReconciliationRunIn(In):
    """What to compare; both ends of the window are included."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    since: Instant = Field(alias="from")
    until: Instant = Field(alias="to")
    reference: Reference | None = None


class ReconciliationCancelIn(In):
    """Why it is stopped."""

    reason: Reason
    reference: Reference | None = None


class RunsQuery(PageQuery):
    """Which runs."""

    provider: Several = ()
    status: Several = ()


class DifferencesQuery(PageQuery):
    """Which differences. state: open (people decide), offered, applied, stale, gone."""

    kind: Several = ()
    state: Several = ()
    format: Literal["csv", "json"] | None = None


class RunStartedOut(Out):
    """A run that goes on by itself; read it to follow it."""

    run_id: str
    status: Literal["running"]


class ProgressOut(Out):
    """How far a run is; total is a guess while the provider's lists are being read, null before the first."""

    done: int
    total: int | None


class CountsOut(Out):
    """How many things were compared; of how many all sides said the same, and of how many not."""

    compared: int
    equal: int
    different: int


class ReconciliationRunOut(Out):
    """One comparison of a window. cause: desk, api, command, nightly or hourly; offered: what a backfill on
    the desk would apply; error: why it failed, or what it waits for.
    """

    run_id: str
    provider: str
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    status: States
    progress: ProgressOut
    counts: CountsOut
    by_kind: dict[str, int]
    started_at: str
    finished_at: str | None
    cause: str
    offered: int
    error: str | None
    livemode: bool


class DifferenceOut(Out):
    """One thing that differed: what we say, what the provider says, what the books say. amount: the money
    at risk; effect: what a backfill would do or did.
    """

    difference_id: str
    kind: str
    ours: str | None
    theirs: str | None
    books: str | None
    amount: MoneyOut | None
    payment_id: str | None
    provider_reference: str | None
    case_id: str | None
    subject: str
    state: Literal["open", "offered", "applied", "stale", "gone"]
    effect: str | None
    found_at: str
    gone_at: str | None


def _runs(session: Session, rows: list[ReconciliationRun]) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    by_kind = run_queries.kinds_of(session, ids)
    offered = run_queries.offered_of(session, ids)
    return [_run(row, by_kind[row.id], offered=offered.get(row.id, 0)) for row in rows]


def _run(row: ReconciliationRun, by_kind: Mapping[str, int], *, offered: int) -> dict[str, Any]:
    compared, equal = run_queries.compared(row), run_queries.equal(row)
    return {
        "runId": row.id,
        "provider": row.provider,
        "from": clock.rfc3339(row.window_from),
        "to": clock.rfc3339(row.window_to),
        "status": row.status,
        "progress": {"done": row.done, "total": row.total},
        "counts": {"compared": compared, "equal": equal, "different": compared - equal},
        "byKind": dict(by_kind),
        "startedAt": clock.rfc3339(row.started_at),
        "finishedAt": clock.rfc3339(row.finished_at),
        "cause": row.cause,
        "offered": offered,
        "error": row.last_error,
        "livemode": row.livemode,
    }


def _difference(row: ReconciliationDifference) -> dict[str, Any]:
    amount = None
    if row.amount_minor is not None and row.asset is not None:
        amount = shapes.amount(row.amount_minor, asset(row.asset))
    return {
        "differenceId": row.id,
        "kind": row.kind,
        "ours": row.ours,
        "theirs": row.theirs,
        "books": row.books,
        "amount": amount,
        "paymentId": row.payment_id,
        "providerReference": row.provider_reference,
        "caseId": row.case_id,
        "subject": row.subject,
        "state": row.state,
        "effect": row.effect,
        "foundAt": clock.rfc3339(row.found_at),
        "goneAt": clock.rfc3339(row.gone_at),
    }


@endpoint(
    blueprint,
    "POST",
    "/api/reconciliation/runs",
    access=Permission.RECONCILIATION_RUN,
    body=ReconciliationRunIn,
    answers={202: RunStartedOut},
    key="R",
    errors=("CONFLICT", "RAIL_NOT_CONFIGURED"),
    events=("reconciliation.started", "reconciliation.progress", "reconciliation.finished"),
    summary="Compare a window with a provider: ours, theirs and the books. Nothing is changed by it.",
    requirement="S177",
)
def start(call: Call[ReconciliationRunIn, NoQuery]) -> Answer:
    body = call.body
    if body.provider not in registry.names():
        raise invalid("provider", "There is no such provider.", code="unknown_value")

    def work(session: Session) -> Answer:
        wanted = Wanted(body.provider, body.since, body.until, Cause.API)
        run = runs.start(session, wanted, actor=call.actor, source=call.source, step=steps.FIRST)
        return Answer(202, {"runId": run.id, "status": run.status})

    return run_once(call, work)


@endpoint(
    blueprint,
    "GET",
    "/api/reconciliation/runs",
    access=Permission.RECONCILIATION_READ,
    query=RunsQuery,
    answers={200: Listed[ReconciliationRunOut]},
    summary="List comparisons, newest first.",
    requirement="S177",
)
def index(call: Call[NoBody, RunsQuery]) -> Answer:
    asked = call.query
    _assert_known("status", asked.status, [state.value for state in State])
    place = place_of(asked)
    wanted = RunFilter(provider=asked.provider, status=asked.status)
    with reading() as session:
        rows = run_queries.list_runs(session, wanted, page=Page(place.limit, place.before))
        written = {each["runId"]: each for each in _runs(session, list(rows))}
    body = page(
        rows, place, wire=lambda row: written[row.id], mark=lambda row: (row.started_at, row.id)
    )
    return Answer(200, body)


def _assert_known(field: str, asked: tuple[str, ...], known: list[str]) -> None:
    if unknown := [word for word in asked if word not in known]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
        raise invalid(field, sentence, code="unknown_value")


@endpoint(
    blueprint,
    "GET",
    "/api/reconciliation/runs/{runId}",
    access=Permission.RECONCILIATION_READ,
    answers={200: ReconciliationRunOut},
    errors=("NOT_FOUND",),
    summary="Read one comparison, also while it runs.",
    requirement="S177",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = run_queries.get_run(session, call.path["runId"])
        return Answer(200, _runs(session, [row])[0])


@endpoint(
    blueprint,
    "GET",
    "/api/reconciliation/runs/{runId}/differences",
    access=Permission.RECONCILIATION_READ,
    query=DifferencesQuery,
    answers={200: Listed[DifferenceOut]},
    errors=("NOT_FOUND",),
    summary="List what differed in a comparison, newest first; all of it as CSV or JSON.",
    requirement="S196",
)
def differing(call: Call[NoBody, DifferencesQuery]) -> Answer | Response:
    asked, run_id = call.query, call.path["runId"]
    _assert_known("kind", asked.kind, list(KINDS))
    _assert_known("state", asked.state, [state.value for state in DifferenceState])
    wanted = DifferenceFilter(kind=asked.kind, state=asked.state)
    with reading() as session:
        run_queries.get_run(session, run_id)
    if asked.format == "csv":
        return csv_answer(f"differences-{run_id}", COLUMNS, _cells(run_id, wanted))
    if asked.format == "json":
        return json_stream(map(_difference, _every(run_id, wanted)), around=AROUND)
    place = place_of(asked)
    with reading() as session:
        rows = run_queries.list_differences(
            session, run_id, wanted, page=Page(place.limit, place.before)
        )
    body = page(rows, place, wire=_difference, mark=lambda row: (row.found_at, row.id))
    return Answer(200, body)


def _every(run_id: str, wanted: DifferenceFilter) -> Iterator[ReconciliationDifference]:
    """Walk every page; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        with reading() as session:
            rows = run_queries.list_differences(
                session, run_id, wanted, page=Page(LONGEST_PAGE, before)
            )
        yield from rows[:LONGEST_PAGE]
        if len(rows) <= LONGEST_PAGE:
            return
        last = rows[LONGEST_PAGE - 1]
        before = (last.found_at, last.id)


def _cells(run_id: str, wanted: DifferenceFilter) -> Iterator[list[Cell]]:
    for row in _every(run_id, wanted):
        said = _difference(row)
        amount = said["amount"] or {"amount": None, "currency": None}
        said |= {"amount": amount["amount"], "currency": amount["currency"]}
        yield [said[name] for name in COLUMNS]


@endpoint(
    blueprint,
    "POST",
    "/api/reconciliation/runs/{runId}/cancel",
    access=Permission.RECONCILIATION_RUN,
    body=ReconciliationCancelIn,
    answers={200: ReconciliationRunOut},
    key="O",
    errors=("NOT_FOUND", "INVALID_TRANSITION"),
    events=("reconciliation.finished",),
    summary="Stop a comparison; what it found so far stays.",
    requirement="S177",
)
def cancel(call: Call[ReconciliationCancelIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        run_id = call.path["runId"]
        row = runs.cancel(
            session,
            run_id,
            actor=call.actor,
            reason=call.body.reason,
            source=call.source,
            different=differences.count(session, run_id),
        )
        return Answer(200, _runs(session, [row])[0])

    return run_once(call, work)
