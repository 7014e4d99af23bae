"""Putting what happened into the post: deliveries written down, and what a fault does to them."""

from __future__ import annotations

import time
from typing import Any

from sandbox.common.faults import Fault
from sandbox.common.ids import new_id
from sandbox.common.lanes import Parcel
from sandbox.common.world import Call

OVERTAKE_SECONDS = 2.0
DELAY_SECONDS = 1.0


def post(
    call: Call[Any],
    event: str,
    event_type: str,
    *,
    endpoint: str,
    lane: str,
    fault: Fault | None = None,
    held: bool = False,
) -> None:
    """Write a delivery of an event down, as often as the fault script wants it.

    `held`: it waits until somebody releases it.

    Writes: deliveries. Transaction: caller's; sent after its commit.
    """
    kind = fault.kind if fault else None
    seconds = fault.seconds if fault else None
    for _ in range(2 if kind == "duplicate" else 1):
        parcel = Parcel(
            new_id("dlv"),
            event,
            endpoint,
            lane,
            delay=(DELAY_SECONDS if seconds is None else seconds) if kind == "delay" else 0.0,
            overtaken_within=(seconds or OVERTAKE_SECONDS) if kind == "reorder" else None,
            inline=kind == "event_before_response",
        )
        state = "withheld" if kind == "never_send" else "held" if held else "pending"
        record(call, parcel, event_type, state=state)


def record(call: Call[Any], parcel: Parcel, event_type: str, *, state: str = "pending") -> None:
    """Write a delivery down and, unless it is withheld, put it into the outbox."""
    due_at = time.time() + parcel.delay
    with call.store.locked() as db:
        db.execute(
            "INSERT INTO deliveries (id, event, type, endpoint, lane, state, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (parcel.id, parcel.event, event_type, parcel.endpoint, parcel.lane, state, due_at),
        )
    if state == "pending":
        call.outbox.append(parcel)


def supersede(call: Call[Any], event: str) -> None:
    """Let a new delivery of an event stand for those that did not arrive. Writes: deliveries."""
    with call.store.locked() as db:
        db.execute(
            "UPDATE deliveries SET state = 'superseded' WHERE event = ? AND state <> 'delivered'",
            (event,),
        )
