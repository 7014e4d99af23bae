"""The sandbox's clock, which a test may move forward; delivery signatures use real time instead."""

from __future__ import annotations

import time


class Clock:
    """Wall time plus an offset that only grows."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._ahead

    def seconds(self) -> int:
        """Return whole seconds, as most objects carry them."""
        return int(self.now())

    def reset(self) -> None:
        """Go back to real time, once everything dated by the moved clock is gone."""
        self._ahead = 0.0

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += seconds
        return self.now()
