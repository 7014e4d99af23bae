"""What comes in at a provider's door: as it was sent, by whom it is signed, and which events it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

# The type of our own probes; they move nothing, and no provider names an event so.
PROBE = "paydesk.probe"


@dataclass(frozen=True)
class LiveSecret:
    """A signing secret that may verify now. mode: `test` or `live`."""

    version_id: str
    value: str
    mode: str


@dataclass(frozen=True)
class Canary:
    """A signed delivery that says nothing of any payment. event_id: by which it is found when stored."""

    event_id: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Sent:
    """What somebody sent to our door, as it came. path: as they asked for it, without a query."""

    method: str
    path: str
    body: bytes
    header: Callable[[str], str | None]


@dataclass(frozen=True)
class Verified:
    """Which secret version signed a delivery, by which scheme. version_id: None when the signature is
    proved by a public key of the provider's, so that no secret of ours is in use.
    """

    version_id: str | None
    scheme: str
    mode: str


@dataclass(frozen=True)
class Delivery:
    """The head of one event: enough to store it once. key: what makes a redelivery the same.

    body: the event's own part of what was sent, when that holds several; None: all of it.
    """

    key: str
    type: str
    event_id: str | None
    mode: str
    account: str
    reference: str | None
    said_at: datetime | None
    body: bytes | None = None


class UnreadableDelivery(ValueError):
    """A signed body that cannot be an event; it is stored and quarantined."""
