"""Marks tests by what they need, and leaves some out only when that was asked for, saying so."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.rig import locate

NEEDS = {"pg": "POSTGRES", "browser": "BROWSER"}
_POSTGRES_FIXTURES = {"postgres_url", "durable_postgres_url", "postgres_cluster"}
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def mark(item: pytest.Item) -> None:
    """Set `pg` and `browser` on a test by the fixtures that it asks for."""
    fixtures = set(getattr(item, "fixturenames", ()))
    call = getattr(item, "callspec", None)
    params = call.params if call is not None else {}
    if fixtures & _POSTGRES_FIXTURES or "postgresql" in params.values():
        item.add_marker("pg")
    if "browser" in fixtures:
        item.add_marker("browser")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark all tests and take out those that PAYDESK_TEST_…=none names."""
    unwanted = {marker for marker, name in NEEDS.items() if not locate.wanted(name)}
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    counts = Counter[str]()
    for item in items:
        mark(item)
        named = [marker for marker in unwanted if item.get_closest_marker(marker)]
        (dropped if named else kept).append(item)
        counts.update(named)
    config.stash[LEFT_OUT] = dict(counts)
    if dropped:
        items[:] = kept
        config.hook.pytest_deselected(items=dropped)


def tell(terminal: pytest.TerminalReporter) -> None:
    """Say at the end how many tests were left out, and by what."""
    for marker, count in sorted(terminal.config.stash.get(LEFT_OUT, {}).items()):
        terminal.write_line(
            f"LEFT OUT: {count} {marker} tests, by PAYDESK_TEST_{NEEDS[marker]}=none", yellow=True
        )
