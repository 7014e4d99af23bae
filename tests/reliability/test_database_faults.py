"""The database dies, or its disk is full: refused with 503, nothing acknowledged is lost, nothing is half done."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

import config
from core.states import Role
from domain import database, sequencer
from domain.books import chains
from domain.inbox.ingest import ingest
from domain.jobs import worker
from tests.api import personas
from tests.domain import world as worlds
from tests.reliability import stage as stages
from tests.reliability.clients import BROKEN, Answer, deliver, send, signed, until
from tests.rig import checker, cluster, environment, product
from tests.rig.checker import Claim
from tests.rig.process import Running
from tests.rig.run import Run

RAIL = product.stripe_settings("http://127.0.0.1:9")
RESTARTS = 3
_numbers = itertools.count(1)


def a_body() -> tuple[str, bytes]:
    """Write an event that speaks of nothing of ours. Gives its id and its body."""
    event_id = f"evt_outage_{next(_numbers)}"
    subject = {"id": "pi_nobody", "status": "succeeded", "amount_received": 1, "currency": "eur"}
    said = {"id": event_id, "type": "payment_intent.succeeded", "created": 1_700_000_000}
    return event_id, json.dumps(said | {"object": "event", "data": {"object": subject}}).encode()


@dataclass
class Senders:
    """Threads that deliver without a pause, each event again until it is acknowledged."""

    url: str
    acked: set[str] = field(default_factory=set)
    told: Counter[int] = field(default_factory=Counter)
    without_pause: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def send_all(self) -> None:
        while not self.over.is_set():
            event_id, body = a_body()
            while not self.over.is_set():
                try:
                    answer = deliver(self.url, body)
                except BROKEN:
                    continue
                self.told[answer.status] += 1
                if answer.status == 200:
                    self.acked.add(event_id)
                    break
                self.without_pause += "retry-after" not in answer.headers
                self.over.wait(0.02)

    @contextmanager
    def running(self, count: int) -> Iterator[None]:
        threads = [threading.Thread(target=self.send_all) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(60)

    def has_sent(self, more: int) -> Callable[[], bool]:
        wanted = len(self.acked) + more
        return lambda: len(self.acked) >= wanted


@pytest.fixture
def postgres(run: Run, durable_postgres_url: str) -> Iterator[tuple[str, Callable[..., None]]]:
    """A cluster of its own that syncs: its URL, and what controls it. It runs again at the end."""
    running = cluster.start(run, profile="durable")
    home = running.data.parent

    def control(*words: str) -> None:
        options = ("-o", f"-p {running.port}", "-l", home / "log") if "start" in words else ()
        command = (running.binaries / "pg_ctl", "-D", running.data, "-w", *options, *words)
        cluster._as(cluster._unprivileged(), *command, cwd=home)

    def pid() -> str:
        path = running.data / "postmaster.pid"
        return path.read_text().splitlines()[0] if path.exists() else ""

    first = pid()
    yield durable_postgres_url, control
    if not pid():
        control("start")
    if pid() != first:
        run.unregister(int(first))
        run.register(int(pid()), how=signal.SIGQUIT)


def ready(url: str) -> int:
    return send(url, "GET", "/readyz").status


@pytest.mark.kill
def test_postgresql_that_dies_during_ingest_loses_nothing_acknowledged(
    postgres: tuple[str, Callable[..., None]],
    instance: Path,
    start_web: Callable[..., Running],
) -> None:
    url, control = postgres
    engine = sqlalchemy.create_engine(url)
    stages.bind(environment.settings(url, instance, **RAIL), engine)
    token = personas.user("bo@people.test", role=Role.BUYER).token
    engine.dispose()
    web = start_web(url, **RAIL)
    senders = Senders(web.url)
    with senders.running(4):
        until(senders.has_sent(40), what="the first deliveries")
        for _ in range(RESTARTS):
            control("stop", "-m", "immediate")
            until(lambda: ready(web.url) == 503, what="/readyz to say that the database is down")
            refused = deliver(web.url, a_body()[1])
            assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
            assert int(refused.headers["retry-after"]) > 0
            assert send(web.url, "GET", "/healthz").status == 200
            asked = send(
                web.url, "GET", "/api/orders", headers={"Authorization": f"Bearer {token}"}
            )
            assert (asked.status, asked.code) == (503, "DATABASE_UNAVAILABLE")
            control("start")
            until(lambda: ready(web.url) == 200, what="/readyz to say that the database is back")
            until(senders.has_sent(40), what="deliveries after the restart")
    assert senders.told[200] == len(senders.acked)
    assert set(senders.told) == {200, 503} and senders.without_pause == 0
    stored = Counter(
        row[0] for row in checker.rows(url, "select provider_event_id from inbound_events")
    )
    assert senders.acked <= set(stored)
    assert set(stored.values()) == {1}


class Disk:
    """The disk under a SQLite file, as full as a test wants it."""

    def __init__(self) -> None:
        self.pages = 2**31 - 2
        event.listen(database.engine(), "connect", self._limit)

    def _limit(self, connection: object, _: ConnectionPoolEntry) -> None:
        connection.execute(f"pragma max_page_count={self.pages}")  # type: ignore[attr-defined]

    def _reconnect(self) -> None:
        database.engine().dispose()
        ingest._inserter.close()

    def fill(self, *, left: int) -> None:
        """Leave room for this many pages."""
        with database.engine().connect() as connection:
            self.pages = int(connection.scalar(text("pragma page_count")) or 0) + left
        self._reconnect()

    def clear(self) -> None:
        """Make room."""
        self.pages = 2**31 - 2
        self._reconnect()


def post(client: FlaskClient, body: bytes) -> Answer:
    headers = {"Stripe-Signature": signed(body, secret=worlds.WEBHOOK_SECRET)}
    answer = client.post(product.STRIPE_WEBHOOK_PATH, data=body, headers=headers)
    return Answer(
        answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.data
    )


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The settings of `app`, with the secret that the world signs with."""
    return environ | RAIL | {"STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_is_refused_and_leaves_nothing_half_done(
    client: FlaskClient, environ: dict[str, str], database_url: str
) -> None:
    world = worlds.build(config.load(environ))
    bodies = [world.paid(world.payment()) for _ in range(3)]
    disk = Disk()
    assert post(client, bodies[0]).status == 200
    disk.fill(left=1)
    padding = [
        json.dumps({"id": f"evt_full_{n}", "type": "x", "pad": "x" * 3000}).encode()
        for n in range(40)
    ]
    answers = [post(client, body) for body in padding]
    assert {answer.status for answer in answers} <= {200, 503}
    refused = [answer for answer in answers if answer.status == 503]
    assert refused and all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert post(client, padding[-1]).status == 503
    stored = "select count(*) from inbound_events"
    count = 1 + len(answers) - len(refused)
    assert checker.rows(database_url, stored) == [(count,)]
    # Noting the failures fits into what is left, or not even that does.
    with suppress(OperationalError):
        worker.work_until_idle()
    unapplied = "select count(*) from inbound_events where state in ('received', 'failed')"
    assert checker.rows(database_url, unapplied) == [(count,)]
    assert checker.rows(database_url, "select count(*) from journal_entries") == [(0,)]
    assert checker.rows(database_url, "pragma integrity_check") == [("ok",)]
    assert client.get("/healthz").status_code == 200
    disk.clear()
    assert {post(client, body).status for body in [*bodies, *padding]} == {200}
    assert checker.rows(database_url, stored) == [(len(bodies) + len(padding),)]
    stages.let_hours_pass(database.engine())
    worker.work_until_idle()
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    assert checker.rows(database_url, "select count(*) from journal_entries") == [(3,)]
    checker.assert_whole(database_url, Claim(truth=world.rail.intents))  # type: ignore[arg-type]
