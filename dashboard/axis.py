"""Where the points of a timeline's axis stand: long waits shortened, order kept, true times on the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import log1p

from dashboard import words

LEFT, RIGHT = 2.0, 98.0
# Ticks nearer than this would print over each other.
APART = 17.0
MOST_TICKS = 5
# A second and an hour shall both be seen: widths grow with the logarithm of the wait.
STEP = 0.6


@dataclass(frozen=True)
class Mark:
    """One thing to draw. weight: main, plain or light."""

    at: datetime
    lane: str
    label: str
    weight: str = "plain"
    tone: str | None = None


@dataclass(frozen=True)
class Point:
    """One dot of the axis."""

    lane: str
    x: str
    label: str
    weight: str
    tone: str | None


@dataclass(frozen=True)
class Tick:
    """One label under the axis."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True)
class Lag:
    """How far one lane was behind another, in words."""

    label: str
    text: str
    tone: str
    shape: str


@dataclass(frozen=True)
class Gap:
    """A line from one lane to the next."""

    tone: str
    from_x: str
    from_lane: str
    to_x: str
    to_lane: str


@dataclass(frozen=True)
class Axis:
    """The whole chart; text: all of it in one sentence."""

    text: str
    lags: Sequence[Lag]
    ticks: Sequence[Tick]
    points: Sequence[Point]
    gaps: Sequence[Gap]


def places(times: Sequence[datetime]) -> dict[datetime, float]:
    """Give each distinct time its place in percent."""
    ordered = sorted(set(times))
    if len(ordered) < 2:
        return dict.fromkeys(ordered, LEFT)
    waits = [
        STEP + log1p((later - earlier).total_seconds()) for earlier, later in pairwise(ordered)
    ]
    scale = (RIGHT - LEFT) / sum(waits)
    found, at = {ordered[0]: LEFT}, LEFT
    for time, wait in zip(ordered[1:], waits, strict=True):
        at += wait * scale
        found[time] = at
    return found


def percent(place: float) -> str:
    """Write a place as the templates want it."""
    return f"{place:.1f}%"


def ticks(found: dict[datetime, float]) -> list[Tick]:
    """Choose the times that are written under the axis: the first, the last, a few between."""
    ordered = sorted(found)
    if not ordered:
        return []
    first, last = ordered[0], ordered[-1]
    chosen = [Tick(percent(found[first]), f"{first:%H:%M:%S}", "start")]
    if last == first:
        return chosen
    previous = found[first]
    for time in ordered[1:-1]:
        is_clear = found[time] - previous >= APART and found[last] - found[time] >= APART
        if is_clear and len(chosen) < MOST_TICKS - 1:
            chosen.append(Tick(percent(found[time]), _since(first, time), "middle"))
            previous = found[time]
    chosen.append(Tick(percent(found[last]), _since(first, last), "end"))
    return chosen


def _since(first: datetime, time: datetime) -> str:
    return f"+{words.span((time - first).total_seconds())}"


def draw(
    marks: Sequence[Mark], *, lags: Sequence[Lag], links: Sequence[tuple[Mark, Mark, str]]
) -> Axis:
    """Draw the axis. links: pairs of marks to be joined, with a tone."""
    found = places([mark.at for mark in marks])
    points = [
        Point(mark.lane, percent(found[mark.at]), mark.label, mark.weight, mark.tone)
        for mark in marks
    ]
    gaps = [
        Gap(tone, percent(found[left.at]), left.lane, percent(found[right.at]), right.lane)
        for left, right, tone in links
    ]
    said = ", ".join(f"{lag.label.lower()}: {lag.text}" for lag in lags)
    text = f"{words.counted(len(marks), 'event')} on three lanes" + (f"; {said}" if said else "")
    return Axis(text, lags, ticks(found), points, gaps)
