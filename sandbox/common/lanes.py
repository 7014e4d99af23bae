"""One delivery lane: a thread that takes parcels in order of their due time; sends nothing itself."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger("sandbox")


@dataclass(frozen=True)
class Parcel:
    """One event on its way to one endpoint."""

    id: str
    event: str
    endpoint: str
    lane: str
    delay: float = 0.0
    overtaken_within: float | None = None
    inline: bool = False


class Lane:
    """A heap of due parcels and the one thread that works through it."""

    def __init__(self, name: str, attempt: Callable[[Parcel], None]) -> None:
        self._attempt = attempt
        self._ready = threading.Condition()
        self._heap: list[tuple[float, int, Parcel]] = []
        self._order = itertools.count()
        self._stopped = False
        self._busy = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def push(self, parcel: Parcel, delay: float) -> None:
        """Queue a parcel to be sent after `delay` seconds."""
        with self._ready:
            heapq.heappush(self._heap, (time.monotonic() + delay, next(self._order), parcel))
            self._ready.notify_all()

    def clear(self, *, patience: float = 15.0) -> None:
        """Drop everything queued and wait for the running attempt to end."""
        with self._ready:
            self._heap.clear()
            self._ready.wait_for(lambda: not self._busy, timeout=patience)

    def stop(self) -> None:
        """Finish the running attempt and end the thread."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()
        self._thread.join(timeout=5)

    def _loop(self) -> None:
        while (parcel := self._next()) is not None:
            try:
                self._attempt(parcel)
            except Exception:
                log.exception("delivery of %s failed unexpectedly", parcel.event)

    def _next(self) -> Parcel | None:
        with self._ready:
            self._busy = False
            self._ready.notify_all()
            while not self._stopped:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._heap)[2]
                self._ready.wait(wait)
        return None
