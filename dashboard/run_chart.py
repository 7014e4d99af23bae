"""The chart of comparisons over time: what was compared, and what of it differed; drawn on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import words
from domain.reconciliation import run_queries
from models.reconciliation import ReconciliationRun

HEIGHT = 64
# How many runs there is room for, the newest at the right.
BARS = 40
_GAP = 0.4
# One difference among thousands shall still be seen.
_LEAST = 3.0


@dataclass(frozen=True)
class Bar:
    """One run. x, width: percentages; equal, different: the heights and tops of both parts in pixels."""

    href: str
    x: str
    width: str
    equal_y: str
    equal_height: str
    different_y: str
    different_height: str
    label: str


@dataclass(frozen=True)
class Chart:
    """The whole chart; text: all of it in one sentence; most: what the highest bar stands for."""

    text: str
    height: int
    most: str
    first: str
    last: str
    bars: Sequence[Bar]


def draw(found: Sequence[ReconciliationRun]) -> Chart | None:
    """Draw finished runs, oldest first; None before the first one."""
    if not found:
        return None
    most = max(run_queries.compared(run) for run in found)
    step = 100 / BARS
    left = 100 - step * len(found)
    bars = [_bar(run, left + place * step, step, most) for place, run in enumerate(found)]
    newest = found[-1]
    text = (
        f"The newest {words.counted(len(found), 'comparison')}; the last compared"
        f" {run_queries.compared(newest):,}, of which {_different(newest):,} differed."
    )
    return Chart(
        text,
        HEIGHT,
        f"{most:,}",
        words.day(found[0].started_at),
        words.day(newest.started_at),
        bars,
    )


def _different(run: ReconciliationRun) -> int:
    return run_queries.compared(run) - run_queries.equal(run)


def _bar(run: ReconciliationRun, left: float, step: float, most: int) -> Bar:
    compared, different = run_queries.compared(run), _different(run)
    whole = max(compared / most * HEIGHT, 1.0) if most else 1.0
    part = min(max(different / most * HEIGHT, _LEAST), HEIGHT) if different else 0.0
    whole = max(whole, part)
    label = f"{words.absolute(run.started_at)}: {compared:,} compared, {different:,} differed"
    return Bar(
        href=f"/reconciliation/{run.id}",
        x=f"{left + _GAP / 2:.2f}%",
        width=f"{step - _GAP:.2f}%",
        equal_y=f"{HEIGHT - whole:.1f}",
        equal_height=f"{whole - part:.1f}",
        different_y=f"{HEIGHT - part:.1f}",
        different_height=f"{part:.1f}",
        label=label,
    )
