"""Public ids sort as they were made and never meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from core import clock, ids


def test_ids_sort_by_the_instant_they_were_made_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for microsecond in (0, 1, 999, 1000, 1001, 999_999):
        at = datetime(2026, 11, 21, 9, 30, 7, microsecond, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        made += [ids.new("pay")]
    assert made == sorted(made)
    assert len({one[:16] for one in made}) == len(made), "the time fills the first twelve letters"


def test_an_id_is_a_prefix_and_thirty_two_letters() -> None:
    prefix, _, rest = ids.new("pay").partition("_")
    assert (prefix, len(rest)) == ("pay", 32)
    assert set(rest) <= set(ids.ALPHABET)


def test_ids_made_side_by_side_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            one
            for each in pool.map(lambda _: [ids.new("x") for _ in range(500)], range(8))
            for one in each
        ]
    assert len(set(made)) == len(made) == 4000
