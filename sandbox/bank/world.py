"""What the stand-in for a bank adds to every stand-in's world and unit of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.common import world as common
from sandbox.common.wire import Obj

visible = common.visible

TRUELAYER, GOCARDLESS = "truelayer", "gocardless"
WIRES = (TRUELAYER, GOCARDLESS)
CURRENCIES = ("EUR", "GBP")

PAYMENT, REFUND, PAYOUT = "payment", "refund", "payout"
ENDPOINT = "webhook_endpoint"
# What a reset leaves alone: it is configuration, not something that happened.
LASTING = (ENDPOINT, "signing_key", "client_key", "token")


@dataclass(frozen=True)
class Settings:
    """Start-up choices. Durations in seconds, money in minor units."""

    public_url: str
    payee: str
    client_id: str
    client_secret: str
    access_token: str
    settle_seconds: float
    refund_seconds: float
    payout_seconds: float
    batch_seconds: float
    expire_seconds: float
    fee: int
    float_minor: int
    tells_authorised: bool
    lanes: int


@dataclass(frozen=True, kw_only=True)
class World(common.World):
    """Everything a request may touch."""

    settings: Settings


@dataclass(frozen=True)
class Call(common.Call[World]):
    """One unit of work."""

    request_id: str = ""

    @property
    def moment(self) -> str:
        """Return the sandbox's time as both wires print it."""
        return moment(self.world.clock.now())

    @property
    def ms(self) -> int:
        """Return the sandbox's time in milliseconds, by which lists are filtered."""
        return int(self.world.clock.now() * 1000)

    @property
    def settings(self) -> Settings:
        """Return the start-up choices."""
        return self.world.settings


@contextmanager
def unit(world: World, *, request_id: str = "") -> Iterator[Call]:
    """Run a unit of work and, once it is committed, send what it put into the outbox.

    Transaction: opens its own.
    """
    call = Call(world, request_id)
    with common.committed(call):
        yield call


def moment(seconds: float) -> str:
    """Return a time as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def keys(_kind: str, obj: Obj) -> tuple[str | None, str | None, str | None]:
    """Return what lists filter by: a group, a parent, and a word."""
    return obj.get("_group"), obj.get("_parent"), obj.get("_label") or obj.get("status")
