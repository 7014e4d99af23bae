"""The long tests of the streams: two hundred droppers over ten thousand events, a thousand clients a third of them deaf."""

from __future__ import annotations

import json
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from flask import Flask

from bench.report import percentile
from tests.api.personas import Personas
from tests.live.conftest import happened
from tests.live.test_served import ask, streams, until
from tests.rig.locate import ROOT
from tests.rig.process import Running

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
STREAM = "/api/events/stream"
IDS = re.compile(rb"^id: (evt_\w+)$", re.MULTILINE)
DROPS, EVENTS, BATCH = 20, 10_000, 50
# On SQLite a process has threads for 24 streams.
CLIENTS = {"postgresql": 200, "sqlite": 20}


def connect(url: str, token: str, after: str | None, *, room: int = 0) -> socket.socket:
    """Open a stream. room: bytes that the kernel may keep unread for it; by itself it keeps megabytes."""
    parts, client = urlsplit(url), socket.socket()
    if room:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(30)
    client.connect((str(parts.hostname), parts.port))
    last = f"Last-Event-ID: {after}\r\n" if after else ""
    head = f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
    client.sendall(head.encode())
    client.setblocking(False)
    return client


@dataclass
class Dropper:
    """A client that hangs up so many times, each after a random number of events, then stays."""

    chance: random.Random
    after: str
    drops: int = 0
    left: int = 0
    rest: bytes = b""
    seen: list[bytes] = field(default_factory=list)

    def take(self, chunk: bytes) -> bool:
        """Read whole frames. Gives True when it is time to hang up."""
        whole, cut, rest = (self.rest + chunk).rpartition(b"\n\n")
        self.rest = rest
        for event_id in IDS.findall(whole + cut):
            self.seen.append(event_id)
            self.after = event_id.decode()
            self.left -= 1
            if self.left == 0 and self.drops < DROPS:
                self.drops += 1
                return True
        return False


def drop_and_follow(
    everybody: list[Dropper], web: Running, token: str, *, is_over: Callable[[], bool]
) -> None:
    """Let all of them read, each dropping as it likes, until it is over."""
    poll, clients, droppers = select.epoll(), dict[int, socket.socket](), dict[int, Dropper]()

    def begin(dropper: Dropper) -> None:
        dropper.left, dropper.rest = dropper.chance.randint(1, EVENTS // DROPS), b""
        client = connect(web.url, token, dropper.after)
        clients[client.fileno()], droppers[client.fileno()] = client, dropper
        poll.register(client.fileno(), select.EPOLLIN)

    for dropper in everybody:
        begin(dropper)
    while not is_over():
        for descriptor, _ in poll.poll(0.5):
            chunk = clients[descriptor].recv(1 << 17)
            dropper = droppers[descriptor]
            if not chunk or dropper.take(chunk):
                poll.unregister(descriptor)
                clients.pop(descriptor).close()
                begin(droppers.pop(descriptor))
    for client in clients.values():
        client.close()


def test_clients_that_drop_twenty_times_hear_ten_thousand_events_exactly_once(
    web: Running, who: Personas, database_url: str
) -> None:
    token = who.ada.token
    [first] = happened()
    wanted: list[str] = []
    done = threading.Event()

    def write() -> None:
        for _ in range(EVENTS // BATCH):
            wanted.extend(happened(times=BATCH))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    end = time.monotonic() + 600

    count = CLIENTS[database_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]]
    everybody = [Dropper(random.Random(no), first) for no in range(count)]

    def is_over() -> bool:
        if time.monotonic() > end:
            return True
        return done.is_set() and all(len(each.seen) >= EVENTS for each in everybody)

    drop_and_follow(everybody, web, token, is_over=is_over)
    writer.join()
    expected = [event_id.encode() for event_id in wanted]
    assert all(each.drops == DROPS for each in everybody)
    assert [each.seen for each in everybody if each.seen != expected] == []


@pytest.fixture
def web(start_web: Callable[..., Running], app: Flask, database_url: str) -> Running:
    """One web process on the database that `app` writes to."""
    del app
    return start_web(database_url, WEB_CONCURRENCY="1")


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def crowd(who: Personas) -> Iterator[Callable[[str, int], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(url: str, count: int) -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", url, str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(made)
        assert made.stdin is not None and made.stdout is not None
        made.stdin.write(f"{who.ada.token}\n")
        made.stdin.flush()
        assert made.stdout.readline() == "open\n"
        return made

    yield start
    for each in started:
        each.kill()
        each.wait()
        for pipe in (each.stdin, each.stdout):
            if pipe is not None:
                pipe.close()


def memory_mb(group: int) -> int:
    said = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(group)], capture_output=True, text=True, check=True
    )
    return sum(int(line) for line in said.stdout.split()) // 1024


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_thousand_clients_of_which_three_hundred_are_deaf_leave_the_api_as_it_was(
    web: Running,
    who: Personas,
    crowd: Callable[[str, int], subprocess.Popen[str]],
    held: ExitStack,
) -> None:
    token = who.ada.token

    def slowest(count: int = 200) -> float:
        times = sorted(ask(web, "/api/me", token=token)[1] for _ in range(count))
        return percentile(times, 0.95)

    alone = slowest()
    for _ in range(300):
        held.enter_context(connect(web.url, token, None, room=4096))
    listening = crowd(web.url, 700)
    assert until(lambda: streams(web) == 1000, 30)
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.1):
            happened(times=4, note="x" * 500)

    writer = threading.Thread(target=write)
    writer.start()
    beside = slowest()
    stop.set()
    writer.join()
    # More than the deaf have room for, and no faster than one Python process can read for seven hundred.
    for _ in range(8):
        happened(times=50, note="x" * 4000)
        time.sleep(2)
    assert until(lambda: streams(web) <= 700, 60), "the deaf are still held"
    assert memory_mb(web.pid) < 300
    assert listening.stdin is not None and listening.stdout is not None
    listening.stdin.close()
    said = json.loads(listening.stdout.read())
    assert (said["clients"], said["lost"]) == (700, 0)
    assert said["deliveries"] == said["events"] * 700
    assert beside < max(alone * 1.2, alone + 0.1)
