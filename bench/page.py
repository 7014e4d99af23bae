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
payment, order, invoice, ledger entry, history, event log, audit log. Meanwhile the same worker opens the
final invoice of each order and prints what it can, at low priority: both count against the rate, which is
taken from the first to the last event applied. The last column also waits until every event is numbered
and every chain is linked.
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
    "postings": """\
## Balanced postings

Four processes, each with a connection of its own, post entries of two movements between three accounts:
four lines, sealed, with a kept balance, every guard of the database in place. Once with one entry per
commit, as a person's act posts it, and once with as many per commit as the worker, which posts nearly all
there are, takes events at once. Beside them the same four processes insert two rows into a table without
any guard, one pair per commit, through the same session. They run in turns; at the end all that was
posted is proved. The targets are for the worker's way: alone, an entry costs nine statements and a
commit of its own.
""",
    "invoices": """\
## Invoices

An invoice of twelve lines, PDF/A-3 with its EN 16931 XML inside, printed by the worker's warm process: from
the content on its standard input to the last byte of the document. `floor` is WeasyPrint alone on a bare
table of the same words: no fonts of ours, no archive format, no XML. Then the stored document is handed
over by one web process: signed in, looked up, opened, hashed, the view written to the audit log. There,
`floor` is `/healthz` of the same process.
""",
    "reconcile": """\
## Comparing a hundred thousand payments

A run over a stock of 100,000 payments, of which nine in ten reached the provider and none differs: what the
provider lists, what we hold and what the books say are put beside each other. The provider answers from
memory, a hundred objects a page; what its network takes comes on top. The memory is what the process grew
by while it compared. `floor` reads the same pages and does nothing with them.
""",
    "verify": """\
## Proving a million rows

`flask verify` over a stock of payments with their journal, chains and events, as of one instant, while nothing
else runs: every check, row by row. `floor` reads the same rows plainly and hashes each once.
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
    "soaks": """\
## Long runs

The ledger played with at random, with attacks, its trial balance asked for after every move. Single rows of a
full database changed or deleted past every guard, one at a time, each to be found and named by verifying.
Answers of the provider lost after their effect. Secrets rotated under load. Each stops at the first that
does not hold; the figures are of runs that came to their end.
""",
}
_COMMANDS = {"soak": "make soak", "soaks": "make soak"}


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
