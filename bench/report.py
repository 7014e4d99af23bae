"""How measurements are kept and shown: rows of names and figures, printed and written as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import rig
from core import clock

RESULTS = Path(__file__).parent / "results"
Value = str | int | float | bool | None


@dataclass
class Report:
    """One measurement. targets: what must hold, in words, with whether it does."""

    name: str
    command: str
    rows: list[dict[str, Value]] = field(default_factory=list)
    targets: list[tuple[str, bool]] = field(default_factory=list)

    def add(self, **row: Value) -> None:
        """Keep and print one row."""
        self.rows.append(row)
        print("  " + "  ".join(f"{name}={shown(value)}" for name, value in row.items()), flush=True)

    def expect(self, sentence: str, *, holds: bool) -> None:
        """Keep and print whether a target is met."""
        self.targets.append((sentence, holds))
        print(f"  {'met   ' if holds else 'MISSED'} {sentence}", flush=True)

    def keep(self) -> Path:
        """Write it down; the newest of each name stays."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        said = {
            "name": self.name,
            "command": self.command,
            "at": clock.rfc3339(clock.now()),
            "machine": rig.machine(),
            "load": rig.load(),
            "rows": self.rows,
            "targets": [{"target": sentence, "met": met} for sentence, met in self.targets],
        }
        path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        return path


def note_soak(test: str, engine: str, *, count: int, seconds: float, held: str) -> None:
    """Keep a long run that held what it promised beside the others; one of the same test and engine goes.

    They take so long that not all are run at once. held: what it promised. Writes: bench/results.
    """
    report, path, target = Report("soaks", "make soak"), RESULTS / "soaks.json", f"{engine}: {held}"
    if path.is_file():
        said = json.loads(path.read_text(encoding="utf-8"))
        own = (test, engine)
        report.rows = [each for each in said["rows"] if (each["test"], each["engine"]) != own]
        kept = [(each["target"], each["met"]) for each in said["targets"]]
        report.targets = [each for each in kept if each[0] != target]
    report.add(test=test, engine=engine, count=count, seconds=round(seconds))
    report.expect(target, holds=True)
    report.keep()


def shown(value: Value) -> str:
    """Write a figure with three significant places or more, never as 1e+06."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Give the value below which `share` of the sorted values lie (nearest rank)."""
    if not sorted_values:
        return 0.0
    place = min(len(sorted_values) - 1, max(0, round(share * len(sorted_values) + 0.5) - 1))
    return sorted_values[place]


def spread(values: Sequence[float], *, scale: float = 1000.0) -> Mapping[str, float]:
    """Give median, p99 and worst of durations in seconds; in milliseconds by default."""
    ordered = sorted(values)
    return {
        "p50_ms": round(percentile(ordered, 0.5) * scale, 2),
        "p99_ms": round(percentile(ordered, 0.99) * scale, 2),
        "max_ms": round(ordered[-1] * scale, 2) if ordered else 0.0,
    }
