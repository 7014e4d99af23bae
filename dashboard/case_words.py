"""How cases read on the desk: when they are due, who has them, what verbs do; no routes, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core import clock
from core.case_kinds import KINDS, Clock, Verb
from core.money import Money
from core.states import Case
from dashboard import books, states, words
from dashboard.shapes import Entry, State, Sum
from domain.actors import Actor
from domain.books.ledger import Movement
from domain.cases import case_targets, case_verbs
from domain.cases.case_targets import Target
from models.cases import ExceptionCase

TEAMS = {"support": "Support", "finance": "Finance", "engineering": "Engineering"}
_SOON_SECONDS = 2 * 3600
_WAITING = State("Waiting", "hold", "info", "For a second person to agree")
_ENTRIES = {
    Verb.CREDIT: "case_credit",
    Verb.WRITE_OFF: "write_off",
    Verb.REFUND_ALL: "refund",
    Verb.REFUND_DIFFERENCE: "refund",
}


def for_reader(row: ExceptionCase, actor: Actor) -> ExceptionCase:
    """Give a case as its reader may see it: to who is not staff what it is, of what and since when.

    The rest is the staff's, as over the API: what is at risk, who has it, by when, what was decided.
    """
    if actor.is_staff:
        return row
    is_over = row.state == Case.RESOLVED.value
    said = "It is settled." if is_over else "Somebody looks at it."
    return ExceptionCase(
        id=row.id,
        kind=row.kind,
        state=row.state,
        payment_id=row.payment_id,
        order_id=row.order_id,
        merchant_id=row.merchant_id,
        opened_at=row.opened_at,
        demo=row.demo,
        sentence=f"{kind(row)}. {said}",
        team="",
    )


def state(row: ExceptionCase) -> State:
    """Show where a case stands; one that waits for a second person says so."""
    is_waiting = row.approval_id is not None and row.state == Case.ASSIGNED.value
    return _WAITING if is_waiting else states.CASE[row.state]


def kind(row: ExceptionCase) -> str:
    """Name a case's kind."""
    return states.KINDS.get(row.kind, row.kind)


def due(row: ExceptionCase, targets: Mapping[str, Target]) -> State | None:
    """Say when a case is due on its own clock; None once it is settled."""
    if row.sla_due_at is None or row.state == Case.RESOLVED.value:
        return None
    target = targets.get(row.kind)
    which = target.clock if target else Clock.ALWAYS
    left = case_targets.seconds_left(row.sla_due_at, which)
    note = f"By {words.absolute(row.sla_due_at)}"
    if row.sla_due_at < clock.now():
        # At night and at weekends no working time passes, and it is overdue all the same.
        by = f" by {_span(-left, which)}" if left <= -60 else ""
        return State(f"overdue{by}", "warn", "bad", note)
    tone = "warn" if left < _SOON_SECONDS else "quiet"
    return State(f"due in {_span(left, which)}", "expired", tone, note)


def _span(seconds: int, which: Clock) -> str:
    """Say a span in whole hours, below one in minutes; working time is called so."""
    working = "working " if which == Clock.BUSINESS else ""
    if seconds < 3600:
        return words.counted(seconds // 60, f"{working}minute")
    return words.counted(seconds // 3600, f"{working}hour")


def target(wanted: Target) -> str:
    """Say within which time a kind is to be settled."""
    working = "working " if wanted.clock == Clock.BUSINESS else ""
    return words.counted(wanted.hours, f"{working}hour")


def at_risk(row: ExceptionCase) -> Sum | None:
    """Show the money at risk."""
    return words.money(row.risk_minor, row.asset) if row.risk_minor and row.asset else None


def verb(name: str | None) -> str:
    """Name a verb."""
    known = {each.value: each for each in Verb}
    return case_verbs.kind(known[name]).label if name in known else "–"


def verbs_of(kind_name: str) -> Sequence[Verb]:
    """List the verbs of a kind in the order they are offered."""
    return KINDS[kind_name].verbs


def entries(which: Verb, movements: Sequence[Movement]) -> list[Entry]:
    """Show what a verb would post."""
    if not movements:
        return []
    shown: list[tuple[str, str, Money]] = [
        (each.debit.address, each.credit.address, each.amount) for each in movements
    ]
    return [Entry(books.entry_kind(_ENTRIES.get(which, which.value)), books.lines(shown))]
