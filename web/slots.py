"""How many streams, or held requests, a principal, an address and this process may have; not what they carry."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from core.errors import Unavailable

RETRY_SECONDS = 15
# Beyond this a limit protects nothing, and is not worth a lock per stream.
UNLIMITED = 1000
_SPREAD = 1 << 10
log = structlog.get_logger()


def stream_limit(what: str) -> Unavailable:
    """Make the refusal of one stream too many."""
    return Unavailable(
        f"There are as many open streams as {what} may have. Close one, or try again later.",
        code="STREAM_LIMIT",
        retry_after=RETRY_SECONDS,
    )


@dataclass(frozen=True)
class Limits:
    """Streams per principal and per address of this machine, and in all of this process."""

    per_principal: int
    per_address: int
    total: int


@dataclass
class _Ledger:
    """Byte-range locks of one file: exact across the processes of a machine, and gone with a killed one."""

    path: Path
    descriptor: int | None = None
    pid: int = 0
    held: dict[str, set[int]] = field(default_factory=dict)

    def take(self, subject: str, limit: int) -> int | None:
        """Take the lowest free place of a subject, or None when all are taken."""
        descriptor = self._open()
        held = self.held.setdefault(subject, set())
        for place in range(limit):
            if place not in held and _lock(descriptor, _offset(subject, place)):
                held.add(place)
                return place
        return None

    def give(self, subject: str, place: int) -> None:
        held = self.held.get(subject, set())
        held.discard(place)
        if not held:
            self.held.pop(subject, None)
        if self.descriptor is not None and self.pid == os.getpid():
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, _offset(subject, place))

    def _open(self) -> int | None:
        if self.pid != os.getpid():
            # After a fork the parent's locks are not ours.
            self.held, self.pid, self.descriptor = {}, os.getpid(), None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                self.descriptor = os.open(self.path, flags, 0o600)
            except OSError as error:
                # Then each process counts for itself.
                log.warning("slots.no_shared_file", path=str(self.path), error=error.strerror)
        return self.descriptor


def _lock(descriptor: int | None, offset: int) -> bool:
    if descriptor is None:
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
    except OSError:
        return False
    return True


def _offset(subject: str, place: int) -> int:
    digest = hashlib.blake2b(subject.encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") * _SPREAD + place


@dataclass(eq=False)
class Slot:
    """A right to hold one stream; giving it back twice changes nothing."""

    slots: Slots
    places: list[tuple[str, int]]
    is_given: bool = False

    def give(self) -> None:
        """Free the slot for the next stream."""
        self.slots.give(self)


class Slots:
    """Counts the open streams and refuses the one too many."""

    def __init__(
        self, path: Path, limits: Limits, *, refuse: Callable[[str], Unavailable] = stream_limit
    ) -> None:
        self._refuse = refuse
        self._lock = threading.Lock()
        self._ledger = _Ledger(path)
        self._limits = limits
        self._open = 0

    @property
    def open(self) -> int:
        """How many this process holds."""
        return self._open

    def cap(self, total: int) -> None:
        """Lower the total of this process, where each stream occupies a thread."""
        limits = self._limits
        total = min(total, limits.total)
        self._limits = Limits(limits.per_principal, limits.per_address, total)

    def take(self, principal: str, address: str) -> Slot:
        """Take a slot for one more stream.

        Raises: Unavailable as `refuse` makes it: with code STREAM_LIMIT for streams
        """
        with self._lock:
            if self._open >= self._limits.total:
                raise self._refuse("this server")
            slot = Slot(self, [])
            for subject, limit, what in self._subjects(principal, address):
                place = self._ledger.take(subject, limit)
                if place is None:
                    self._free(slot)
                    raise self._refuse(what)
                slot.places.append((subject, place))
            self._open += 1
            return slot

    def give(self, slot: Slot) -> None:
        """Take a slot back."""
        with self._lock:
            if not slot.is_given:
                slot.is_given = True
                self._open -= 1
                self._free(slot)

    def _free(self, slot: Slot) -> None:
        for subject, place in slot.places:
            with suppress(OSError):
                self._ledger.give(subject, place)

    def _subjects(self, principal: str, address: str) -> Iterator[tuple[str, int, str]]:
        limits = self._limits
        if limits.per_principal < UNLIMITED:
            yield f"principal:{principal}", limits.per_principal, "one person or key"
        if limits.per_address < UNLIMITED:
            yield f"address:{address}", limits.per_address, "one address"
