"""What a printer's process may use: little memory, little time, no new file, no socket, no other program."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1024 * 1024
# Money that arrives comes first where both want a processor: a document waits, a payment does not.
NICENESS = 10
CPU_SECONDS = 20
WALL_SECONDS = 40
MEMORY_MEGABYTES = 512
MOST_FILES = 64
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# What a document never needs, whoever asks for it.
_REFUSED = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "urllib.",
    "http.",
    "ftplib.",
    "smtplib.",
    "ctypes.dlopen",
)


# Python's own folders, for what a library loads late, such as a codec or a table of Babel's.
_PLACES = (sys.prefix, sys.base_prefix, str(Path(os.__file__).parent), "/usr/share/zoneinfo")
_ROOTS = tuple(
    real + os.sep for real in sorted({os.path.realpath(each) for each in _PLACES}) if real != os.sep
)


class Refused(BaseException):
    """Something that a printer may not do. Not an Exception, so that no library swallows it."""


def leave_the_network() -> None:
    """Step into a network of nobody's, where the system lets us; before anything else is loaded."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def step_aside() -> None:
    """Let whatever else runs on this machine go first."""
    os.nice(NICENESS)


def _lower(which: int, to: int) -> None:
    _, hard = resource.getrlimit(which)
    least = to if hard == resource.RLIM_INFINITY else min(to, hard)
    # macOS knows no limit of the address space; the wall clock and the parent still hold there.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (least, least))


def apply() -> None:
    """Set the limits of this process, for good. After everything is loaded that drawing needs."""
    _lower(resource.RLIMIT_AS, MEMORY_MEGABYTES * MEGABYTE)
    _lower(resource.RLIMIT_NOFILE, MOST_FILES)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        mode = arguments[1]
        flags = arguments[2]
        is_read = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) == 0
        if not is_read or (isinstance(mode, str) and mode.strip("rbtU")):
            raise Refused("a printer writes no file")
        if not _is_ours(arguments[0]):
            raise Refused("a printer reads only its own files")
    elif event.startswith(_REFUSED):
        raise Refused(f"a printer may not: {event}")


def _is_ours(path: object) -> bool:
    if isinstance(path, int):
        return True
    where = os.path.realpath(os.fsdecode(path)) if isinstance(path, (str, bytes)) else ""
    return where.startswith(_ROOTS)


@contextlib.contextmanager
def one_document() -> Iterator[None]:
    """Let one document be drawn: so many seconds of the processor and of the clock, then the process dies."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard)
    )
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
