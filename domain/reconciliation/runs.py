"""Runs as rows: begun once per window, in one pair of hands at a time, ended once. What a run does is
`domain/reconciliation/engine.py`; here is how it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.book_states import Run as State
from core.errors import AppError, Conflict, LostRace, NotFound, invalid
from core.redaction import holds_card_number
from core.strictjson import Json
from domain import audit, database, events, queue
from domain.actors import Actor, system
from domain.transitions import Why, move_together
from models.reconciliation import ReconciliationRun
from providers import registry

# Whoever has a run in hand keeps it for this long after each page; a killed process's run is free then.
LEASE_SECONDS = 60
# When a provider that does not answer is asked again, by how often it was asked in vain.
RETRY_SECONDS = (5, 20, 60, 180, 600)
MOST_ATTEMPTS = len(RETRY_SECONDS) + 1
LONGEST_WINDOW = timedelta(days=400)
LONGEST_REASON = 500
# One event of progress for each of so many parts of the way.
_PARTS = 20


class Cause(StrEnum):
    """Why a run was begun: a person on the desk, a call of the API, a command, a schedule, or to apply
    what another run offered.
    """

    DESK = "desk"
    API = "api"
    COMMAND = "command"
    NIGHTLY = "nightly"
    HOURLY = "hourly"
    BACKFILL = "backfill"


@dataclass(frozen=True)
class Wanted:
    """What to compare: both ends of the window are included. heals: missed facts are applied at once;
    of_run_id: the run whose offers are applied; total: how far it is, where that is known.
    """

    provider: str
    since: datetime
    until: datetime
    cause: Cause
    heals: bool = False
    of_run_id: str | None = None
    reason: str | None = None
    total: int | None = None


def start(
    session: Session, wanted: Wanted, *, actor: Actor, source: str, step: str, in_hand: bool = False
) -> ReconciliationRun:
    """Begin a run; while it runs there is no second one over the same window.

    in_hand: whoever begins it works on it itself, so that no worker takes it up meanwhile.
    Writes: reconciliation_runs, audit_log. Emits: reconciliation.started. Raises: NotFound,
    RailNotConfigured, InvalidInput, Conflict. Transaction: caller's.
    """
    rail = registry.configured(wanted.provider)
    _assert_window(wanted)
    now = clock.now()
    values: dict[str, object] = {
        "id": ids.new("rec"),
        "provider": rail.name,
        "cause": wanted.cause.value,
        "asked_by": actor.id,
        "window_from": wanted.since,
        "window_to": wanted.until,
        "status": State.RUNNING.value,
        "open_key": _open_key(wanted, rail.mode),
        "step": step,
        "counts": {},
        "total": wanted.total,
        "heals": wanted.heals,
        "of_run_id": wanted.of_run_id,
        "reason": wanted.reason,
        "due_at": clock.after(LEASE_SECONDS) if in_hand else now,
        "fence": 1 if in_hand else 0,
        "livemode": rail.mode == "live",
        "started_at": now,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    insert = dialect.insert(ReconciliationRun).values(values)
    made = session.scalar(insert.on_conflict_do_nothing().returning(ReconciliationRun.id))
    if made is None:
        raise _running_already(session, str(values["open_key"]))
    run = session.get_one(ReconciliationRun, made)
    after: dict[str, Json] = {"provider": run.provider, "cause": run.cause, "heals": run.heals}
    after |= {"from": clock.rfc3339(run.window_from), "to": clock.rfc3339(run.window_to)}
    _audit(session, run, "start", Why(actor, source, wanted.reason), after)
    _tell(session, run, "reconciliation.started", source=source, different=0)
    return run


def _open_key(wanted: Wanted, mode: str) -> str:
    if wanted.of_run_id is not None:
        return f"backfill:{wanted.of_run_id}"
    window = f"{clock.rfc3339(wanted.since)}:{clock.rfc3339(wanted.until)}"
    return f"{wanted.provider}:{mode}:{window}"


def _assert_window(wanted: Wanted) -> None:
    if wanted.since >= wanted.until:
        raise invalid("to", "The window must end after it begins.")
    if wanted.until > clock.after(60):
        raise invalid("to", "The window must not end in the future.")
    if wanted.until - wanted.since > LONGEST_WINDOW:
        raise invalid("from", f"Compare at most {LONGEST_WINDOW.days} days at a time.")
    assert_reason(wanted.reason)


def assert_reason(reason: str | None, *, required: bool = False) -> None:
    """Check why somebody acts on a run.

    Raises: InvalidInput
    """
    if required and not reason:
        raise invalid("reason", "Say why in a few words.")
    if reason and len(reason) > LONGEST_REASON:
        raise invalid("reason", f"At most {LONGEST_REASON} characters.")
    if reason and holds_card_number(reason):
        raise invalid("reason", "This looks like a card number. They are never kept here.")


def _running_already(session: Session, open_key: str) -> Conflict:
    running = session.scalar(
        select(ReconciliationRun.id).where(ReconciliationRun.open_key == open_key)
    )
    return Conflict(
        "This is running already.",
        details={"runId": running, "link": f"/reconciliation/{running}" if running else None},
    )


def claim(session: Session, *, run_id: str | None = None) -> ReconciliationRun | None:
    """Take up the run that has been due longest, unless somebody has it in hand. None: there is none.

    Its new `fence` is what every write of its must still find. Writes: reconciliation_runs.
    Transaction: caller's, committed before the provider is asked.
    """
    wanted = [ReconciliationRun.status == State.RUNNING.value]
    if run_id is not None:
        wanted.append(ReconciliationRun.id == run_id)
    return queue.take(session, ReconciliationRun, *wanted, seconds=LEASE_SECONDS)


def held(session: Session, run_id: str, fence: int) -> ReconciliationRun:
    """Lock a run that is still in our hands.

    Raises: LostRace when it is over, or when somebody else has taken it up. Transaction: caller's.
    """
    statement = (
        select(ReconciliationRun)
        .where(
            ReconciliationRun.id == run_id,
            ReconciliationRun.fence == fence,
            ReconciliationRun.status == State.RUNNING.value,
        )
        .with_for_update()
    )
    run = session.scalars(statement.execution_options(populate_existing=True)).first()
    if run is None:
        raise LostRace
    return run


def go_on(
    session: Session,
    run: ReconciliationRun,
    *,
    step: str,
    cursor: str | None,
    done: int,
    total: int | None,
    counts: Mapping[str, int],
    different: Callable[[], int],
) -> None:
    """Note how far a locked run has come. counts: what to add to its sums; different: counts what differs,
    asked only when it is told.

    Writes: reconciliation_runs. Emits: reconciliation.progress, now and then. Transaction: caller's.
    """
    before = _part(run.done, run.total)
    sums: dict[str, Json] = dict(run.counts)
    for name, number in counts.items():
        sums[name] = number_of(run, name) + number
    values: dict[str, object] = {
        "step": step,
        "cursor": cursor,
        "done": run.done + done,
        "total": None if total is None else max(total, run.done + done),
        "counts": sums,
        "attempts": 0,
        "last_error": None,
        "due_at": clock.after(LEASE_SECONDS),
    }
    why = Why(system("reconciliation"), source_of(run))
    move_together(session, run, moves={}, values=values, why=why)
    if _part(run.done, run.total) != before:
        _tell(session, run, "reconciliation.progress", source=source_of(run), different=different())


def _part(done: int, total: int | None) -> int:
    return done * _PARTS // total if total else 0


def number_of(run: ReconciliationRun, name: str) -> int:
    """Read one of a run's sums."""
    found = run.counts.get(name)
    return found if isinstance(found, int) else 0


