"""How long comparing a hundred thousand payments takes, and in how much memory, beside the floor: reading the
provider's lists plainly, page by page.

The provider answers from memory here; what its network takes, a hundred objects a page, comes on top.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, text

from bench import rig
from bench.report import Report
from core import clock
from domain import database, samples
from domain.actors import system
from domain.jobs import reconciliation
from domain.reconciliation import run_queries, runs, steps
from domain.reconciliation.runs import LONGEST_WINDOW, Cause, Wanted
from models.payments import Payment, ProviderReference
from models.reconciliation import ReconciliationRun
from providers import registry
from providers.list_seam import Listed, Listing, ListPage
from providers.stripe import listing, reading
from tests.domain import mirror

TARGET_OPERATIONS, TARGET_SECONDS, TARGET_MEGABYTES = 100_000, 300.0, 200.0
PAGE = 100
_SAMPLED_SECONDS = 0.05


class Held:
    """A provider that holds what our books say, as the JSON that Stripe would send."""

    name, rail, label, mode, is_configured = "stripe", "card", "Stripe", "test", True

    def __init__(self) -> None:
        self.intents: list[bytes] = []
        with database.reading() as session:
            names = select(ProviderReference.payment_id, ProviderReference.reference).where(
                ProviderReference.reference.like("pi\\_%", escape="\\")
            )
            known = dict(session.execute(names).all())
            statement = select(Payment).execution_options(yield_per=1000)
            for row in session.scalars(statement):
                record = mirror.intent_of(row, known.get(row.id))
                if record is not None:
                    self.intents.append(json.dumps(record).encode())

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        """List intents; there are no refunds and no disputes here."""
        del since, until
        begin = int(after or "0")
        found = self.intents[begin : begin + PAGE] if what == Listing.PAYMENTS else []
        end = begin + PAGE
        more = what == Listing.PAYMENTS and end < len(self.intents)
        return ListPage([_listed(each) for each in found], str(end) if more else None)


def _listed(body: bytes) -> Listed:
    record = json.loads(body)
    said = listing.read(record, lambda one: reading.read_intent(one, said_at=clock.now()))
    return Listed(record["id"], said, clock.from_unix(record["created"]))


def measure(*, payments: int = TARGET_OPERATIONS, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Load sample data, read the provider's lists plainly, then compare all of it."""
    report = Report("reconcile", f"python -m bench reconcile --payments {payments}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            samples.load(payments)
            if engine == "postgresql":
                _note_sizes()
            held = Held()
            registry._built["stripe"] = held  # type: ignore[assignment]  # noqa: SLF001  # stands in for it
            rig.wait_idle()
            _measure(report, engine, held)
    return report


def _note_sizes() -> None:
    """Let the planner know how large the tables are; by itself it would within a minute."""
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as own:
        own.execute(text("vacuum analyze"))


def _measure(report: Report, engine: str, held: Held) -> None:
    began = time.perf_counter()
    listed = sum(len(page.items) for page in _pages(held))
    floor = time.perf_counter() - began
    with _memory() as memory:
        began = time.perf_counter()
        run = _compare()
        seconds = time.perf_counter() - began
    assert run.status == "finished", (run.status, run.last_error)
    compared = run_queries.compared(run)
    assert run_queries.equal(run) == compared, run.counts
    scaled = seconds * TARGET_OPERATIONS / max(listed, 1)
    report.add(
        engine=engine,
        listed=listed,
        compared=compared,
        seconds=round(seconds, 1),
        floor_seconds=round(floor, 1),
        per_second=round(listed / seconds),
        grown_megabytes=round(memory["grown"] / 1e6, 1),
        load=rig.load(),
    )
    report.expect(
        f"{engine}: {TARGET_OPERATIONS:,} operations in {TARGET_SECONDS:.0f} s",
        holds=scaled <= TARGET_SECONDS,
    )
    report.expect(
        f"{engine}: in {TARGET_MEGABYTES:.0f} MB, however many",
        holds=memory["grown"] <= TARGET_MEGABYTES * 1e6,
    )


def _pages(held: Held) -> Iterator[ListPage]:
    after = None
    while True:
        page = held.list_page(Listing.PAYMENTS, since=clock.now(), after=after)
        yield page
        if (after := page.after) is None:
            return


def _compare() -> ReconciliationRun:
    now = clock.now()
    window = LONGEST_WINDOW - timedelta(days=1)
    with database.transaction() as session:
        wanted = Wanted("stripe", now - window, now, Cause.COMMAND)
        run = runs.start(session, wanted, actor=system("bench"), source="bench", step=steps.FIRST)
    while reconciliation.work_next():
        with database.reading() as session:
            status = select(func.count()).where(
                ReconciliationRun.id == run.id, ReconciliationRun.status != "running"
            )
            if session.scalar(status):
                break
    with database.reading() as session:
        return run_queries.get_run(session, run.id)


@contextmanager
def _memory() -> Iterator[Mapping[str, float]]:
    """Watch by how much this process grows meanwhile, in bytes."""
    found = {"grown": 0.0}
    before, over = _resident(), threading.Event()

    def watch() -> None:
        while not over.wait(_SAMPLED_SECONDS):
            found["grown"] = max(found["grown"], _resident() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _resident() -> float:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096.0
