"""`python -m bench [NAME…]`: run the measurements, print them, keep them under bench/results/."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    control,
    ingest,
    invoices,
    page,
    pages,
    postings,
    reconcile,
    revoke,
    rig,
    sse,
    start,
    verify,
    waiting,
    worker,
)
from bench.report import Report


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"of {', '.join(_MEASUREMENTS)}; default: all")
    add("--engine", choices=rig.ENGINES, action="append", help="default: both")
    floor = os.environ.get("BENCH_FLOOR", ingest.FLOOR)
    add("--floor", type=Path, default=floor, help="the bare app beside ingest; or BENCH_FLOOR")
    add(
        "--requests",
        type=int,
        help="of ingest: per round; of pages: per page; of sse and waiting: followed; of control and revoke: rounds",
    )
    add("--rounds", type=int, default=3, help="of ingest, in turns with the floor; of postings")
    add("--events", type=int, default=5000, help="of worker")
    add("--payments", type=int, default=100_000, help="of pages and reconcile")
    add("--rows", type=int, default=verify.TARGET_ROWS, help="of verify")
    add("--clients", type=int, default=sse.CROWD, help="of sse")
    add("--write", action="store_true", help="write docs/measurements.md from what is kept")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(_MEASUREMENTS)
    if unknown:
        parser.error(f"there is no measurement named {', '.join(sorted(unknown))}")
    return options


def _engines(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(options.engine or rig.ENGINES)


_MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Report]] = {
    "ingest": lambda said: ingest.measure(
        floor=said.floor,
        requests=said.requests or 4000,
        rounds=said.rounds,
        engines=_engines(said),
    ),
    "worker": lambda said: worker.measure(events=said.events, engines=_engines(said)),
    "sse": lambda said: sse.measure(
        requests=said.requests or 200, clients=said.clients, engines=_engines(said)
    ),
    "waiting": lambda said: waiting.measure(requests=said.requests or 200),
    "pages": lambda said: pages.measure(
        payments=said.payments, requests=said.requests or 200, engines=_engines(said)
    ),
    "control": lambda said: control.measure(rounds=said.requests or 20, engines=_engines(said)),
    "revoke": lambda said: revoke.measure(rounds=said.requests or 10, engines=_engines(said)),
    "verify": lambda said: verify.measure(rows=said.rows, engines=_engines(said)),
    "reconcile": lambda said: reconcile.measure(payments=said.payments, engines=_engines(said)),
    "postings": lambda said: postings.measure(rounds=said.rounds, engines=_engines(said)),
    "invoices": lambda said: invoices.measure(rounds=said.requests or 60, engines=_engines(said)),
    "start": lambda _: start.measure(),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for, one after another. Gives 1 when a target was missed."""
    options = _options(arguments)
    if options.write and not options.names:
        print(f"written: {page.write()}")
        return 0
    print(f"{rig.machine()}; load {rig.load():.2f}")
    missed = 0
    for name in options.names or _MEASUREMENTS:
        print(f"{name}:")
        report = _MEASUREMENTS[name](options)
        missed += sum(not met for _, met in report.targets)
        print(f"  kept in {report.keep()}")
    if options.write:
        print(f"written: {page.write()}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
