"""What one running stand-in consists of, and the unit of work in which everything changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.stripe.clock import Clock
from sandbox.stripe.errors import Obj, no_such
from sandbox.stripe.faults import FaultScript
from sandbox.stripe.store import Store

if TYPE_CHECKING:
    from sandbox.stripe.deliver import Courier, Parcel
    from sandbox.stripe.jobs import Timetable

REQUESTS_KEPT = 2_000


@dataclass(frozen=True)
class Settings:
    """Start-up choices. Durations in seconds."""

    api_version: str
    public_url: str
    settle_seconds: float = 3.0
    balance_seconds: float = 0.2
    retry_start: float = 1.0
    retry_factor: float = 2.0
    retry_limit: float = 3_600.0
    retry_for: float = 3 * 86_400.0
    delivery_timeout: float = 10.0
    lanes: int = 4
    available_seconds: float = 2 * 86_400.0
    # How often the balance is paid out by itself; 0 for never.
    payout_seconds: float = 0.0
    # The currencies of the account's bank accounts; all others are exchanged for the first.
    settles: tuple[str, ...] = ("usd", "eur")


@dataclass(frozen=True)
class World:
    """Everything a request may touch."""

    settings: Settings
    store: Store
    clock: Clock
    faults: FaultScript
    courier: Courier
    timetable: Timetable
    account: str
    requests: deque[Obj] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    running_keys: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Call:
    """One unit of work: who asked, and the parcels to hand to the courier once it is committed."""

    world: World
    request_id: str | None = None
    idempotency_key: str | None = None
    browser: bool = False
    outbox: list[Parcel] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.world.store

    @property
    def now(self) -> int:
        """Return the sandbox's time in whole seconds."""
        return self.world.clock.seconds()

    def get(self, kind: str, object_id: str, *, param: str = "id", status: int = 404) -> Obj:
        """Return an object. Raises: ApiError resource_missing."""
        found = self.store.find(kind, object_id)
        if found is None:
            raise no_such(kind, object_id, param=param, status=status)
        return found

    def later(self, name: str, subject: str, *, seconds: float) -> None:
        """Put a job on the timetable. Writes: jobs."""
        self.world.timetable.put(name, subject, due_at=self.world.clock.now() + seconds)


@contextmanager
def unit(
    world: World, *, request_id: str | None = None, key: str | None = None, browser: bool = False
) -> Iterator[Call]:
    """Run a unit of work and, once it is committed, send what it put into the outbox.

    Transaction: opens its own; the courier starts only after the commit, so no receiver can ask
    for an object that is not there yet.
    """
    call = Call(world, request_id, key, browser)
    with world.store.transaction():
        yield call
    world.timetable.wake()
    world.courier.send(call.outbox)


def visible(obj: Obj) -> Obj:
    """Return an object without the fields that never leave the sandbox."""
    return {name: value for name, value in obj.items() if not name.startswith("_")}
