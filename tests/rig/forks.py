"""Starts the product's Python processes by forking one that has imported the product already.

Most of a worker's start is reading code. A fork is a process like any other: its own group, its own
environment, killed as hard. The forker runs as `python -m tests.rig.forks SOCKET` beside each pytest
process and ends with it; a fork's connection tells its pid, later its exit code. What is served by
gevent is forked from a second one, `… SOCKET green`, that was patched before it imported anything of ours.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.rig import environment, locate
from tests.rig.run import Run

ROOMS = ("core", "models", "providers", "domain", "web", "api", "dashboard", "commands")
# Forking a process that holds system frameworks is not safe on macOS; there each process starts afresh.
IS_POSSIBLE = sys.platform == "linux"
# As they were before gevent replaced them.
_on_signal, _fork, _waitpid = signal.signal, os.fork, os.waitpid


class Kind(StrEnum):
    """What a forker is, beside having imported the product."""

    PLAIN = "plain"
    GREEN = "green"

    @classmethod
    def serving(cls, database_url: str) -> Kind:
        """Give the kind that a web process comes from: on PostgreSQL gevent comes before any of our modules."""
        return cls.PLAIN if database_url.startswith("sqlite") else cls.GREEN


class Fork:
    """A forked process, with the part of `subprocess.Popen` that the rig uses."""

    def __init__(self, forker: Path, order: Mapping[str, object]) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.connect(str(forker))
        self._line.sendall(json.dumps(order).encode() + b"\n")
        self._said = self._line.makefile("rb")
        self.pid = int(self._said.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Give the exit code (of a signal: its number, negative), or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and give its exit code. Raises: subprocess.TimeoutExpired."""
        if self.returncode is not None:
            return self.returncode
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            if not selector.select(timeout):
                raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
        # A forker that died says nothing more; whatever it had started is ended by the reaper.
        self.returncode = int(self._said.readline() or -signal.SIGKILL)
        self._said.close()
        self._line.close()
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


@dataclass
class Forker:
    """The forker of this pytest process, started when it is first wanted."""

    run: Run
    kind: Kind
    address: Path | None = None
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def fork(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Fork:
        """Start `python -m MODULE …`, its output appended to `log`. argv: `-m MODULE …`."""
        if self.address is None or self.popen is None or self.popen.poll() is not None:
            self._start()
        assert self.address is not None  # for the type checker: just started
        return Fork(self.address, {"argv": list(argv[1:]), "env": dict(env), "log": str(log)})

    def _start(self) -> None:
        address = self.run.folder("forks") / f"{os.getpid()}-{self.kind}"
        address.unlink(missing_ok=True)
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.forks", address, self.kind],
            cwd=locate.ROOT,
            env=environment.surroundings(),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.run.register(self.popen.pid)
        until = time.monotonic() + 60
        while not address.exists():
            if self.popen.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the forker of test processes did not start")
            time.sleep(0.02)
        self.address = address

    def end(self) -> None:
        """Have it end, and wait."""
        if self.popen is not None:
            self.popen.communicate()
            self.run.unregister(self.popen.pid)


_forkers: dict[tuple[Path, Kind], Forker] = {}


def end(run: Run) -> None:
    """End the forkers of this process and run."""
    for kind in Kind:
        if (run.path, kind) in _forkers:
            _forkers.pop((run.path, kind)).end()


def of(run: Run, kind: Kind) -> Forker:
    """Give the forker of a kind, of this process and run."""
    return _forkers.setdefault((run.path, kind), Forker(run, kind))


def _import_everything() -> None:
    importlib.import_module("wsgi")
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            importlib.import_module(found.name)
    importlib.import_module("gunicorn.workers.gthread")
    importlib.import_module("gunicorn.workers.ggevent")
    gc.freeze()


def _serve(
    listener: socket.socket, selector: selectors.BaseSelector, pair: Sequence[socket.socket]
) -> list[str]:
    """Fork whatever is ordered, until our starter is gone. Gives, in a fork, what it shall run."""
    woken, waker = pair
    waker.setblocking(False)
    _on_signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    lines: dict[int, socket.socket] = {}
    with woken, waker, selector:
        for each in (listener, woken, sys.stdin.buffer):
            selector.register(each, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if sys.stdin.buffer in ready:
                return []
            if woken in ready:
                woken.recv(4096)
                _tell_the_dead(lines)
            if listener in ready:
                line = _accepted(listener)
                with line.makefile("rb") as said:
                    order = json.loads(said.readline())
                pid = _fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    for each in (line, *lines.values()):
                        each.close()
                    return _become(order)
                line.sendall(f"{pid}\n".encode())
                lines[pid] = line


def _accepted(listener: socket.socket) -> socket.socket:
    # `accept` would make a socket of gevent's kind, and with it the hub that no fork may inherit.
    number, _ = listener._accept()  # type: ignore[attr-defined]  # as `accept` does
    return type(listener)(socket.AF_UNIX, socket.SOCK_STREAM, fileno=number)


def _tell_the_dead(lines: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = _waitpid(-1, os.WNOHANG)
            if not pid:
                return
            line = lines.pop(pid)
            with suppress(OSError):
                line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            line.close()


def _become(order: dict[str, object]) -> list[str]:
    os.setsid()
    _on_signal(signal.SIGCHLD, signal.SIG_DFL)
    with Path(os.devnull).open("rb") as nothing, Path(str(order["log"])).open("ab") as out:
        os.dup2(nothing.fileno(), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    # Where every thread stands is printed when the rig aborts what does not end.
    faulthandler.enable(file=2)
    env = order["env"]
    assert isinstance(env, dict)  # for the type checker: it is an object of JSON
    os.environ.clear()
    os.environ.update(env)
    argv = order["argv"]
    assert isinstance(argv, list)  # for the type checker
    return [str(each) for each in argv]


def main() -> None:
    """Serve orders on a socket; in a fork, run the ordered module as `python -m` would."""
    address, kind = Path(sys.argv[1]), Kind(sys.argv[2])
    # Made before gevent replaces them: this loop stays one of the operating system's.
    selector, pair = selectors.DefaultSelector(), socket.socketpair()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        if kind is Kind.GREEN:
            importlib.import_module("gevent.monkey").patch_all()
        _import_everything()
        listener.bind(f"{address}.new")
        listener.listen(16)
        Path(f"{address}.new").rename(address)
        argv = _serve(listener, selector, pair)
    if argv:
        sys.argv = argv
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
