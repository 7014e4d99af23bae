"""Many stream clients in one process of their own: `python -m bench.crowd URL COUNT`, the token on stdin.

Prints `open` when all are connected. At the end of its input it waits until nothing more comes, and prints
what was delivered, and how long after its event each frame came, as one JSON line.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from bench.report import spread

PATH = "/api/events/stream"
QUIET_SECONDS = 2.0
_IDS = re.compile(rb"^id: (evt_\w+)$", re.MULTILINE)
_AT = rb'"id":"%s","type":"[^"]+","at":"([^"]+)"'


@dataclass
class Heard:
    """What all clients have read. late: seconds from an event's own time to its frame."""

    clients: dict[int, socket.socket] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    lost: int = 0
    told_at: dict[bytes, float] = field(default_factory=dict)
    times: Counter[bytes] = field(default_factory=Counter)
    late: array[float] = field(default_factory=lambda: array("d"))
    last: float = field(default_factory=time.monotonic)


def _connect(url: str, token: str) -> socket.socket:
    parts = urlsplit(url)
    client = socket.create_connection((str(parts.hostname), parts.port or 80), timeout=30)
    head = f"GET {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    client.sendall(head.encode())
    client.setblocking(False)
    return client


def _read(heard: Heard, descriptor: int, poll: select.epoll) -> None:
    try:
        chunk = heard.clients[descriptor].recv(1 << 18)
    except BlockingIOError:
        return
    now = time.time()
    if not chunk:
        poll.unregister(descriptor)
        heard.lost += 1
        return
    if descriptor not in heard.begun and b"retry:" in chunk:
        heard.begun.add(descriptor)
    for event_id in _IDS.findall(chunk):
        at = heard.told_at.get(event_id)
        if at is None:
            at = heard.told_at[event_id] = _time_of(event_id, chunk)
        heard.times[event_id] += 1
        heard.late.append(now - at)
    heard.last = time.monotonic()


def _time_of(event_id: bytes, chunk: bytes) -> float:
    found = re.search(_AT % event_id, chunk)
    if found is None:
        return float("nan")  # cut in two by the network; the next client's copy is whole
    return datetime.fromisoformat(found.group(1).decode()).timestamp()


def _listen(heard: Heard, poll: select.epoll, seconds: float) -> bool:
    """Read for a while. Gives True when the input has ended."""
    ended = False
    for descriptor, _ in poll.poll(seconds):
        if descriptor == sys.stdin.fileno():
            poll.unregister(descriptor)
            ended = True
        else:
            _read(heard, descriptor, poll)
    return ended


def main() -> None:
    """Connect, say so, read until told to stop, report."""
    url, count = sys.argv[1], int(sys.argv[2])
    token = sys.stdin.readline().strip()
    heard, poll = Heard(), select.epoll()
    for _ in range(count):
        client = _connect(url, token)
        heard.clients[client.fileno()] = client
        poll.register(client.fileno(), select.EPOLLIN)
        _listen(heard, poll, 0)
    while len(heard.begun) + heard.lost < count:
        _listen(heard, poll, 0.1)
    print("open", flush=True)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    while not _listen(heard, poll, 1):
        pass
    while time.monotonic() - heard.last < QUIET_SECONDS:
        _listen(heard, poll, 0.1)
    late = [each for each in heard.late if each == each]  # noqa: PLR0124  # leaves the unknown out
    said = {
        "clients": len(heard.begun),
        "lost": heard.lost,
        "events": len(heard.times),
        "deliveries": sum(heard.times.values()),
        "least": min(heard.times.values(), default=0),
        **spread(late),
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
