"""Reading a stream as a client does: frames from bytes, over a real connection or from a response."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from werkzeug.test import TestResponse


@dataclass(frozen=True)
class Told:
    """One frame. A comment such as the ping has neither event nor data."""

    event: str
    data: Any
    id: str | None
    comment: str | None = None


def frames(chunks: Iterable[bytes]) -> Iterator[Told]:
    """Cut a stream into frames; the retry hint is left out."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while b"\n\n" in rest:
            block, rest = rest.split(b"\n\n", 1)
            told = _told(block.decode())
            if told is not None:
                yield told


def _told(block: str) -> Told | None:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
    if "data" not in fields:
        return Told("", None, None, comment=fields[""]) if "" in fields else None
    return Told(fields.get("event", "message"), json.loads(fields["data"]), fields.get("id"))


def of_response(response: TestResponse) -> Iterator[Told]:
    """Read the frames of a response of Flask's own client, but for those of making the personas."""
    told = frames(part if isinstance(part, bytes) else part.encode() for part in response.response)
    return (frame for frame in told if frame.event != "user.created")


class Live:
    """A connection to a running server that reads one stream."""

    def __init__(
        self, url: str, *, token: str, after: str | None = None, path: str = "/api/events/stream"
    ) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=15)
        headers = {"Authorization": f"Bearer {token}"}
        if after:
            headers["Last-Event-ID"] = after
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status
        # Making the personas is told as well, before anything that a test waits for.
        self.frames = (told for told in frames(self._chunks()) if told.event != "user.created")

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self.answer.read1(65_536):
            yield chunk

    def is_ended(self) -> bool:
        """Read on; True when the server ended the stream, whatever it told before."""
        try:
            for _ in self.frames:
                pass
        except TimeoutError:
            return False
        except (OSError, http.client.HTTPException):
            return True
        return True

    def close(self) -> None:
        """Hang up."""
        self.answer.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
