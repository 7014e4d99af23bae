"""The chart of a secret's uses: bars by the hour, old and new versions stacked; drawn on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard import words
from domain.secrets.secret_queries import Hits

HEIGHT = 96
GAP = 0.3
MOST_TICKS = 4
# The newest version, the one before, and all older ones.
SERIES = ("new", "old", "older")


@dataclass(frozen=True)
class Part:
    """One piece of a bar."""

    series: str
    y: str
    height: str


@dataclass(frozen=True)
class Bar:
    """One bar. label: its numbers in words."""

    x: str
    width: str
    label: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Tick:
    """One label under the chart."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True)
class Legend:
    """One series. count: how often it was used in all bars together."""

    series: str
    label: str
    count: str


@dataclass(frozen=True)
class Chart:
    """The whole chart; text: all of it in one sentence; most: the height of the highest bar."""

    text: str
    most: str
    height: int
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    legend: Sequence[Legend]


def _percent(place: float) -> str:
    return f"{place:.2f}%"


def series_of(version: int, newest: Sequence[int]) -> str:
    """Name the series of a version. newest: the versions, newest first."""
    place = newest.index(version) if version in newest else len(SERIES)
    return SERIES[min(place, len(SERIES) - 1)]


def draw(begins: Sequence[datetime], hits: Sequence[Hits], *, newest: Sequence[int]) -> Chart:
    """Draw the chart. begins: when each bar begins; newest: the versions, newest first."""
    by_bar: dict[datetime, dict[str, int]] = {at: {} for at in begins}
    for hit in hits:
        sums = by_bar.setdefault(hit.at, {})
        name = series_of(hit.version, newest)
        sums[name] = sums.get(name, 0) + hit.count
    most = max((sum(sums.values()) for sums in by_bar.values()), default=0)
    step = 100 / max(len(begins), 1)
    labels = _labels(newest)
    bars = [
        _bar(place * step, step, at, by_bar[at], most=most, labels=labels)
        for place, at in enumerate(begins)
        if by_bar[at]
    ]
    legend = [
        Legend(name, label, f"{sum(sums.get(name, 0) for sums in by_bar.values()):,}")
        for name, label in labels.items()
    ]
    said = ", ".join(f"{each.label}: {each.count}" for each in legend)
    text = f"Uses by version. {said}." if hits else "No use in this time."
    return Chart(text, f"{most:,}", HEIGHT, bars, _ticks(begins, step), legend)


def _labels(newest: Sequence[int]) -> dict[str, str]:
    named = dict(zip(SERIES, [f"v{number}" for number in newest[:2]], strict=False))
    if len(newest) > 2:
        named["older"] = f"v{newest[2]} and older" if len(newest) > 3 else f"v{newest[2]}"
    return named


def _bar(
    left: float,
    step: float,
    at: datetime,
    sums: dict[str, int],
    *,
    most: int,
    labels: dict[str, str],
) -> Bar:
    parts, floor = [], float(HEIGHT)
    for name in SERIES:
        if count := sums.get(name):
            # A single use among thousands shall still be seen.
            height = max(count / most * HEIGHT, 2.0)
            floor -= height
            parts.append(Part(name, f"{max(floor, 0.0):.1f}", f"{height:.1f}"))
    said = ", ".join(f"{labels[name]} {sums[name]:,}" for name in SERIES if sums.get(name))
    label = f"{at:%-d %b %H:%M}: {said}"
    return Bar(_percent(left + GAP / 2), _percent(max(step - GAP, 0.5)), label, parts)


def _ticks(begins: Sequence[datetime], step: float) -> list[Tick]:
    if not begins:
        return []
    every = max(len(begins) // MOST_TICKS, 1)
    is_long = (begins[-1] - begins[0]).days > 1
    return [
        Tick(
            _percent(place * step),
            f"{words.day(at)[:-5]}" if is_long else f"{at:%H:%M}",
            "start" if place == 0 else "middle",
        )
        for place, at in enumerate(begins)
        if place % every == 0
    ]
