"""Processor time that process groups have used, from /proc: steady where elapsed time is not."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def seconds(leader: int) -> float:
    """Give the processor seconds of all living processes of a group; 0 where /proc is missing."""
    return sum(used for _, group, used in _processes() if group == leader)


def children_seconds(parent: int) -> float:
    """Give the processor seconds of the living children of a process, such as a database's backends."""
    return sum(used for ppid, _, used in _processes() if ppid == parent)


def _processes() -> list[tuple[int, int, float]]:
    """List every process as (parent, group, seconds)."""
    found = []
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; the fields after it are plain.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found.append((int(fields[1]), int(fields[2]), (int(fields[11]) + int(fields[12])) / _TICKS))
    return found