def source_of(run: ReconciliationRun) -> str:
    """Name a run as the source of a change."""
    return f"reconcile:{run.id}"


def give_back(session: Session, run_id: str, fence: int) -> None:
    """Let a run that is in our hands go on elsewhere, at once. Transaction: caller's."""
    session.execute(
        update(ReconciliationRun)
        .where(ReconciliationRun.id == run_id, ReconciliationRun.fence == fence)
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def put_off(session: Session, run: ReconciliationRun, why: str) -> bool:
    """Try a locked run again later. Gives False when it was tried often enough.

    Writes: reconciliation_runs. Transaction: caller's.
    """
    attempts = run.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        return False
    pause = ids.jittered(RETRY_SECONDS[attempts - 1])
    values: dict[str, object] = {
        "attempts": attempts,
        "last_error": why[:500],
        "due_at": clock.after(pause),
    }
    move_together(
        session, run, moves={}, values=values, why=Why(system("reconciliation"), source_of(run))
    )
    return True


def wait(session: Session, run: ReconciliationRun, due_at: datetime, said: str | None) -> None:
    """Let a locked run wait a while, without counting that as a try. Transaction: caller's."""
    values: dict[str, object] = {"last_error": said, "due_at": due_at}
    why = Why(system("reconciliation"), source_of(run))
    move_together(session, run, moves={}, values=values, why=why)


def finish(session: Session, run: ReconciliationRun, *, different: int) -> None:
    """End a locked run that has compared everything.

    Writes: reconciliation_runs, audit_log. Emits: reconciliation.finished. Transaction: caller's.
    """
    why = Why(system("reconciliation"), source_of(run))
    _end(session, run, State.FINISHED, why, different=different, more={"total": run.done})


def fail(session: Session, run: ReconciliationRun, why_not: str, *, different: int) -> None:
    """End a locked run that cannot be gone on with, and say why.

    Writes: reconciliation_runs, audit_log. Emits: reconciliation.finished. Transaction: caller's.
    """
    why = Why(system("reconciliation"), source_of(run), why_not[:500])
    _end(session, run, State.FAILED, why, different=different, more={"last_error": why_not[:500]})


def cancel(
    session: Session, run_id: str, *, actor: Actor, reason: str, source: str, different: int
) -> ReconciliationRun:
    """Stop a run; what it found so far stays. Whoever has it in hand notices at its next page.

    Writes: reconciliation_runs, audit_log. Emits: reconciliation.finished. Raises: NotFound,
    InvalidInput, Conflict (INVALID_TRANSITION) when it is over. Transaction: caller's.
    """
    assert_reason(reason, required=True)
    statement = select(ReconciliationRun).where(ReconciliationRun.id == run_id).with_for_update()
    run = session.scalars(statement.execution_options(populate_existing=True)).first()
    if run is None:
        raise NotFound
    if run.status != State.RUNNING.value:
        raise Conflict(
            f"This run is over: {run.status}.",
            code="INVALID_TRANSITION",
            details={"kind": "reconciliation", "from": run.status, "to": State.CANCELLED.value},
        )
    why = Why(actor, source, reason)
    _end(session, run, State.CANCELLED, why, different=different, more={})
    return run


def _end(
    session: Session,
    run: ReconciliationRun,
    to: State,
    why: Why,
    *,
    different: int,
    more: Mapping[str, object],
) -> None:
    values: dict[str, object] = {"open_key": None, "due_at": None, "finished_at": clock.now()}
    moves = {"reconciliation": to.value}
    move_together(session, run, moves=moves, values=values | dict(more), why=why)
    after: dict[str, Json] = {"status": run.status, "different": different, **run.counts}
    _audit(
        session, run, {State.FINISHED: "finish", State.FAILED: "fail"}.get(to, "cancel"), why, after
    )
    _tell(session, run, "reconciliation.finished", source=why.source, different=different)


def _audit(
    session: Session, run: ReconciliationRun, act: str, why: Why, after: Mapping[str, Json]
) -> None:
    audit.write(
        session,
        f"reconciliation.{act}",
        actor=why.actor,
        object_kind="reconciliation",
        object_id=run.id,
        source=why.source,
        reason=why.reason,
        after=after,
    )


def _tell(
    session: Session, run: ReconciliationRun, kind: str, *, source: str, different: int
) -> None:
    body: dict[str, Json] = {
        "runId": run.id,
        "provider": run.provider,
        "done": run.done,
        "total": run.total,
        "different": different,
    }
    # Who looks at a run sees its backfill there.
    about = events.about_staff(run.of_run_id or run.id)
    row = events.row(kind, about, source=source, status=run.status, body=body)
    events.append(session, [row])


def in_words(error: Exception) -> str:
    """Say why a page could not be done; only our own errors are quoted, others could hold personal data."""
    return error.message if isinstance(error, AppError) else type(error).__name__
