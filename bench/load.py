"""A client that costs little: prepared requests over kept-alive sockets, one selector, no parsing beyond need."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_READ = 65_536
_STALLED_SECONDS = 30.0


@dataclass
class Result:
    """What a run saw. latencies: seconds from sending to the whole answer; statuses: how often each."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def add(self, other: Result) -> None:
        """Take another run of the same thing in."""
        self.seconds += other.seconds
        self.latencies += other.latencies
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count


class Broken(Exception):
    """The server closed a connection or said something that is no answer."""


class _Connection:
    """One socket that has at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen = b""
        self._whole = 0
        self._sent_at = 0.0

    def send(self, request: bytes) -> None:
        self._seen, self._whole = b"", 0
        self._sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self, result: Result) -> bool:
        """Read what has come. Gives True when the answer is whole."""
        part = self.socket.recv(_READ)
        if not part:
            raise Broken("the server closed the connection")
        self._seen += part
        if not self._whole:
            head = self._seen.find(b"\r\n\r\n")
            if head < 0:
                return False
            self._whole = head + 4 + _length(self._seen[:head])
        if len(self._seen) < self._whole:
            return False
        result.latencies.append(time.perf_counter() - self._sent_at)
        status = int(self._seen[9:12])
        result.statuses[status] = result.statuses.get(status, 0) + 1
        return True


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise Broken("an answer without Content-Length")


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Write one POST request as it goes over the wire."""
    return _request("POST", url, {**headers, "Content-Length": str(len(body))}) + body


def get(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Write one GET request as it goes over the wire."""
    return _request("GET", url, headers or {})


def _request(method: str, url: str, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: bench"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def run(url: str, requests: Iterable[bytes], *, connections: int = 16) -> Result:
    """Send the requests, each connection its next one as soon as its last one is answered.

    Raises: Broken
    """
    parts = urlsplit(url)
    address = (str(parts.hostname), int(parts.port or 80))
    rest, result = iter(requests), Result()
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        busy = [
            connection
            for connection in (_Connection(address) for _ in range(connections))
            if _next(selector, connection, rest, fresh=True)
        ]
        under_way = len(busy)
        while under_way:
            ready = selector.select(timeout=_STALLED_SECONDS)
            if not ready:
                raise Broken(f"{under_way} requests had no answer for {_STALLED_SECONDS} s")
            for key, _ in ready:
                connection: _Connection = key.data
                if connection.read(result) and not _next(selector, connection, rest):
                    under_way -= 1
        result.seconds = time.perf_counter() - began
    return result


def _next(
    selector: selectors.BaseSelector,
    connection: _Connection,
    rest: Iterator[bytes],
    *,
    fresh: bool = False,
) -> bool:
    request = next(rest, None)
    if request is None:
        if not fresh:
            selector.unregister(connection.socket)
        connection.socket.close()
        return False
    if fresh:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.send(request)
    return True
