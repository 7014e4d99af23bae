"""The window of the newest events answers who was away shortly, and says when it cannot."""

from __future__ import annotations

from models.events import EventLog
from web.frames import Frame
from web.recent import Recent


def frames(first: int, last: int) -> list[Frame]:
    return [Frame(no, EventLog(id=f"evt_{no}"), b"") for no in range(first, last + 1)]


def places(found: list[Frame] | None) -> list[int] | None:
    return None if found is None else [each.seq for each in found]


def test_an_empty_window_knows_nothing() -> None:
    recent = Recent()
    assert recent.after(0, 10) is None and recent.place_of("evt_1") is None


def test_the_window_forgets_the_oldest_and_says_so() -> None:
    recent = Recent(most=3)
    recent.add(frames(1, 5))
    assert len(recent) == 3
    assert places(recent.after(2, 10)) == [3, 4, 5]
    assert places(recent.after(4, 10)) == [5]
    assert places(recent.after(5, 10)) == []
    assert recent.after(1, 10) is None, "the event at 2 is gone"
    assert recent.place_of("evt_2") is None and recent.place_of("evt_3") == 3


def test_what_was_before_is_put_before() -> None:
    recent = Recent(most=6)
    recent.add(frames(5, 6))
    recent.put_before(frames(1, 4))
    assert places(recent.after(0, 10)) == [1, 2, 3, 4, 5, 6]
    recent.add(frames(7, 7))
    assert recent.after(0, 10) is None and places(recent.after(1, 10)) == [2, 3, 4, 5, 6, 7]
    assert places(recent.after(2, 3)) == [3, 4, 5]
    recent.clear()
    assert recent.after(6, 10) is None and not len(recent)
