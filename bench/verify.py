"""How long it takes to prove a million rows, beside the floor: the same rows read plainly and hashed once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

from sqlalchemy import text

from bench import rig
from bench.report import Report
from core import clock
from domain import database, samples
from domain.books import verification
from domain.watch import invariants

TARGET_ROWS, TARGET_SECONDS = 1_000_000, 60.0
# Of each payment of the sample data verification reads about this many rows, in all its checks.
ROWS_PER_PAYMENT = 20
_TABLES = (
    *("journal_entries", "postings", "journal_seals", "audit_log", "chain_links"),
    *("payments", "payment_facts", "state_changes", "orders", "operations", "ledger_accounts"),
)


def measure(*, rows: int = TARGET_ROWS, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Load sample data, read and hash it plainly, then verify it."""
    report = Report("verify", f"python -m bench verify --rows {rows}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            samples.load(rows // ROWS_PER_PAYMENT)
            _note_sizes(ground.engine)
            rig.wait_idle()
            _run(report, ground.engine)
            _ask_rules(report, ground.engine)
    return report


def _note_sizes(engine: str) -> None:
    """Let the planner know how large the tables are; by itself it would within a minute."""
    if engine == "postgresql":
        with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as own:
            own.execute(text("vacuum analyze"))


def _run(report: Report, engine: str) -> None:
    began = time.perf_counter()
    read, size = _floor()
    floor = time.perf_counter() - began
    slowest: dict[str, float] = {}
    began = last = time.perf_counter()

    def note(check: verification.Check) -> None:
        nonlocal last
        now = time.perf_counter()
        slowest[check.name], last = now - last, now

    found = verification.verify(progress=note)
    seconds = time.perf_counter() - began
    assert found.ok, [check for check in found.checks if not check.ok]
    per_million = seconds * 1_000_000 / found.rows
    named = sorted(slowest.items(), key=lambda each: -each[1])[:6]
    report.add(
        engine=engine,
        rows=found.rows,
        seconds=round(seconds, 1),
        seconds_per_million=round(per_million, 1),
        floor_rows=read,
        floor_megabytes=round(size / 1e6),
        floor_seconds=round(floor, 1),
        slowest=", ".join(f"{name} {spent:.1f}" for name, spent in named),
        load=rig.load(),
    )
    holds = per_million <= TARGET_SECONDS
    report.expect(
        f"{engine}: verify of {TARGET_ROWS:,} rows in {TARGET_SECONDS:.0f} s", holds=holds
    )


def _ask_rules(report: Report, engine: str) -> None:
    """Ask the rules that the monitor asks: of everything, and of what is new alone."""
    for name, since in (("everything", None), ("the last minute", clock.after(-60))):
        began = time.perf_counter()
        found = invariants.find(since=since)
        seconds = time.perf_counter() - began
        assert not any(each.is_red for each in found)
        named = sorted(found, key=lambda each: -each.took_ms)[:4]
        report.add(
            engine=engine,
            rules=len(found),
            asked_of=name,
            seconds=round(seconds, 2),
            slowest=", ".join(f"{each.rule.name} {each.took_ms / 1000:.1f}" for each in named),
            load=rig.load(),
        )


def _floor() -> tuple[int, int]:
    """Read every row of the tables that are proved and hash it, with nothing around it."""
    count = size = 0
    for table in _TABLES:
        for body in _bodies(table):
            hashlib.sha256(body).digest()
            count, size = count + 1, size + len(body)
    return count, size


def _bodies(table: str) -> Iterator[bytes]:
    with database.reading() as session:
        statement = text(f"select * from {table}").execution_options(
            yield_per=2000
        )  # our own names
        for row in session.execute(statement):
            yield repr(tuple(row)).encode()
