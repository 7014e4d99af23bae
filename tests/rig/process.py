"""Starts the product's processes for a test, each in a group of its own, and keeps what they print."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.rig import forks, locate
from tests.rig.run import Run


class NotReady(Exception):
    """A process died or did not become ready in time; the message holds what it printed."""


class NotEnded(Exception):
    """A process that was asked to end did not; the message holds what it printed, and where it stands."""


@dataclass
class Running:
    """A process that a test started. `url` is set for those that listen.

    forked_from: the kind of a process that has imported the product (`forks`); None to start afresh.
    """

    name: str
    argv: list[str]
    env: dict[str, str]
    log: Path
    run: Run
    ready: Callable[[Running], bool]
    url: str = ""
    forked_from: forks.Kind | None = None
    since: int = 0  # where in the log the present start began
    popen: subprocess.Popen[bytes] | forks.Fork | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process itself, which also leads its group."""
        if self.popen is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.popen.pid

    def start(self, *, seconds: float = 30) -> Running:
        """Start it and wait until it is ready.

        Raises: NotReady
        """
        self.popen = self._started()
        self.run.register(self.popen.pid)
        until = time.monotonic() + seconds
        while not self.ready(self):
            if not self.is_alive() or time.monotonic() > until:
                why = "did not become ready" if self.is_alive() else "died"
                self.kill()
                raise NotReady(f"{self.name} {why}; it printed:\n{self.output()}")
            time.sleep(0.02)
        return self

    def _started(self) -> subprocess.Popen[bytes] | forks.Fork:
        with self.log.open("ab") as out:
            self.since = out.tell()
            if self.forked_from and forks.IS_POSSIBLE:
                return forks.of(self.run, self.forked_from).fork(self.argv[1:], self.env, self.log)
            return subprocess.Popen(
                self.argv,
                cwd=locate.ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether the process itself still runs."""
        return self.popen is not None and self.popen.poll() is None

    def output(self, *, lines: int = 80) -> str:
        """Give the last lines that it printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def tell(self, how: signal.Signals) -> None:
        """Send a signal to the whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, how)

    def kill(self) -> None:
        """Kill the whole group at once, as a power cut would."""
        if self.popen is None:
            return
        self.tell(signal.SIGKILL)
        self.popen.wait(10)
        self.run.unregister(self.pid)

    def stop(self, *, seconds: float = 15) -> int:
        """Ask it to end, wait, and give its exit code. Left children are killed.

        Raises: NotEnded
        """
        if self.popen is None:
            return 0
        with suppress(ProcessLookupError):
            self.popen.terminate()
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            asked = (
                f"{self.name} was asked to end at {datetime.now(UTC):%H:%M:%S} less {seconds:.0f} s"
            )
            self._say_where()
            raise NotEnded(f"{asked}; it printed:\n{self.output(lines=500)}") from error
        finally:
            self.kill()
        return code

    def _say_where(self) -> None:
        """Have it print where each of its threads stands, which ends it; only a fork knows how."""
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(self.pid, signal.SIGABRT)
            if self.popen is not None:
                self.popen.wait(5)

    def restart(self, *, seconds: float = 30) -> Running:
        """Start it again with the same command, port and log, after it died or was killed."""
        self.kill()
        return self.start(seconds=seconds)

    def wait_dead(self, *, seconds: float = 20) -> int:
        """Wait until the process itself has died (a crash point), and give its exit code."""
        if self.popen is None:
            raise RuntimeError(f"{self.name} was not started")
        code = self.popen.wait(seconds)
        self.kill()
        return code


def answers(path: str) -> Callable[[Running], bool]:
    """Be ready when GET of this path answers 200."""

    def ready(process: Running) -> bool:
        address = urlsplit(process.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


def says(text: str) -> Callable[[Running], bool]:
    """Be ready when this text was printed since the process was last started."""
    return lambda process: text.encode() in process.log.read_bytes()[process.since :]


def command(
    run: Run,
    name: str,
    argv: list[str],
    *,
    env: Mapping[str, str],
    ready: Callable[[Running], bool],
    url: str = "",
    forked_from: forks.Kind | None = None,
) -> Running:
    """Prepare a process without starting it. Its log stays in the run's folder."""
    number = time.monotonic_ns()
    log = run.folder("logs") / f"{name}-{os.getpid()}-{number}.log"
    return Running(
        name=name,
        argv=argv,
        env=dict(env),
        log=log,
        run=run,
        ready=ready,
        url=url,
        forked_from=forked_from,
    )
