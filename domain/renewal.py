"""Beginning a sandbox anew: the desk asks, whoever supervises the processes does it. Two files, no database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core import clock

_SUPERVISOR = "supervisor.pid"
_ASKED = "begin-anew"
PATIENCE_SECONDS = 2.0


@contextmanager
def supervising(folder: Path) -> Iterator[None]:
    """Say, while the block lasts, that this process can begin anew what runs on an instance folder."""
    folder.mkdir(parents=True, exist_ok=True)
    forget(folder)
    path = folder / _SUPERVISOR
    path.write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def is_supervised(folder: Path) -> bool:
    """Tell whether a living process would do what is asked for."""
    try:
        os.kill(int((folder / _SUPERVISOR).read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return True


def ask(folder: Path) -> None:
    """Ask the supervisor to begin anew. Raises: OSError"""
    (folder / _ASKED).touch()


def is_due(folder: Path) -> bool:
    """Tell whether somebody asked, and has had the time to fetch the page that waits for the end."""
    try:
        asked_at = (folder / _ASKED).stat().st_mtime
    except OSError:
        return False
    return not 0 <= clock.now().timestamp() - asked_at < PATIENCE_SECONDS


def forget(folder: Path) -> None:
    """Take the wish back, because it was fulfilled or came from an earlier run."""
    with suppress(OSError):
        (folder / _ASKED).unlink(missing_ok=True)
