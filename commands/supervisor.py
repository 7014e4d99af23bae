"""Keeps a group of processes running: started together, restarted when one dies, ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core import clock, ids

LEASH = Path(__file__).with_name("leash.py")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# Alive for so long, a process has recovered: its next death is a first one again.
RECOVERED_SECONDS = 60.0
STOP_SECONDS = 8.0
ROUND_SECONDS = 0.1
Say = Callable[[str, str], None]


class NeverStarted(Exception):
    """A process died again and again before the group was ready; the message names it."""


@dataclass(frozen=True)
class Part:
    """One process of the group. rank: parts of a lower rank end first."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    rank: int = 0


@dataclass
class _Child:
    part: Part
    popen: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    deaths: int = 0
    due_at: float = field(default_factory=clock.monotonic)

    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None


class Supervisor:
    """A group of processes, each in a session of its own, so that Ctrl-C reaches this one only."""

    def __init__(self, say: Say, *, root: Path) -> None:
        self._say = say
        self._root = root
        self._children: list[_Child] = []
        self._is_ready = False
        self._stop_signals = 0

    def add(self, part: Part) -> None:
        """Add a part and start it."""
        child = _Child(part)
        self._children.append(child)
        self._start(child)

    def pid_of(self, name: str) -> int | None:
        """Give the process of a part, or None while it is down."""
        found = next((child for child in self._children if child.part.name == name), None)
        return found.popen.pid if found and found.popen and found.is_alive() else None

    @property
    def is_told_to_stop(self) -> bool:
        """Whether Ctrl-C or SIGTERM came."""
        return self._stop_signals > 0

    def listen_to_signals(self) -> None:
        """Take Ctrl-C and SIGTERM as the wish to end all; a second one ends at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def wait_until(self, is_ready: Callable[[], bool], *, seconds: float) -> bool:
        """Look after the group until it is ready. Gives False when the time is over or all shall end.

        Raises: NeverStarted
        """
        until = clock.monotonic() + seconds
        while clock.monotonic() < until and not self.is_told_to_stop:
            self._look_after()
            if is_ready():
                self._is_ready = True
                return True
            _sleep()
        return False

    def run(self, *, is_over: Callable[[], bool]) -> None:
        """Look after the group until Ctrl-C or SIGTERM, or until it is over."""
        self._is_ready = True
        while not self.is_told_to_stop and not is_over():
            self._look_after()
            _sleep()

    def stop(self) -> None:
        """End all parts, lower ranks first; who does not end in time is killed."""
        until = clock.monotonic() + STOP_SECONDS
        for rank in sorted({child.part.rank for child in self._children}):
            group = [child for child in self._children if child.part.rank == rank]
            for child in group:
                _tell(child, signal.SIGTERM)
            while any(child.is_alive() for child in group):
                if clock.monotonic() > until or self._stop_signals > 1:
                    break
                _sleep()
        for child in self._children:
            _tell(child, signal.SIGKILL)
            if child.popen is not None:
                child.popen.wait()
            if child.reader is not None:
                child.reader.join(timeout=2)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop_signals += 1

    def _start(self, child: _Child) -> None:
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
        child.popen = subprocess.Popen(
            [*leash, *child.part.argv],
            cwd=self._root,
            env=dict(child.part.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child.started_at = clock.monotonic()
        child.reader = threading.Thread(
            target=self._read, args=(child.part.name, child.popen), daemon=True
        )
        child.reader.start()

    def _read(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        if popen.stdout is None:
            return
        with popen.stdout as out:
            for line in out:
                self._say(name, line.decode("utf-8", "replace").rstrip("\n"))

    def _look_after(self) -> None:
        for child in self._children:
            if child.is_alive():
                continue
            if child.popen is not None:
                self._note_death(child, child.popen)
            elif clock.monotonic() >= child.due_at:
                self._say(child.part.name, "starting again")
                self._start(child)

    def _note_death(self, child: _Child, popen: subprocess.Popen[bytes]) -> None:
        lived = clock.monotonic() - child.started_at
        child.deaths = 1 if lived > RECOVERED_SECONDS else child.deaths + 1
        # Whatever it started may have outlived it.
        _tell(child, signal.SIGKILL)
        if child.reader is not None:
            child.reader.join(timeout=2)
        child.popen = None
        name, why = child.part.name, _why(popen.returncode)
        if not self._is_ready and child.deaths >= 3:
            raise NeverStarted(f"{name} {why} {child.deaths} times before it was ready.")
        pause = ids.jittered(min(FIRST_PAUSE * 2 ** (child.deaths - 1), LONGEST_PAUSE))
        child.due_at = clock.monotonic() + pause
        self._say(name, f"{why}; it is started again in {pause:.1f} s")


def _why(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _tell(child: _Child, number: signal.Signals) -> None:
    """Signal a whole group; it outlives its leader as long as it has members."""
    if child.popen is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.popen.pid, number)


def _sleep() -> None:
    threading.Event().wait(ROUND_SECONDS)
