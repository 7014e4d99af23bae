"""A provider's API on a loopback port: what comes is kept, and it fails as it is told."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import config
from tests.rig import environment


@dataclass
class Fault:
    """One thing that goes wrong, once. status: what is answered instead; None: the line breaks.

    after: whether the request has done what it asks for by then.
    """

    status: int | None = None
    after: bool = False
    kind: str = "internal-server-error"
    retry_after: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}


@dataclass
class HttpDesk(ABC):
    """What every desk has. faults: by the beginning of `METHOD path`, taken one by one."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self, beginning: str) -> list[str]:
        found = [f"{each.method} {each.path}" for each in self.requests]
        return [each for each in found if each.startswith(beginning)]

    def fail(self, beginning: str, *faults: Fault) -> None:
        self.faults.setdefault(beginning, []).extend(faults)

    def take(self, request: Request) -> Fault | None:
        line = f"{request.method} {request.path}"
        for beginning, faults in self.faults.items():
            if line.startswith(beginning) and faults:
                return faults.pop(0)
        return None

    @abstractmethod
    def answer(self, request: Request) -> tuple[int, dict[str, Any] | bytes]:
        """Answer what came, by the desk's own truth."""

    @abstractmethod
    def problem(self, status: int, kind: str) -> dict[str, Any]:
        """Write an error as this provider writes one."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
        desk = self.server.desk
        with desk.lock:
            desk.requests.append(request)
            fault = desk.take(request)
            said = desk.answer(request) if fault is None or fault.after else None
        if fault is None:
            assert said is not None
            self._reply(*said)
        elif fault.status is None:
            self.close_connection = True
        else:
            body = desk.problem(fault.status, fault.kind)
            more = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            more |= fault.headers
            self._reply(fault.status, body if fault.body is None else fault.body, more)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _reply(
        self, status: int, body: dict[str, Any] | bytes, more: dict[str, str] | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's signature
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, desk: HttpDesk) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk = desk


def made_settings(given: dict[str, str]) -> config.Settings:
    """Make the product's settings with some of a provider's; nothing of them is kept."""
    with TemporaryDirectory() as place:
        own = environment.settings(f"sqlite:///{place}/none.db", Path(place))
        return config.load(own | given)


@contextmanager
def opened(desk: HttpDesk) -> Iterator[str]:
    """Let a desk answer on a loopback port, and give its address."""
    server = _Server(desk)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
