"""How many balanced postings four writers commit per second, beside four that insert two bare rows each.

Twice: one entry per commit, as an act of a person or a call of the API posts it, and as many per commit as
the worker, which posts nearly all there are, takes events at once.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import sqlalchemy
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bench import rig
from bench.report import Report, spread
from bench.rig import Bench
from core import ids
from core.money import Money, asset
from domain import database
from domain.books import account_proofs, accounts, ledger, proofs
from domain.jobs import inbound
from models.ledger import JournalEntry

WRITERS = 4
# The least share of the bare rate, and the least rate.
SHARE, LEAST = 0.4, 1000
BATCH = inbound.LARGEST_BATCH
SECONDS = 5.0
_WARM_UP_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
_BARE_TABLE = "create table bare_rows (id text, line integer, minor bigint, primary key (id, line))"
_TWO_ROWS = text("insert into bare_rows (id, line, minor) values (:id, 1, 5), (:id, 2, -5)")
_POSTED = Money(500, asset("EUR"))


@dataclass(frozen=True)
class Writing:
    """What a writer does in one commit: so many times the same."""

    write: Callable[[Session, int], None]
    times: int = 1


@dataclass
class Seen:
    """What all writers of one kind did. latencies: of each commit, in seconds."""

    times: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Writes per second, all writers together."""
        return len(self.latencies) * self.times / max(self.seconds, 0.001)


def _post(session: Session, writer: int) -> None:
    """Post what arrived for an order, as settling a payment does: two movements, four lines, sealed."""
    name = ids.new("ord")
    funds = accounts.buyer_funds(f"usr_{writer}", name)
    hold = accounts.escrow_hold(name, f"mer_{writer}")
    ledger.post(
        session,
        "wallet_credit",
        movements=[
            ledger.Movement(accounts.clearing("stripe"), funds, _POSTED),
            ledger.Movement(funds, hold, _POSTED),
        ],
        source_key=name,
        source="bench",
        ties=ledger.Ties(order_id=name, payment_id=name, provider="stripe"),
    )


def _insert_two(session: Session, writer: int) -> None:
    del writer
    session.connection().execute(_TWO_ROWS, {"id": ids.new("bar")})


_SINGLE, _BATCHED, _BARE = "one entry", f"{BATCH} entries", "two bare rows"
_WRITES: Mapping[str, Writing] = {
    _SINGLE: Writing(_post),
    _BATCHED: Writing(_post, BATCH),
    _BARE: Writing(_insert_two),
}


def measure(*, rounds: int = 3, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Let four processes post, then four insert bare rows, in turns, each commit by itself."""
    report = Report("postings", f"python -m bench postings --rounds {rounds}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            with database.engine().begin() as connection:
                connection.execute(text(_BARE_TABLE))
            _compare(report, ground, rounds)
    return report


def _compare(report: Report, ground: Bench, rounds: int) -> None:
    rig.wait_idle()
    seen = {name: Seen(writing.times) for name, writing in _WRITES.items()}
    for name in seen:
        _together(ground, name, seconds=_WARM_UP_SECONDS)
    for _ in range(rounds):
        for name, each in seen.items():
            each.latencies += _together(ground, name, seconds=SECONDS)
            each.seconds += SECONDS
    bare = seen[_BARE].rate
    for name, each in seen.items():
        report.add(
            engine=ground.engine,
            per_commit=name,
            writes_per_second=round(each.rate),
            of_the_bare_rate=round(each.rate / max(bare, 1), 2),
            **spread(each.latencies),
            commits=len(each.latencies),
            load=rig.load(),
        )
    _prove(sum(len(each.latencies) * each.times for name, each in seen.items() if name != _BARE))
    if ground.engine == "postgresql":
        _judge(report, seen)


def _judge(report: Report, seen: Mapping[str, Seen]) -> None:
    """Hold the targets against the way in which nearly all entries are committed."""
    rate = seen[_BATCHED].rate
    share = rate / max(seen[_BARE].rate, 1)
    sentence = f"{_BATCHED} per commit: {share:.2f} of the bare rate, at least {SHARE}"
    report.expect(sentence, holds=share >= SHARE)
    sentence = f"{_BATCHED} per commit: {round(rate)} postings a second, at least {LEAST}"
    report.expect(sentence, holds=rate >= LEAST)


def _together(ground: Bench, name: str, *, seconds: float) -> list[float]:
    """Run the writers side by side for so long. Gives how long each commit took."""
    spawning = multiprocessing.get_context("spawn")
    ready, told = spawning.Barrier(WRITERS), spawning.Queue()
    writers = [
        spawning.Process(target=_run, args=(Writer(ground.url, name, no, seconds), ready, told))
        for no in range(WRITERS)
    ]
    for each in writers:
        each.start()
    found = [told.get(timeout=seconds + _PATIENCE_SECONDS) for _ in writers]
    for each in writers:
        each.join()
    return [latency for own in found for latency in own]


@dataclass(frozen=True)
class Writer:
    """One writer: where, what, which of the four, and for how long."""

    url: str
    name: str
    no: int
    seconds: float


def _run(writer: Writer, ready: Barrier, told: Queue[list[float]]) -> None:
    """Be one writer: a process with a connection of its own."""
    engine = sqlalchemy.create_engine(writer.url)
    database.bind(engine)
    writing, taken = _WRITES[writer.name], []
    _commit(writing, writer.no)  # opens the connection and compiles the statements
    ready.wait()
    until = time.perf_counter() + writer.seconds
    while (began := time.perf_counter()) < until:
        _commit(writing, writer.no)
        taken.append(time.perf_counter() - began)
    engine.dispose()
    told.put(taken)


def _commit(writing: Writing, no: int) -> None:
    with database.transaction() as session:
        for _ in range(writing.times):
            writing.write(session, no)


def _prove(posted: int) -> None:
    """Check that all that was said to be posted is there, balanced, sealed and kept.

    Raises: SystemExit
    """
    with database.reading() as session:
        count = session.scalar(select(func.count()).select_from(JournalEntry)) or 0
        problems = [
            said
            for check in (proofs.trial_balance, proofs.entries, account_proofs.kept)
            for said in check(session)
            if said
        ]
    if problems or count < posted:
        raise SystemExit(f"{posted} postings were told, {count} are there: {problems[:3]}")
