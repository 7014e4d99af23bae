"""People, a till and the desk, for tests that try every door."""

from __future__ import annotations

from tests.dashboard.conftest import desk, till, who

__all__ = ["desk", "till", "who"]
