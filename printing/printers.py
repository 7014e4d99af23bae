"""Keeps a printer's process: starts it, hands it a content, waits no longer than it may take, kills it then."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from printing import frames
from printing.limits import WALL_SECONDS

ROOT = Path(__file__).parent.parent
START_SECONDS = 60
# A printer that has drawn so many is replaced, so that nothing in it grows for ever.
MOST_DOCUMENTS = 200
_CHUNK = 1 << 16


class PrintingFailed(Exception):
    """No document came of it; `said` is fit for a log and for people."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Unprintable(PrintingFailed):
    """The content was refused; another try would be refused, too."""


class PrinterDied(PrintingFailed):
    """The process was killed or took too long; another try may do."""


class NotInstalled(PrintingFailed):
    """A library of the system is missing; says what to install."""


@dataclass(frozen=True)
class Document:
    """What was printed. xml: the machine's invoice within, or empty."""

    pdf: bytes
    xml: bytes


class Printer:
    """One process, started when it is first needed; used by one thread at a time."""

    def __init__(
        self, *, start_seconds: float = START_SECONDS, seconds: float = WALL_SECONDS + 5
    ) -> None:
        self._start_seconds, self._seconds = start_seconds, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._drawn = 0

    @property
    def pid(self) -> int | None:
        """The process that runs, or None."""
        return self._process.pid if self._process is not None else None

    def print_out(self, body: bytes) -> Document:
        """Print what `wire.pack` wrote. Raises: Unprintable, PrinterDied, NotInstalled."""
        if len(body) > frames.LARGEST_REQUEST:
            raise Unprintable("the content is too large for a document")
        if self._drawn >= MOST_DOCUMENTS:
            self.close()
        process = self._running()
        try:
            kind, first, second = self._ask(process, body)
        except OSError as error:
            self.close()
            raise PrinterDied("the printer was killed") from error
        except PrinterDied:
            self.close()
            raise
        self._drawn += 1
        if kind != frames.PRINTED:
            raise Unprintable(f"the content was refused: {first.decode('ascii', 'replace')[:80]}")
        return Document(first, second)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._process = process = _start()
        assert process.stdout is not None
        try:
            kind, said, _ = _read(process.stdout, time.monotonic() + self._start_seconds)
        except PrinterDied:
            self.close()
            raise
        if kind == frames.MISSING:
            self.close()
            raise NotInstalled(said.decode())
        return process

    def _ask(self, process: subprocess.Popen[bytes], body: bytes) -> tuple[bytes, bytes, bytes]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(frames.REQUEST.pack(len(body)) + body)
        process.stdin.flush()
        return _read(process.stdout, time.monotonic() + self._seconds)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process, self._drawn = self._process, None, 0
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _surroundings() -> dict[str, str]:
    """Give what a printer knows of where it runs: where libraries are found, if not in the usual places."""
    known = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    places = ("LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
    return known | {name: os.environ[name] for name in places if name in os.environ}


def _start() -> subprocess.Popen[bytes]:
    """Start a process that knows none of our settings: not the database, no key, no home."""
    return subprocess.Popen(
        [sys.executable, "-s", "-m", "printing"],
        cwd=ROOT,
        env=_surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        close_fds=True,
    )


def _read(stream: IO[bytes], deadline: float) -> tuple[bytes, bytes, bytes]:
    kind, first, second = frames.ANSWER.unpack(_exactly(stream, frames.ANSWER.size, deadline))
    if first + second > frames.LARGEST_ANSWER:
        raise PrinterDied("the document grew too large")
    return kind, _exactly(stream, first, deadline), _exactly(stream, second, deadline)


def _exactly(stream: IO[bytes], length: int, deadline: float) -> bytes:
    """Read so many bytes, or say that the printer died or took too long."""
    found, descriptor = bytearray(), stream.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(found) < length:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise PrinterDied("the printer took too long")
            part = os.read(descriptor, min(_CHUNK, length - len(found)))
            if not part:
                raise PrinterDied("the printer was killed")
            found += part
    return bytes(found)
