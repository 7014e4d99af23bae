"""The stream's self-test names what stands between a client and its frames."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.rig import ports
from web import self_test
from web.self_test import Findings, Visit


@dataclass
class Between:
    """A server in the place of the proxy and us; what it does wrong is set by the test."""

    url: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hold_seconds: float = 0.0
    is_cut: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    probed: threading.Event = field(default_factory=threading.Event)
    nonce: str = ""

    def probe(self, nonce: str) -> None:
        self.nonce = nonce
        self.probed.set()


@pytest.fixture
def between() -> Iterator[Between]:
    port = ports.free_port()
    made = Between(f"http://127.0.0.1:{port}/desk")

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append({"path": self.path} | dict(self.headers.items()))
            self.send_response(made.status)
            usual = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform"}
            for name, value in (usual | made.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"retry: 3000\n\n")
            self.wfile.flush()
            if made.is_cut or not made.probed.wait(5):
                return
            time.sleep(made.hold_seconds)
            data = json.dumps({"type": "ops.probe", "nonce": made.nonce})
            self.wfile.write(b'data: {"nonce": "another"}\n\n')
            self.wfile.write(f"id: evt_1\nevent: ops.probe\ndata: {data}\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.probed.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def visit(between: Between) -> Callable[..., Findings]:
    def run(origin: str | None = None) -> Findings:
        headers = {"Authorization": "Bearer x"}
        return self_test.run(Visit(between.url, headers, origin, "n0nce", between.probe))

    return run


def test_all_is_well(between: Between, visit: Callable[..., Findings]) -> None:
    found = visit()
    assert found.ok and not found.buffered and found.notes == []
    assert found.first_frame_ms is not None and found.round_trip_ms is not None
    assert between.asked[0]["path"] == "/desk/api/events/stream"
    assert between.asked[0]["Authorization"] == "Bearer x"


def test_frames_that_are_held_back_are_seen(
    between: Between, visit: Callable[..., Findings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_test, "BUFFERED_MILLISECONDS", 50)
    between.hold_seconds = 0.1
    found = visit()
    assert found.buffered and not found.ok
    assert any("proxy_buffering" in note for note in found.notes)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Encoding": "gzip"}, "compresses"),
        ({"Cache-Control": "max-age=60"}, "Cache-Control"),
        ({"Content-Type": "text/html"}, "content type"),
    ],
)
def test_a_header_changed_on_the_way_is_named(
    between: Between, visit: Callable[..., Findings], headers: dict[str, str], said: str
) -> None:
    between.headers = headers
    found = visit()
    assert not found.ok and any(said in note for note in found.notes)


def test_a_trusted_origin_that_is_refused_is_named(
    between: Between, visit: Callable[..., Findings]
) -> None:
    origin = "https://shop.example"
    assert visit(origin).cors == f"refused for {origin}"
    between.headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
    }
    assert (found := visit(origin)).cors == "ok" and found.ok
    assert between.asked[-1]["Origin"] == origin


def test_a_stream_that_is_refused_or_cut_is_said_so(
    between: Between, visit: Callable[..., Findings]
) -> None:
    between.is_cut = True
    assert any("ended before the probe" in note for note in visit().notes)
    between.status = 502
    assert visit().notes == ["The stream answered 502 instead of 200."]


def test_an_address_that_leads_nowhere_is_said_so() -> None:
    url = f"http://127.0.0.1:{ports.free_port()}"
    found = self_test.run(Visit(url, {}, None, "n", lambda _: None))
    assert not found.ok and "cannot be reached" in found.notes[0]
