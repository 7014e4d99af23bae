"""A webhook receiver on a thread: keeps what came, answers what it is told to."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Inbox(ABC):
    """Everything that arrived, in order; `refuse` holds statuses still to be answered."""

    path = "/hook"

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuse: list[int] = []
        self.problems: list[str] = []
        self._changed = threading.Condition()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{self.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self) -> None:
        """Start afresh."""
        with self._changed:
            self.events, self.refuse, self.problems = [], [], []

    @abstractmethod
    def types(self, object_id: str | None = None) -> list[str]:
        """Return what the events that arrived are called."""

    @abstractmethod
    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        """Verify one delivery and return its events; says in `problems` what does not hold."""

    def wait(self, until: Callable[[Any], bool], *, seconds: float = 8) -> None:
        """Wait until something is true of what arrived, and all of it held."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not until(self):
                left = deadline - time.monotonic()
                assert left > 0, f"only {self.types()} arrived; {self.problems}"
                self._changed.wait(min(left, 0.05))
        assert self.problems == []

    def wait_for(self, name: str, *, times: int = 1) -> dict[str, Any]:
        """Wait for events of a name and return the last of them."""
        self.wait(lambda got: got.types().count(name) >= times)
        return [e for e, called in zip(self.events, self.types(), strict=False) if called == name][
            -1
        ]

    def wait_for_problems(self, count: int) -> list[str]:
        """Wait until this many problems were found, and return them; they are settled by that."""
        found: list[str] = []

        def came(_: object) -> bool:
            problems, self.problems = self.problems, []
            found.extend(problems)
            return len(found) >= count

        self.wait(came)
        return found

    def take(self, body: bytes, headers: Message) -> int:
        """Take one delivery and return the status to answer."""
        events = self.read(body, headers)
        with self._changed:
            status = self.refuse.pop(0) if self.refuse else 200
            if status == 200:
                self.events += events
            self._changed.notify_all()
        return status


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.inbox.take(body, self.headers)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status in {301, 302, 307, 308}:
            self.send_header("Location", self.server.inbox.url)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
