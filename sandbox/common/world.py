"""What every running stand-in consists of, and the unit of work in which everything changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sandbox.common.clock import Clock
from sandbox.common.deliver import Courier
from sandbox.common.faults import FaultScript
from sandbox.common.jobs import Timetable
from sandbox.common.lanes import Parcel
from sandbox.common.store import Store
from sandbox.common.wire import Obj

REQUESTS_KEPT = 2_000


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a request may touch."""

    store: Store
    clock: Clock
    faults: FaultScript
    courier: Courier
    timetable: Timetable
    requests: deque[Obj] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    running_keys: set[str] = field(default_factory=set)


W = TypeVar("W", bound=World)


@dataclass(frozen=True)
class Call(Generic[W]):
    """One unit of work, and the parcels to hand to the courier once it is committed."""

    world: W
    outbox: list[Parcel] = field(default_factory=list, kw_only=True)

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.world.store

    @property
    def now(self) -> int:
        """Return the sandbox's time in whole seconds."""
        return self.world.clock.seconds()

    def later(self, name: str, subject: str, *, seconds: float) -> None:
        """Put a job on the timetable. Writes: jobs."""
        self.world.timetable.put(name, subject, due_at=self.world.clock.now() + seconds)


@contextmanager
def committed(call: Call[Any]) -> Iterator[None]:
    """Run a unit of work and, once it is committed, send what it put into the outbox.

    Transaction: opens its own; the courier starts only after the commit, so no receiver can ask
    for an object that is not there yet.
    """
    with call.store.transaction():
        yield
    call.world.timetable.wake()
    call.world.courier.send(call.outbox)


def visible(obj: Obj) -> Obj:
    """Return an object without the fields that never leave the sandbox."""
    return {name: value for name, value in obj.items() if not name.startswith("_")}
