"""The only source of time: aware UTC instants and a monotonic clock; nothing else may read the system clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """Give the present instant, aware, in UTC."""
    return datetime.now(UTC)


def unix() -> int:
    """Give the present instant as whole seconds since the epoch."""
    return int(now().timestamp())


def monotonic() -> float:
    """Give seconds on a clock that never goes back; for durations only."""
    return time.monotonic()


def after(seconds: float) -> datetime:
    """Give the instant that lies `seconds` from now."""
    return now() + timedelta(seconds=seconds)


def from_unix(seconds: int) -> datetime:
    """Turn whole seconds since the epoch into an aware UTC instant."""
    return datetime.fromtimestamp(seconds, UTC)


def rfc3339(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 in UTC with milliseconds, or None as None.

    Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
    """
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
