"""What the stand-in for Stripe adds to every stand-in's world and unit of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.common import world as common
from sandbox.stripe.errors import Obj, no_such

visible = common.visible


@dataclass(frozen=True)
class Settings:
    """Start-up choices. Durations in seconds."""

    api_version: str
    public_url: str
    settle_seconds: float = 3.0
    balance_seconds: float = 0.2
    lanes: int = 4
    available_seconds: float = 2 * 86_400.0
    # How often the balance is paid out by itself; 0 for never.
    payout_seconds: float = 0.0
    # The currencies of the account's bank accounts; all others are exchanged for the first.
    settles: tuple[str, ...] = ("usd", "eur")


@dataclass(frozen=True, kw_only=True)
class World(common.World):
    """Everything a request may touch."""

    settings: Settings
    account: str


@dataclass(frozen=True)
class Call(common.Call[World]):
    """One unit of work, and who asked for it."""

    request_id: str | None = None
    idempotency_key: str | None = None
    browser: bool = False

    def get(self, kind: str, object_id: str, *, param: str = "id", status: int = 404) -> Obj:
        """Return an object. Raises: ApiError resource_missing."""
        found = self.store.find(kind, object_id)
        if found is None:
            raise no_such(kind, object_id, param=param, status=status)
        return found


@contextmanager
def unit(
    world: World, *, request_id: str | None = None, key: str | None = None, browser: bool = False
) -> Iterator[Call]:
    """Run a unit of work and, once it is committed, send what it put into the outbox.

    Transaction: opens its own.
    """
    call = Call(world, request_id, key, browser)
    with common.committed(call):
        yield call


def keys(kind: str, obj: Obj) -> tuple[str | None, str | None, str | None]:
    """Return the customer, the payment intent and the word that lists filter by."""
    label = {"event": "type", "payment_method": "type", "customer": "email"}.get(kind, "status")
    return obj.get("customer"), obj.get("payment_intent"), obj.get(label)
