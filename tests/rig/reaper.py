"""Outlives the test run by a moment: ends every registered process group and removes the run's folder.

Runs as a process of its own, so that a crashed or killed pytest leaves no database and no server
behind. usage: python -I -S reaper.py RUN_DIR WATCHED_PID
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 5.0
_asked = False


def _ask(_signal: int, _frame: object) -> None:
    global _asked
    _asked = True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _tell(pid: int, how: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def end_groups(run_dir: Path) -> None:
    """End every registered group with its own signal, then for sure."""
    left: dict[int, float] = {}
    for entry in (run_dir / "groups").glob("*"):
        pid = int(entry.name)
        _tell(pid, signal.Signals[entry.read_text(encoding="ascii").strip() or "SIGKILL"])
        left[pid] = time.monotonic() + GRACE_SECONDS
    while left:
        for pid, until in list(left.items()):
            if not _alive(pid):
                del left[pid]
            elif time.monotonic() > until:
                _tell(pid, signal.SIGKILL)
                del left[pid]
        time.sleep(0.02)


def main() -> None:
    run_dir, watched = Path(sys.argv[1]), int(sys.argv[2])
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGTERM, _ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (run_dir / "reaper").write_text(str(os.getpid()), encoding="ascii")
    while not _asked and _alive(watched):
        time.sleep(0.1)
    end_groups(run_dir)
    shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
