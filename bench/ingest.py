"""Webhook ingest by the full app beside the bare floor: same client, same run, in turns, on both databases."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bench import cpu, load, rig, stock
from bench.load import Result
from bench.report import Report, spread
from bench.rig import Bench
from core import ids
from tests.rig import ports, process
from tests.rig.process import Running

CONNECTIONS = 16
WARM_UP = 400
# The least share of the floor's rate, by database, and the longest p99 in milliseconds.
SHARE = {"postgresql": 0.8, "sqlite": 1.0}
LONGEST_MS = 60.0
FLOOR = Path("..") / "shared" / "bench" / "floor.py"


@dataclass(frozen=True)
class Door:
    """Where events are sent to, and the process group that takes them."""

    name: str
    url: str
    group: int


@dataclass
class Seen:
    """What all rounds of one door came to. cpu_seconds: of its processes; database_seconds: of PostgreSQL's."""

    result: Result = field(default_factory=Result)
    cpu_seconds: float = 0.0
    database_seconds: float = 0.0


def measure(
    *,
    floor: Path = FLOOR,
    requests: int = 4000,
    rounds: int = 3,
    engines: tuple[str, ...] = rig.ENGINES,
) -> Report:
    """Run the app and the floor side by side, two processes each, and load them in turns.

    requests: per round and door.
    """
    if not floor.is_file():
        print(f"  no floor at {floor}, so the app is measured alone; name it by --floor PATH")
    command = f"python -m bench ingest --requests {requests} --rounds {rounds}"
    report = Report("ingest", command)
    for engine in engines:
        with rig.ground(engine) as ground, _floor(ground, floor) as bare:
            web = ground.web()
            doors = [Door("app", f"{web.url}/api/webhooks/stripe", web.pid)]
            if bare is not None:
                doors.append(Door("floor", f"{bare.url}/floor", bare.pid))
            try:
                _compare(report, ground, doors, requests=requests, rounds=rounds)
            except BaseException:
                print(web.output(), file=sys.stderr)
                raise
            finally:
                web.stop()
    return report


def _compare(
    report: Report, ground: Bench, doors: list[Door], *, requests: int, rounds: int
) -> None:
    rig.wait_idle()
    seen = {door.name: Seen() for door in doors}
    for door in doors:
        load.run(door.url, list(_events(door.url, WARM_UP)), connections=CONNECTIONS)
    for _ in range(rounds):
        for door in doors:
            prepared = list(_events(door.url, requests))
            before, database = cpu.seconds(door.group), ground.database_seconds()
            result = load.run(door.url, prepared, connections=CONNECTIONS)
            seen[door.name].cpu_seconds += cpu.seconds(door.group) - before
            seen[door.name].database_seconds += ground.database_seconds() - database
            if set(result.statuses) != {200}:
                raise SystemExit(f"{door.name} answered {result.statuses}")
            seen[door.name].result.add(result)
    for door in doors:
        result = seen[door.name].result
        each = 1000 / len(result.latencies)
        report.add(
            engine=ground.engine,
            door=door.name,
            requests_per_second=round(result.rate),
            **spread(result.latencies),
            cpu_ms_per_request=round(seen[door.name].cpu_seconds * each, 3),
            database_cpu_ms_per_request=round(seen[door.name].database_seconds * each, 3),
            requests=len(result.latencies),
            load=rig.load(),
        )
    _judge(report, ground.engine, {name: each.result for name, each in seen.items()})


def _judge(report: Report, engine: str, results: dict[str, Result]) -> None:
    app, floor = results["app"], results.get("floor")
    if floor is not None:
        share = app.rate / floor.rate
        sentence = f"{engine}: {share:.2f} of the floor, at least {SHARE[engine]}"
        report.expect(sentence, holds=share >= SHARE[engine])
    p99 = spread(app.latencies)["p99_ms"]
    report.expect(f"{engine}: p99 {p99} ms, at most {LONGEST_MS:.0f} ms", holds=p99 <= LONGEST_MS)


def _events(url: str, count: int) -> Iterator[bytes]:
    for _ in range(count):
        body = stock.event(f"pi_{ids.new('x')[2:]}", ids.new("pay"))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": stock.sign(body),
        }
        yield load.post(url, body, headers)


@contextmanager
def _floor(ground: Bench, floor: Path) -> Iterator[Running | None]:
    """Start the floor on the same kind of database, in the same cluster or folder, if there is one."""
    if not floor.is_file():
        yield None
        return
    port = ports.free_port()
    own = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "gunicorn", "-w", "2", "-k", "gthread", "--threads", "8"]
    argv += [
        "--no-control-socket",
        "--log-level",
        "warning",
        "--chdir",
        str(floor.parent.resolve()),
    ]
    argv += ["-c", os.devnull, "-b", f"127.0.0.1:{port}", f"{floor.stem}:app"]
    env = ground.env | {"FLOOR_DB": _floor_database(ground), "FLOOR_SECRET": stock.SECRET}
    running = process.command(
        ground.run, "floor", argv, env=env, ready=process.answers("/"), url=own
    ).start(seconds=60)
    try:
        yield running
    finally:
        running.stop()


def _floor_database(ground: Bench) -> str:
    url = make_url(ground.url)
    if ground.engine == "sqlite":
        return f"sqlite:///{Path(str(url.database)).with_name('floor.db')}"
    plain = f"postgresql://{url.username}@{url.host}:{url.port}"
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute("create database floor")
    return f"{plain}/floor"
