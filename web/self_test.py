"""The stream's own test: opens one through the public URL as a client would, and measures what comes back."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from core import clock
from web import own_url
from web.own_url import SECONDS

# A proxy that holds frames back shows by more than this between the event and its frame.
BUFFERED_MILLISECONDS = 1000
PATH = "/api/events/stream"


@dataclass
class Findings:
    """What the test found. cors: `ok`, `not configured` or what is wrong."""

    ok: bool = False
    first_frame_ms: int | None = None
    round_trip_ms: int | None = None
    buffered: bool = False
    cors: str = "not configured"
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Visit:
    """Through which URL, with which credentials, from which trusted origin, and how the probe is sent.

    origin: None for a key, which no browser may use; probe: sends an event with this nonce.
    """

    public_url: str
    headers: dict[str, str]
    origin: str | None
    nonce: str
    probe: Callable[[str], None]


def run(visit: Visit) -> Findings:
    """Open a stream, send a probe, wait for its frame.

    Calls: our own public URL, and nothing else. Transaction: none open while it waits.
    """
    found = Findings()
    connection = own_url.connect(visit.public_url)
    began = clock.monotonic()
    try:
        headers = visit.headers | ({"Origin": visit.origin} if visit.origin else {})
        connection.request("GET", own_url.path(visit.public_url, PATH), headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            found.notes.append(f"The stream answered {answer.status} instead of 200.")
            return found
        _judge_headers(answer, found, origin=visit.origin)
        _follow(answer, visit, found, began=began)
    except (OSError, http.client.HTTPException) as error:
        found.notes.append(own_url.sentence(error, visit.public_url))
    finally:
        connection.close()
    return found


def _judge_headers(
    answer: http.client.HTTPResponse, found: Findings, *, origin: str | None
) -> None:
    if "text/event-stream" not in (answer.getheader("Content-Type") or ""):
        found.notes.append("The content type is not text/event-stream.")
    if answer.getheader("Content-Encoding"):
        found.notes.append("Something compresses the stream; it will be held back.")
    if "no-transform" not in (answer.getheader("Cache-Control") or ""):
        found.notes.append("Something changed Cache-Control; a cache may hold the stream back.")
    if origin is None:
        return
    allowed = answer.getheader("Access-Control-Allow-Origin")
    credentials = answer.getheader("Access-Control-Allow-Credentials")
    found.cors = "ok" if (allowed, credentials) == (origin, "true") else f"refused for {origin}"


def _follow(
    answer: http.client.HTTPResponse, visit: Visit, found: Findings, *, began: float
) -> None:
    if not answer.readline():
        found.notes.append("The stream ended at once.")
        return
    found.first_frame_ms = _milliseconds(began)
    sent = clock.monotonic()
    visit.probe(visit.nonce)
    while clock.monotonic() - sent < SECONDS:
        line = answer.readline()
        if not line:
            found.notes.append("The stream ended before the probe came.")
            return
        if line.startswith(b"data: ") and _nonce(line) == visit.nonce:
            found.round_trip_ms = _milliseconds(sent)
            break
    found.buffered = (
        max(found.first_frame_ms, found.round_trip_ms or 0) > BUFFERED_MILLISECONDS
        or found.round_trip_ms is None
    )
    found.ok = not found.buffered and not found.notes and found.cors in ("ok", "not configured")
    if found.buffered:
        found.notes.append("Frames are held back: see proxy_buffering in deploy/nginx.conf.")


def _nonce(line: bytes) -> str | None:
    told = json.loads(line.removeprefix(b"data: "))
    return told.get("nonce") if isinstance(told, dict) else None


def _milliseconds(since: float) -> int:
    return round((clock.monotonic() - since) * 1000)
