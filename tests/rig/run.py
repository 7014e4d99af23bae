"""One test run's folder, shared by its xdist workers: what is made once, what must be ended at last."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

REAPER = Path(__file__).with_name("reaper.py")


class MakingFailed(Exception):
    """What the whole run shares could not be made; the message says why."""


@dataclass(frozen=True)
class Run:
    """The folder of this run. `groups/` lists the process groups that the reaper ends."""

    path: Path

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the run-wide lock `name`."""
        with (self.path / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def once(self, name: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Make something the first time any worker asks, and give everyone the same facts.

        Raises: MakingFailed, for the first asker and, without another try, for all the others.
        """
        facts = self.path / f"{name}.json"
        with self.alone(name):
            if not facts.exists():
                try:
                    made: dict[str, object] = {"ok": make()}
                except MakingFailed as failure:
                    made = {"failed": str(failure)}
                facts.write_text(json.dumps(made))
            known = json.loads(facts.read_text())
        if "failed" in known:
            raise MakingFailed(known["failed"])
        shared: dict[str, str] = known["ok"]
        return shared

    def folder(self, name: str) -> Path:
        """Make a folder of the run with this name."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def register(self, pid: int, *, how: signal.Signals = signal.SIGKILL) -> None:
        """Have the group of `pid` ended with the run, whatever happens to pytest."""
        self.watch()
        (self.folder("groups") / str(pid)).write_text(how.name)

    def unregister(self, pid: int) -> None:
        """Forget a group that has ended."""
        (self.path / "groups" / str(pid)).unlink(missing_ok=True)

    def watch(self) -> None:
        """Have the run's folder removed even when pytest is killed."""

        def start() -> dict[str, str]:
            controller = (self.path / "controller").read_text()
            subprocess.run(
                [sys.executable, "-I", "-S", REAPER, self.path, controller],
                check=True,
                stdin=subprocess.DEVNULL,
            )
            return {}

        self.once("reaper-started", start)


def begin() -> Run:
    """Make the folder of a new run; called by the process that controls it."""
    path = Path(tempfile.mkdtemp(prefix="paydesk-"))
    path.chmod(0o755)  # PostgreSQL may run as another user than we do
    (path / "controller").write_text(str(os.getpid()))
    return Run(path=path)


def finish(run: Run) -> None:
    """End everything that the run started and remove its folder."""
    if not (run.path / "reaper-started.json").exists():
        shutil.rmtree(run.path, ignore_errors=True)
        return
    until = time.monotonic() + 20
    while run.path.exists() and time.monotonic() < until:
        with suppress(OSError, ValueError):
            os.kill(int((run.path / "reaper").read_text()), signal.SIGTERM)
        time.sleep(0.05)
