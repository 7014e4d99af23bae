"""A provider that holds exactly what our books say, so that a comparison finds nothing wrong; and runs of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update

from core import clock
from core.money import asset
from domain import database, samples
from domain.actors import system
from domain.jobs import reconciliation
from domain.payments.payments import Page
from domain.reconciliation import again, run_queries, runs, steps
from domain.reconciliation.run_queries import DifferenceFilter
from domain.reconciliation.runs import Cause, Wanted
from models.payments import Payment, ProviderReference
from models.reconciliation import ReconciliationDifference, ReconciliationRun
from tests.domain import fake_charges
from tests.domain.world import World

WINDOW = timedelta(days=399)
_STATUS = {
    ("pending", "requires_payment_method"): "requires_payment_method",
    ("pending", "requires_action"): "requires_action",
    ("processing", "requires_capture"): "requires_capture",
    ("processing", "none"): "processing",
    ("completed", "none"): "succeeded",
    ("cancelled", "none"): "canceled",
}


def stock(world: World, payments: int) -> None:
    """Load sample payments and have the fake rail hold the same."""
    samples.load(payments)
    reflect(world)


def reflect(world: World) -> None:
    """Have the fake rail hold every payment as it stands here."""
    with database.reading() as session:
        rows = list(session.scalars(select(Payment)))
        names = session.scalars(select(ProviderReference))
        known = {(row.payment_id, row.reference[:3]): row.reference for row in names}
    for row in rows:
        record = intent_of(row, known.get((row.id, "pi_")), known.get((row.id, "ch_")))
        if record is not None:
            world.rail.intents[str(record["id"])] = record


def intent_of(
    row: Payment, name: str | None, charge: str | None = None
) -> dict[str, object] | None:
    """Write the payment intent of a payment as it stands here; None for what was never one."""
    status = _STATUS.get((row.status, row.sub_state))
    if status is None or name is None:
        return None
    return fake_charges.intent(
        name,
        row.id,
        row.amount_minor,
        status=status,
        currency=asset(row.asset).code.lower(),
        amount_received=row.received_minor,
        amount_capturable=row.capturable_minor,
        latest_charge=charge,
        created=int(row.created_at.timestamp()),
    )


def begin(*, since: timedelta = WINDOW, cause: Cause = Cause.DESK, heals: bool = False) -> str:
    """Begin a run over the newest past. Gives its id."""
    now = clock.now()
    wanted = Wanted("stripe", now - since, now, cause, heals=heals)
    with database.transaction() as session:
        run = runs.start(session, wanted, actor=system("test"), source="test", step=steps.FIRST)
    return run.id


def finish(run_id: str) -> ReconciliationRun:
    """Work as a worker does until a run is over or waits for a provider. Gives how it stands."""
    work()
    return read(run_id)


def work() -> None:
    """Do all that is due; what waits for events that may be on their way waits no longer."""
    while True:
        while reconciliation.work_next():
            pass
        if not pass_time():
            return


def pass_time() -> bool:
    """Let the time pass in which an event may be on its way. Gives whether a run waited for that."""
    with database.transaction() as session:
        waiting = update(ReconciliationRun).where(
            ReconciliationRun.step == "again",
            ReconciliationRun.status == "running",
            ReconciliationRun.attempts == 0,
            ReconciliationRun.last_error.is_(None),
        )
        woken = waiting.values(due_at=clock.now()).returning(ReconciliationRun.id)
        ids = session.scalars(woken).all()
        session.execute(
            update(ReconciliationDifference)
            .where(ReconciliationDifference.run_id.in_(ids))
            .values(found_at=clock.now() - 2 * again.ON_ITS_WAY)
        )
    return bool(ids)


def compare(**more: object) -> ReconciliationRun:
    """Compare everything, as the worker does."""
    return finish(begin(**more))  # type: ignore[arg-type]


def read(run_id: str) -> ReconciliationRun:
    """Read a run."""
    with database.reading() as session:
        return run_queries.get_run(session, run_id)


def differences(run_id: str) -> Sequence[ReconciliationDifference]:
    """List what differed in a run, in the order in which it was found."""
    with database.reading() as session:
        page = Page(1000)
        found = run_queries.list_differences(session, run_id, DifferenceFilter(), page=page)
    return found[::-1]


def kinds(run_id: str) -> list[str]:
    """Name what differed in a run."""
    return sorted(row.kind.removeprefix("recon_") for row in differences(run_id))
