"""Streams under the real server on both databases: drops, revocation, the farewell, slow and gone clients."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

import config
import wsgi
from core import ids
from core.states import Role
from domain import database
from domain.events import About
from tests.api.personas import Persona, Personas
from tests.live.conftest import happened, hush
from tests.live.reader import Live
from tests.rig import databases, environment, product
from tests.rig.process import Running
from tests.rig.run import Run
from web import identity


@dataclass(frozen=True)
class Served:
    """One web process, and an app of this process on the same database and keys, to write with."""

    web: Running
    is_sqlite: bool


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Started once for this file: most of a start is importing."""
    is_sqlite = request.param == "sqlite"
    instance = tmp_path_factory.mktemp("served") / "instance"
    clone = databases.sqlite_clone(run) if is_sqlite else databases.postgres_clone(run)
    with clone as url, product.processes(run, instance) as processes:
        web = processes.web(url, WEB_CONCURRENCY="1")
        application = wsgi.create_app(config.load(environment.settings(url, instance)))
        yield Served(web, is_sqlite)
        with application.app_context():
            hush()
            database.engine().dispose()


@pytest.fixture
def web(served: Served) -> Running:
    if not served.web.is_alive():
        served.web.restart()
    assert until(lambda: streams(served.web) == 0, 5), "an earlier test's streams are still open"
    return served.web


@pytest.fixture
def who(served: Served) -> Personas:
    """Fresh people, since the database is shared by the tests of this file."""
    identity.forget_cached()
    return Fresh()


@dataclass
class Fresh(Personas):
    suffix: str = field(default_factory=lambda: ids.token(4))

    def _user(self, name: str, role: Role, merchant_name: str | None = None) -> Persona:
        return super()._user(f"{name}-{self.suffix}", role, merchant_name)


def ask(web: Running, path: str, *, token: str = "", method: str = "GET") -> tuple[int, float]:
    """Give the status and the seconds that it took."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{web.url}{path}", headers=headers, method=method)
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
        return answer.status, time.monotonic() - began


def streams(web: Running, figure: str = "paydesk_streams") -> int:
    with urllib.request.urlopen(f"{web.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    [line] = [line for line in lines if line.startswith(f"{figure}{{")]
    return int(float(line.rsplit(" ", 1)[1]))


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def follow(
    url: str, token: str, chance: random.Random, after: str, wanted: Callable[[], set[str] | bool]
) -> list[str]:
    """Read on from `after` until all wanted events came, hanging up at random. Gives the ids as read."""
    seen: list[str] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with Live(url, token=token, after=after) as live:
            assert live.status == 200
            for told, _ in zip(live.frames, range(chance.randint(1, 80)), strict=False):
                if told.id:
                    seen.append(told.id)
                    after = told.id
                if isinstance(everything := wanted(), set) and everything <= set(seen):
                    return seen
    return seen


def test_clients_that_drop_at_random_lose_and_double_nothing(web: Running, who: Personas) -> None:
    token = who.ada.token
    [first] = happened()
    wanted: set[str] = set()
    done = threading.Event()

    def write() -> None:
        for _ in range(40):
            wanted.update(happened(times=5))
        done.set()

    def read(seed: int) -> list[str]:
        return follow(web.url, token, random.Random(seed), first, lambda: done.is_set() and wanted)

    with ThreadPoolExecutor(10) as pool:
        writing = pool.submit(write)
        # All of them begin after the same event; most of what they want is still to be written.
        reading = [pool.submit(read, seed) for seed in range(6)]
        writing.result()
        for each in reading:
            seen = each.result()
            assert len(seen) == len(set(seen)), "an event came twice"
            assert set(seen) == wanted


def test_a_hang_up_frees_the_slot_at_once(web: Running, who: Personas) -> None:
    lives = [Live(web.url, token=who.ada.token) for _ in range(5)]
    assert until(lambda: streams(web) == 5, 5)
    for live in lives:
        live.close()
    assert until(lambda: streams(web) == 0, 3)


def test_sigterm_says_goodbye_within_three_seconds(web: Running, who: Personas) -> None:
    with Live(web.url, token=who.ada.token) as live:
        [event_id] = happened()
        assert next(live.frames).id == event_id
        began = time.monotonic()
        web.tell(signal.SIGTERM)
        last = next(live.frames)
        assert (last.event, last.data) == ("bye", {"reason": "restart"})
        assert live.is_ended()
        assert time.monotonic() - began < 3
    assert web.stop() == 0


def test_a_revoked_token_ends_its_stream_and_nothing_follows(web: Running, who: Personas) -> None:
    with Live(web.url, token=who.bo.token) as theirs, Live(web.url, token=who.ada.token) as mine:
        about = About(object_id="ord_1", order_id="ord_1", buyer_id=who.bo.id)
        [seen] = happened("order.created", about=about)
        assert next(theirs.frames).id == next(mine.frames).id == seen
        ask(web, f"/api/users/{who.bo.id}/sessions", token=who.ada.token, method="DELETE")
        began = time.monotonic()
        assert theirs.is_ended()
        assert time.monotonic() - began < 15
        happened("order.paid", about=about)
        assert [next(mine.frames).event for _ in range(2)] == ["session.revoked", "order.paid"]


def test_a_client_that_never_reads_is_let_go_and_the_others_hear_everything(
    web: Running, who: Personas
) -> None:
    host = urlsplit(web.url)
    with socket.socket() as deaf, Live(web.url, token=who.ada.token) as live:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host.hostname, host.port))
        head = f"GET /api/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who.ada.token}\r\n\r\n"
        deaf.sendall(head.encode())
        assert until(lambda: streams(web) == 2, 5)
        for _ in range(8):
            wanted = happened(times=40, note="x" * 8000)
            assert [next(live.frames).id for _ in wanted] == wanted
        assert until(lambda: streams(web) == 1, 10)
        assert streams(web, "paydesk_streams_let_go_total") == 1


def test_with_every_stream_taken_the_api_still_answers(
    served: Served, web: Running, who: Personas
) -> None:
    lives = [Live(web.url, token=who.ada.token) for _ in range(24)]
    assert {live.status for live in lives} == {200}
    with Live(web.url, token=who.ada.token) as one_more:
        # Threads end; on PostgreSQL a stream costs none.
        assert one_more.status == (503 if served.is_sqlite else 200)
    times = [ask(web, "/api/me", token=who.ada.token)[1] for _ in range(20)]
    assert sorted(times)[15] < 1
    for live in lives:
        live.close()


def test_the_self_test_measures_the_stream_through_the_public_url(
    web: Running, who: Personas
) -> None:
    request = urllib.request.Request(
        f"{web.url}/api/events/self-test",
        data=b"{}",
        headers={"Authorization": f"Bearer {who.ada.token}", "Content-Type": "application/json"},
    )
    with Live(web.url, token=who.ed.token) as other:
        with urllib.request.urlopen(request, timeout=15) as answer:
            found = json.loads(answer.read())
        assert found["ok"] and not found["buffered"] and found["notes"] == []
        assert 0 <= found["firstFrameMs"] < 1000 and 0 <= found["roundTripMs"] < 1000
        [after] = happened()
        assert next(other.frames).id == after, "the probe is its sender's alone"
    assert not database.is_open()
