"""One event as a stream tells it, written once, and the frames that go out in one write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from domain import events
from models.events import EventLog

PING = b": ping\n\n"


@dataclass(frozen=True)
class Frame:
    """One event, detached from its session, and the bytes that tell it."""

    seq: int
    event: EventLog
    payload: bytes


@dataclass(frozen=True)
class Parcel:
    """The frames of one fan-out to one group, in order."""

    frames: tuple[Frame, ...]
    payload: bytes


def frame(event: EventLog) -> Frame:
    """Write one event as the stream tells it.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    told = json.dumps(events.wire(event), ensure_ascii=False, separators=(",", ":"))
    payload = f"id: {event.id}\nevent: {event.type}\ndata: {told}\n\n".encode()
    return Frame(seq=event.seq or 0, event=event, payload=payload)


def parcel(frames: Sequence[Frame]) -> Parcel:
    """Put frames together for one write."""
    return Parcel(tuple(frames), b"".join(each.payload for each in frames))
