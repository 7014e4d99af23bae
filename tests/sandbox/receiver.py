"""A webhook receiver on a thread: verifies, keeps what came, answers what it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from stripe import SignatureVerificationError, WebhookSignature

OLD, NEW = "whsec_old_secret", "whsec_new_secret"


class Receiver:
    """Everything that arrived, in order; `refuse` holds statuses still to be answered."""

    secrets: tuple[str, ...] = (OLD, NEW)

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.refuse: list[int] = []
        self.problems: list[str] = []
        self.on_event: Callable[[dict[str, Any]], None] | None = None
        self._changed = threading.Condition()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?from=stripe"
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
            self.events, self.headers, self.refuse, self.problems = [], [], [], []
            self.on_event = None

    def types(self, object_id: str | None = None) -> list[str]:
        """Return the types that arrived, of one object or of all."""
        return [
            event["type"]
            for event in list(self.events)
            if object_id is None
            or object_id in (event["data"]["object"]["id"],
                             event["data"]["object"].get("payment_intent"))
        ]  # fmt: skip

    def wait(self, until: Callable[[Receiver], bool], *, seconds: float = 8) -> None:
        """Wait until something is true of what arrived."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not until(self):
                left = deadline - time.monotonic()
                assert left > 0, f"only {self.types()} arrived; {self.problems}"
                self._changed.wait(min(left, 0.05))
        assert self.problems == []

    def wait_for(self, event_type: str, *, times: int = 1) -> dict[str, Any]:
        """Wait for an event type and return its last event."""
        self.wait(lambda got: got.types().count(event_type) >= times)
        return [event for event in self.events if event["type"] == event_type][-1]

    def take(self, body: bytes, signature: str) -> int:
        """Take one delivery and return the status to answer."""
        for secret in self.secrets:
            try:
                WebhookSignature.verify_header(body.decode(), signature, secret, 300)
            except SignatureVerificationError as problem:
                self.problems.append(repr(problem))
        event = json.loads(body)
        if self.on_event is not None:
            self.on_event(event)
        with self._changed:
            self.headers.append(signature)
            status = self.refuse.pop(0) if self.refuse else 200
            if status == 200:
                self.events.append(event)
            self._changed.notify_all()
        return status


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.receiver.take(body, self.headers["Stripe-Signature"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
