"""How comparisons and what differed in them read on the desk: states, sums, sides, where to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import overload
from urllib.parse import urlencode

from core import entry_kinds
from core.book_states import Difference as DifferenceState
from core.book_states import Run as RunState
from core.permissions import Permission
from core.recon_kinds import KINDS, PAYOUT_DIFFERS, PAYOUT_UNMATCHED, label_of
from core.states import Case
from dashboard import listing, states, words
from dashboard.shapes import Act, Link, State, View
from domain.actors import Actor
from domain.reconciliation import run_queries, steps
from domain.reconciliation.runs import Cause
from models.cases import ExceptionCase
from models.reconciliation import ReconciliationDifference, ReconciliationRun

WHO_RUNS = "Finance, admins and engineers compare."
_CAUSES = {
    Cause.DESK: "Begun on the desk",
    Cause.API: "Begun over the API",
    Cause.COMMAND: "Begun by command",
    Cause.NIGHTLY: "Nightly",
    Cause.HOURLY: "Hourly",
    Cause.BACKFILL: "Backfill",
}
_STATES: Mapping[str, State] = {
    RunState.RUNNING.value: State("Comparing", "half", "info"),
    RunState.CANCELLED.value: State("Cancelled", "cancelled", "quiet"),
    RunState.FAILED.value: State("Failed", "failed", "bad"),
}
_FOUND: Mapping[str, State] = {
    DifferenceState.OPEN.value: State("People decide", "action", "warn"),
    DifferenceState.OFFERED.value: State("Offered", "dotted", "info"),
    DifferenceState.APPLIED.value: State("Applied", "done", "good"),
    DifferenceState.STALE.value: State("Look again", "retry", "warn"),
    DifferenceState.GONE.value: State("Gone", "equal", "quiet"),
}
DIFFERENCE_STATES: Mapping[str, str] = {
    "": "Any",
    **{name: state.word for name, state in _FOUND.items()},
}
APPLIED = State("Applied", "done", "good")
_DONE = State("Case settled", "done", "quiet")


def cause(run: ReconciliationRun) -> str:
    """Say why a run was begun."""
    return _CAUSES[Cause(run.cause)]


def state(run: ReconciliationRun) -> State:
    """Say how a run stands; a finished one by what it found."""
    if run.status != RunState.FINISHED.value:
        if run.status == RunState.RUNNING.value and run.attempts:
            return State("Waiting for the provider", "retry", "warn")
        return _STATES[run.status]
    different = run_queries.compared(run) - run_queries.equal(run)
    if not run_queries.compared(run):
        return State("Nothing to compare", "skip", "quiet")
    if different:
        return State(f"{different:,} differ", "warn", "warn")
    return State("All equal", "equal", "good")


def window(run: ReconciliationRun) -> str:
    """Say which time a run is over."""
    return f"{words.absolute(run.window_from)} to {words.absolute(run.window_to)}"


def row_view(run: ReconciliationRun, *, offered: int) -> View:
    """Prepare a run as a row of the list."""
    return {
        "id": run.id,
        "version": listing.version(run.status, f"{run.done}-{run.attempts}-{offered}"),
        "href": f"/reconciliation/{run.id}",
        "provider": words.provider(run.provider),
        "state": state(run),
        "cause": cause(run),
        "window": window(run),
        "started": words.moment(run.started_at),
        "compared": f"{run_queries.compared(run):,}",
        "percent": percent(run),
        "offered": words.counted(offered, "missed fact") if offered else None,
        "error": run.last_error,
    }


def percent(run: ReconciliationRun) -> str | None:
    """Say how far a running one is; None when it is over, or nobody knows yet."""
    if run.status != RunState.RUNNING.value or not run.total:
        return None
    return f"{min(99, run.done * 100 // run.total)} %"


def progress(run: ReconciliationRun) -> View | None:
    """Prepare the bar of a run that is on its way."""
    if run.status != RunState.RUNNING.value:
        return None
    about = run.step in steps.STEPS and not run.step.startswith(("compare_", "gone"))
    return {
        "step": steps.LABELS.get(run.step, run.step),
        "done": run.done,
        "total": run.total,
        "text": f"{run.done:,} of {'about ' if about else ''}{run.total:,}" if run.total else None,
        "said": run.last_error,
        "tries": words.counted(run.attempts, "try", "tries") if run.attempts else None,
        "due": words.moment(run.due_at) if run.attempts and run.due_at else None,
    }


def difference_view(
    row: ReconciliationDifference, cases: Mapping[str, ExceptionCase], actor: Actor
) -> View:
    """Prepare one difference: the three sides beside each other, and where to go on."""
    kind = KINDS[row.kind]
    case = cases.get(row.case_id or "")
    money = None
    if row.amount_minor is not None and row.asset is not None:
        money = words.money(row.amount_minor, row.asset)
    return {
        "id": row.id,
        "version": listing.version(row.state, f"{case.state if case else ''}"),
        "kind": kind.label,
        "means": kind.means,
        "state": _state(row, case),
        "about": _about(row),
        "reference": words.ref("provider's name", row.provider_reference[:200])
        if row.provider_reference and row.provider_reference != row.subject
        else None,
        "ours": readable(row.ours),
        "theirs": readable(row.theirs),
        "books": readable(row.books),
        "money": money,
        "advice": _advice(row),
        "links": _links(row, case, actor),
        "gone": words.moment(row.gone_at) if row.gone_at else None,
    }


_AMOUNT = re.compile(r"(?<![\w.,])\d{4,}(?=(?:\.\d+)? [A-Z]{3,}\b)", re.ASCII)
_MOVED = re.compile(r"\bpayment (\w+) → (\w+)")
_STANDS = re.compile(r"^([a-z]+)(?=,|$)")
_POSTED = re.compile(r"\(([a-z ]+)\)")


@overload
def readable(text: str) -> str: ...
@overload
def readable(text: None) -> None: ...
def readable(text: str | None) -> str | None:
    """Write what a comparison kept as the desk says it: its words of states and entries, sums grouped."""
    if text is None:
        return None
    text = _MOVED.sub(
        lambda found: f"payment from {_stands(found[1])} to {_stands(found[2])}", text
    )
    text = _STANDS.sub(lambda found: _stands(found[1]), text)
    text = _POSTED.sub(lambda found: f"({_posted(found[1])})", text)
    return _AMOUNT.sub(lambda found: f"{int(found[0]):,}", text)


def _stands(word: str) -> str:
    known = states.PAYMENT.get(word)
    return known.word.lower() if known else word


def _posted(words_: str) -> str:
    kind = entry_kinds.KINDS.get(words_.replace(" ", "_"))
    return kind.label.lower() if kind else words_


def _state(row: ReconciliationDifference, case: ExceptionCase | None) -> State:
    if row.state == DifferenceState.OPEN.value and row.case_id is None:
        return State("Next run", "retry", "quiet")
    if row.state == DifferenceState.OPEN.value and case and case.state == Case.RESOLVED.value:
        return _DONE
    return _FOUND[row.state]


def _about(row: ReconciliationDifference) -> View:
    """Name what a difference is about, shortened, with where it is shown."""
    href = f"/payments/{row.payment_id}" if row.payment_id == row.subject else None
    if row.kind == "recon_orphan_entry":
        href = f"/journal/{row.subject}"
    return {
        "text": words.short(row.subject[:200]),
        "full": row.subject[:200],
        "href": href,
    }


def _advice(row: ReconciliationDifference) -> str:
    if row.effect and row.state in (DifferenceState.OFFERED.value, DifferenceState.APPLIED.value):
        will = "The backfill will do" if row.state == DifferenceState.OFFERED.value else "Did"
        return f"{will}: {readable(row.effect)}."
    if row.state == DifferenceState.STALE.value:
        return f"{row.effect}. Compare again to see what is offered now."
    if row.state == DifferenceState.GONE.value:
        return "A later comparison found it no more."
    return KINDS[row.kind].advice


def _links(row: ReconciliationDifference, case: ExceptionCase | None, actor: Actor) -> list[Link]:
    found = []
    if case is not None and actor.may(Permission.EXCEPTIONS_READ):
        found.append(Link("Case", f"/exceptions/{case.id}"))
    if row.payment_id and row.payment_id != row.subject:
        found.append(Link("Payment", f"/payments/{row.payment_id}"))
    if row.payment_id and row.books and actor.may(Permission.JOURNAL_READ):
        found.append(Link("Its entries", f"/journal?q={row.payment_id}"))
    if row.kind in (PAYOUT_UNMATCHED, PAYOUT_DIFFERS):
        found.append(Link("Its payout", f"/reconciliation/payouts?{urlencode({'q': row.subject})}"))
    return found


def kinds_view(by_kind: Mapping[str, int], href: str, chosen: str) -> list[View]:
    """Prepare the counts by kind, in the order of the table; each leads to its rows."""
    return [
        {
            "label": label_of(kind),
            "means": KINDS[kind].means,
            "count": f"{by_kind[kind]:,}",
            "href": f"{href}?kind={kind}#differences",
            "current": kind == chosen,
        }
        for kind in KINDS
        if by_kind.get(kind)
    ]


def run_acts(run: ReconciliationRun, actor: Actor, *, offered: int, applying: bool) -> list[Act]:
    """Offer what may be done with a run, a forbidden act with the reason."""
    may = actor.may(Permission.RECONCILIATION_RUN)
    href = f"/reconciliation/{run.id}"
    found = []
    if run.status == RunState.RUNNING.value:
        reason = None if may else WHO_RUNS
        found.append(
            Act("cancel", "Cancel", f"{href}/cancel", may, reason, icon="ban", tone="danger")
        )
    elif offered:
        label = f"Apply all {offered:,}" if offered > 1 else "Apply it"
        reason = WHO_RUNS if not may else "It is being applied." if applying else None
        found.append(
            Act(
                "apply",
                label,
                f"{href}/apply",
                reason is None,
                reason,
                icon="replay",
                tone="primary",
            )
        )
    return found
