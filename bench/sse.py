"""How soon streams hear: one client through web, worker and log; and two thousand on one process."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

from bench import rig, stock
from bench.report import Report, spread
from bench.rig import Bench
from bench.stock import Pending
from core.states import Kyc, Role
from domain import database, events, sequencer
from domain.actors import system
from domain.people import people, sessions, tokens
from tests.rig import locate
from tests.rig.process import Running

WEBHOOK = "/api/webhooks/stripe"
# Milliseconds from the webhook's first byte to the frame, in the middle, by database.
SOON_MS = {"postgresql": 30.0, "sqlite": 100.0}
CROWD, CROWD_RATE, CROWD_P99_MS = 2000, 10.0, 250.0


def measure(
    *,
    requests: int = 200,
    clients: int = CROWD,
    seconds: float = 20,
    engines: tuple[str, ...] = rig.ENGINES,
) -> Report:
    """Follow single events on each database, then a crowd on PostgreSQL.

    requests: webhooks followed one by one; seconds: how long the crowd listens.
    """
    command = f"python -m bench sse --requests {requests} --clients {clients}"
    report = Report("sse", command)
    for engine in engines:
        with _running(engine, requests) as (ground, web, token, pending):
            _one(report, ground, web, token, pending)
    if "postgresql" in engines:
        count = round(CROWD_RATE * seconds)
        with _running("postgresql", count) as (ground, web, token, pending):
            _crowd(report, ground, web, token, pending, clients=clients)
    return report


@contextmanager
def _running(engine: str, count: int) -> Iterator[tuple[Bench, Running, str, list[Pending]]]:
    with rig.ground(engine) as ground, ground.bound():
        pending, token = stock.add_pending(count), token_of_staff()
        web = ground.web(processes=1)
        worker = ground.worker()
        try:
            rig.wait_idle()
            yield ground, web, token, pending
        except BaseException:
            print(web.output(), worker.output(), file=sys.stderr)
            raise
        finally:
            worker.stop()
            web.stop()


def token_of_staff() -> str:
    """Give the token of somebody who sees everything, signed with the ground's own keys."""
    wanted = people.NewUser("sue@bench.example", Role.SUPPORT, name="Sue", kyc=Kyc.APPROVED)
    with database.transaction() as session:
        user = people.create_user(session, wanted, actor=system("bench"), source="bench")
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc)
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
    # Or this person's own event would reach a crowd of which half has come in.
    while sequencer.number_events(ring=False):
        pass
    return issued.token


class Sender:
    """Sends one signed event after another over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)

    def send(self, each: Pending) -> None:
        body = stock.event(each.intent, each.payment_id)
        headers = {"Stripe-Signature": stock.sign(body), "Content-Type": "application/json"}
        self._connection.request("POST", WEBHOOK, body=body, headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"the webhook was answered {answer.status}")


def _one(
    report: Report, ground: Bench, web: Running, token: str, pending: Sequence[Pending]
) -> None:
    parts = urlsplit(web.url)
    client = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    client.request("GET", "/api/events/stream", headers={"Authorization": f"Bearer {token}"})
    stream: IO[bytes] = client.getresponse()
    stream.readline()
    sender, taken = Sender(web.url), []
    for each in pending:
        began = time.perf_counter()
        sender.send(each)
        _until_told(stream, each.payment_id)
        taken.append(time.perf_counter() - began)
        time.sleep(0.02)
    client.close()
    times = spread(taken[len(taken) // 10 :])
    report.add(engine=ground.engine, webhooks=len(taken), **times, load=rig.load())
    most = SOON_MS[ground.engine]
    holds = times["p50_ms"] <= most
    report.expect(f"{ground.engine}: webhook to client, p50 within {most:.0f} ms", holds=holds)


def _until_told(stream: IO[bytes], payment_id: str) -> None:
    while line := stream.readline():
        if line.startswith(b"data: "):
            told = json.loads(line.removeprefix(b"data: "))
            if (told["type"], told["paymentId"]) == ("payment.succeeded", payment_id):
                return
    raise SystemExit("the stream ended")


def _crowd(
    report: Report,
    ground: Bench,
    web: Running,
    token: str,
    pending: Sequence[Pending],
    *,
    clients: int,
) -> None:
    with database.reading() as session:
        before = events.last_seq(session)
    crowd = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd", web.url, str(clients)],
        cwd=locate.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    with crowd:
        crowd.stdin.write(f"{token}\n")
        crowd.stdin.flush()
        if crowd.stdout.readline() != "open\n":
            raise SystemExit("the crowd did not come in")
        _send_steadily(web.url, pending)
        time.sleep(1)
        crowd.stdin.close()
        said: dict[str, Any] = json.loads(crowd.stdout.read())
    with database.reading() as session:
        told = events.last_seq(session) - before
    memory = _megabytes(web.pid)
    report.add(engine=ground.engine, **said, events_in_the_log=told, web_mb=memory, load=rig.load())
    all_came = said["lost"] == 0 and said["deliveries"] == told * clients
    report.expect(f"{clients} clients on one process: every event delivered", holds=all_came)
    sentence = (
        f"{clients} clients, webhooks at {CROWD_RATE:.0f}/s: p99 within {CROWD_P99_MS:.0f} ms"
    )
    report.expect(sentence, holds=said["p99_ms"] <= CROWD_P99_MS)


def _send_steadily(url: str, pending: Sequence[Pending]) -> None:
    sender, began = Sender(url), time.perf_counter()
    for number, each in enumerate(pending):
        time.sleep(max(0.0, began + number / CROWD_RATE - time.perf_counter()))
        sender.send(each)


def _megabytes(group: int) -> int:
    """Add up what the processes of a group hold in memory."""
    said = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(group)], capture_output=True, text=True, check=False
    )
    return sum(int(line) for line in said.stdout.split()) // 1024
