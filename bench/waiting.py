"""How soon a held call is answered after the webhook, among five hundred; beside a peer that polls for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench import cpu, rig, sse, stock
from bench.report import Report, spread
from bench.rig import Bench
from bench.stock import Pending
from tests.rig import locate, ports, process
from tests.rig.process import Running

WAITERS, RATE = 500, 10.0
P50_MS, P99_MS = 40.0, 250.0
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Crowd:
    """Whose calls wait for what. followed: how many of the pending get their money while all wait."""

    token: str
    pending: Sequence[Pending]
    followed: int


@dataclass(frozen=True)
class Door:
    """Where to wait. path: of a transaction; group: the process group whose processor time it takes."""

    name: str
    url: str
    path: str
    group: int


def measure(*, requests: int = 200, waiters: int = WAITERS) -> Report:
    """Hold so many calls on one process of PostgreSQL, settle some of theirs one by one, at both doors in turn.

    requests: webhooks followed, at each door; waiters: how many wait from the first to the last of them.
    """
    report = Report("waiting", f"python -m bench waiting --requests {requests}")
    with rig.ground("postgresql") as ground, ground.bound():
        token = sse.token_of_staff()
        with _running(ground) as (web, doors):
            rig.wait_idle()
            for door in doors:
                pending = stock.add_transactions(waiters + requests)
                _follow(report, web, door, Crowd(token, pending, requests))
    return report


@contextmanager
def _running(ground: Bench) -> Iterator[tuple[Running, list[Door]]]:
    web, worker = ground.web(processes=1), ground.worker()
    polling = _polling(ground)
    app = "/v1/stripe/transactions/{id}?awaitStatus=succeeded"
    doors = [
        Door("app", web.url, app, web.pid),
        Door("polls each 500 ms", polling.url, "/{id}", polling.pid),
    ]
    try:
        yield web, doors
    except BaseException:
        print(web.output(), worker.output(), polling.output(), file=sys.stderr)
        raise
    finally:
        polling.stop()
        worker.stop()
        web.stop()


def _polling(ground: Bench) -> Running:
    """Start the peer: the design of source 002, as small as it can be, on the same database and server."""
    port = ports.free_port()
    own = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "gunicorn", "-w", "1", "-k", "gevent"]
    argv += ["--worker-connections", "4000", "--no-control-socket", "--graceful-timeout", "1"]
    argv += ["--log-level", "warning", "-c", os.devnull]
    argv += ["-b", f"127.0.0.1:{port}", "bench.polling:app"]
    env = ground.env | {"POLLED_DB": ground.url}
    return process.command(
        ground.run, "polling", argv, env=env, ready=process.answers("/"), url=own
    ).start(seconds=60)


def _follow(report: Report, web: Running, door: Door, asked: Crowd) -> None:
    crowd = subprocess.Popen(
        [sys.executable, "-m", "bench.held", door.url, door.path],
        cwd=locate.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    with crowd:
        names = [each.payment_id for each in asked.pending]
        crowd.stdin.write(json.dumps({"token": asked.token, "ids": names}) + "\n")
        crowd.stdin.flush()
        if crowd.stdout.readline() != "sent\n":
            raise SystemExit("the crowd did not come in")
        _wait_until_held(door, len(names))
        before, began = cpu.seconds(door.group), time.perf_counter()
        sent = _send_steadily(web.url, asked.pending[: asked.followed])
        time.sleep(1)
        spent, passed = cpu.seconds(door.group) - before, time.perf_counter() - began
        crowd.stdin.close()
        answered: dict[str, float] = json.loads(crowd.stdout.read())
    taken = [answered[name] - at for name, at in sent.items() if name in answered]
    _judge(report, door, taken, asked=asked, busy=spent / passed)


def _judge(report: Report, door: Door, taken: list[float], *, asked: Crowd, busy: float) -> None:
    times, waiters = spread(taken), len(asked.pending) - asked.followed
    report.add(
        engine="postgresql",
        door=door.name,
        waiters=waiters,
        webhooks=asked.followed,
        answered=len(taken),
        **times,
        share_of_a_core=round(busy, 3),
        load=rig.load(),
    )
    if door.name != "app":
        return
    all_came = len(taken) == asked.followed
    report.expect("every waiter whose webhook came was answered", holds=all_came)
    for name, most in (("p50", P50_MS), ("p99", P99_MS)):
        sentence = f"webhook to client, {waiters} waiting: {name} within {most:.0f} ms"
        report.expect(sentence, holds=times[f"{name}_ms"] <= most)


def _wait_until_held(door: Door, count: int) -> None:
    """Wait until all calls of the crowd are held: a call that comes after its webhook never waits."""
    until = time.monotonic() + PATIENCE_SECONDS
    while _held(door) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{_held(door)} of {count} calls are held by {door.name}")
        time.sleep(0.1)


def _held(door: Door) -> int:
    path = "/metrics" if door.name == "app" else "/"
    with urllib.request.urlopen(f"{door.url}{path}", timeout=PATIENCE_SECONDS) as answer:
        said = answer.read().decode()
    if door.name != "app":
        return int(said)
    [line] = [line for line in said.splitlines() if line.startswith("paydesk_waiters{")]
    return int(float(line.rsplit(" ", 1)[1]))


def _send_steadily(url: str, pending: Sequence[Pending]) -> dict[str, float]:
    """Send a success event for each at a steady rate. Gives when each was sent, by transaction."""
    sender, began, sent = sse.Sender(url), time.perf_counter(), {}
    for number, each in enumerate(pending):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        sent[each.payment_id] = time.perf_counter()
        sender.send(each)
    return sent
