"""`docs/measurements.md`, drawn from bench/results/: what was measured, by which command, on which machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.report import RESULTS, shown

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"
_HEAD = """\
# Measurements

<!-- Written by `python -m bench --write` from bench/results/. Measure again instead of editing. -->

Everything here was measured with real processes, real sockets on loopback, and databases that sync
to disk (PostgreSQL `fsync=on`, `synchronous_commit=on`; SQLite `synchronous=FULL`). `make bench` runs
all of it; `make bench ARGS="ingest"` one part. Client, database and product share the machine's cores,
so a figure is only worth something on a machine that does nothing else: each row carries the load
average at its end, in which the measurement's own processes count.

Processor milliseconds per request or event (`cpu_ms…`) count the product's processes without the
database's, and hold when the elapsed times are disturbed.
"""
_ABOUT = {
    "ingest": """\
## Webhook ingest, beside the bare floor

Signed Stripe events of about 2 KB, each a new one, over 16 kept-alive connections from one client
process with prepared requests. `app` is the whole product under gunicorn with two web processes;
`floor` is the smallest Flask app that verifies a signature and commits one row, with two processes of
eight threads. They are loaded in turns, on the same database server or folder.
""",
    "worker": """\
## One worker

Success events of pending card payments, all in the inbox before the worker starts. Applied in full:
payment, order, ledger entry, history, event log, audit log. The rate is counted from the first to the
last event applied; the last column also waits until every event is numbered and every chain is linked.
""",
    "sse": """\
## Live streams

First: one client of the stream; the time from sending a webhook to the frame `payment.succeeded` at
the client, through web, inbox, worker, event log and stream. Then a crowd of clients on one gevent
process while webhooks come at ten a second; the time from an event's own moment to its frame.
""",
    "waiting": """\
## A call that waits

Five hundred calls with `awaitStatus=succeeded` are held by one gevent process on PostgreSQL, each for a
transaction of its own; webhooks settle others of theirs at ten a second. The time from sending the
webhook to the waiting client's answer, through web, inbox, worker and event log. Beside it, in the same
run with the same worker and client, a peer that does nothing but wait as source 002 proposes: each of
its calls asks the database every 500 ms.
""",
    "pages": """\
## Home and lists over a year of payments

`flask data load` made the rows. One request after another over one connection, warm.
""",
    "control": """\
## How soon a freeze holds

Four web processes, each asked for refunds without pause over a connection of its own; then one call
freezes everything through one of them. Counted is the time until every process has refused, from the
call's answer, and whatever was asked for after that answer and was not refused.
""",
    "revoke": """\
## How soon a revoked secret is refused

Four web processes, each delivered to a hundred times a second with a secret that is about to be revoked;
then one call revokes it through one of them. Counted is the time from the beginning of that call to the
last delivery that any process still took.
""",
    "start": """\
## From a clean clone to running

`git clone`, `make run` until web and worker answer, with a warm package cache; then once more.
""",
    "soak": """\
## Killed at random

Web processes and workers die by `kill -9` at random moments while shoppers order and pay, each request
is repeated until it is answered, and events come twice, late or never. Then every event 64 times at
once through two processes. An independent judge reads the database and the stand-in's own ledger.
""",
}
_COMMANDS = {"soak": "make soak"}


def write() -> Path:
    """Draw the page from the results that there are, and write it."""
    PAGE.write_text("\n".join(_parts()), encoding="utf-8")
    return PAGE


def _parts() -> Iterator[str]:
    yield _HEAD
    for name, about in _ABOUT.items():
        yield about
        path = RESULTS / f"{name}.json"
        if path.is_file():
            yield from _result(json.loads(path.read_text(encoding="utf-8")))
        else:
            command = _COMMANDS.get(name, f'make bench ARGS="{name} --write"')
            yield f"Not measured yet: `{command}`.\n"


def _result(said: dict[str, Any]) -> Iterator[str]:
    yield f"`{said['command']}`, {said['at'][:10]}, on {said['machine']}.\n"
    for rows in _alike(said["rows"]):
        names = list(rows[0])
        yield _line(names)
        yield _line(["---"] * len(names))
        yield from (_line([shown(row[name]) for name in names]) for row in rows)
        yield ""
    for target in said["targets"]:
        yield f"- {'met' if target['met'] else '**missed**'}: {target['target']}"
    yield ""


def _alike(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Keep rows of the same columns together, in the order in which they first came."""
    tables: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        tables.setdefault(tuple(row), []).append(row)
    yield from tables.values()


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('_', ' ') for cell in cells)} |"
