"""The newest events of the log, kept in memory as frames, so that clients who come back cost no database."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice

from web.frames import Frame

# About 2.5 KB each. A client that was away for longer is served from the database.
MOST = 10_000


class Recent:
    """A window that ends at the newest frame; gapless, in order."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._frames: deque[Frame] = deque()
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def clear(self) -> None:
        """Forget everything; nobody follows the log for now."""
        self._frames.clear()
        self._places.clear()

    def add(self, frames: Iterable[Frame]) -> None:
        """Add frames that follow the newest one, and forget the oldest beyond the window."""
        for frame in frames:
            self._frames.append(frame)
            self._places[frame.event.id] = frame.seq
            if len(self._frames) > self._most:
                del self._places[self._frames.popleft().event.id]

    def put_before(self, frames: Iterable[Frame]) -> None:
        """Add the frames that come directly before the oldest one."""
        kept = list(self._frames)
        self.clear()
        self.add([*frames, *kept])

    def place_of(self, event_id: str) -> int | None:
        """Give the place of an event, or None when the window does not have it."""
        return self._places.get(event_id)

    def after(self, place: int, limit: int) -> list[Frame] | None:
        """List the next frames after a place, or None when the window does not reach back to it."""
        if not self._frames or self._frames[0].seq > place + 1:
            return None
        start = bisect_right(self._frames, place, key=lambda frame: frame.seq)
        return list(islice(self._frames, start, start + limit))
