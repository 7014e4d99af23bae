"""Comparing at once, in this process: what `flask reconcile` does, by the same engine as every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from core import clock
from core import recon_kinds as kinds
from core.book_states import Difference as State
from core.errors import AppError
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.reconciliation import engine, runs, steps
from domain.reconciliation.runs import Cause, Wanted
from models.reconciliation import ReconciliationDifference, ReconciliationRun
from providers.seam import Rail


@dataclass
class Reconciled:
    """What a run found. compared: payments of ours; equal: with no difference; healed: of which something
    had been missed; unknown: objects that are not ours; missing: ours that the provider does not know;
    different: what people must decide; failed: what could not be compared. refunds, disputes: compared
    likewise, …_healed: of these, of which something had been missed. changes, problems: in words.
    """

    run_id: str
    compared: int = 0
    equal: int = 0
    healed: int = 0
    unknown: int = 0
    missing: int = 0
    different: int = 0
    failed: int = 0
    refunds: int = 0
    refunds_healed: int = 0
    disputes: int = 0
    disputes_healed: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def wire(found: Reconciled) -> dict[str, Json]:
    """Write what a run found as the command shows it."""
    return {
        "runId": found.run_id,
        "compared": found.compared,
        "equal": found.equal,
        "healed": found.healed,
        "unknown": found.unknown,
        "missing": found.missing,
        "different": found.different,
        "failed": found.failed,
        "refunds": found.refunds,
        "refundsHealed": found.refunds_healed,
        "disputes": found.disputes,
        "disputesHealed": found.disputes_healed,
        "byKind": dict(found.by_kind),
        "changes": list(found.changes),
        "problems": list(found.problems),
    }


def reconcile(rail: Rail, *, since: datetime, actor: Actor) -> Reconciled:
    """Compare everything since then with the provider and apply what was missed.

    When this process is killed, a worker goes on with the run.
    Calls: the provider, with no transaction open. Writes, Emits: as the engine and settlement.
    Raises: ProviderUnavailable, ProviderRefused when the provider cannot be read; the run has failed then.
    Transaction: opens its own.
    """
    wanted = Wanted(rail.name, since, clock.now(), Cause.COMMAND, heals=True)
    with database.transaction() as session:
        run = runs.start(
            session, wanted, actor=actor, source=actor.id, step=steps.FIRST, in_hand=True
        )
    try:
        while engine.advance(run.id, run.fence):
            pass
    except AppError as error:
        with database.transaction() as session:
            engine.fail(session, runs.held(session, run.id, run.fence), runs.in_words(error))
        raise
    return _summary(run.id)


def _summary(run_id: str) -> Reconciled:
    found = Reconciled(run_id)
    with database.reading() as session:
        run = session.get_one(ReconciliationRun, run_id)
        rows = list(
            session.scalars(
                select(ReconciliationDifference)
                .where(
                    ReconciliationDifference.run_id == run_id,
                    ReconciliationDifference.state == State.APPLIED.value,
                )
                .order_by(ReconciliationDifference.id)
            )
        )
        problems = session.scalars(
            select(ReconciliationDifference)
            .where(
                ReconciliationDifference.run_id == run_id,
                ReconciliationDifference.kind == kinds.NOT_COMPARED,
            )
            .order_by(ReconciliationDifference.id)
        ).all()
        counted = session.execute(
            select(ReconciliationDifference.kind, func.count())
            .where(ReconciliationDifference.run_id == run_id)
            .group_by(ReconciliationDifference.kind)
        ).all()
    found.by_kind = {kind: int(number) for kind, number in counted}
    found.changes = [f"{row.payment_id}: {row.effect}" for row in rows]
    found.problems = [f"{row.subject}: {row.theirs}" for row in problems]
    for name in ("unknown", "refunds", "disputes"):
        setattr(found, name, runs.number_of(run, name))
    found.compared = runs.number_of(run, "payments")
    found.refunds_healed = sum("refund" in row.kind for row in rows)
    found.disputes_healed = sum("dispute" in row.kind for row in rows)
    found.healed = len(rows) - found.refunds_healed - found.disputes_healed
    found.missing = found.by_kind.get(kinds.MISSING_THERE, 0)
    found.failed = len(problems)
    found.different = sum(found.by_kind.values()) - len(rows) - len(problems) - found.missing
    found.equal = found.compared - found.healed - found.missing - found.failed
    return found
