"""What scripted faults do to a request at any API door; how a vendor words it is the vendor's."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from sandbox.common.faults import Fault
from sandbox.common.wire import Reply, json_reply

DROPPED = Reply(0, dropped=True)


@dataclass(frozen=True)
class Manners:
    """How a vendor says that it failed, and that it was asked too often; with and without effect."""

    failed: object
    too_many: object
    failed_headers: tuple[tuple[str, str], ...] = ()


def before(fault: Fault | None, manners: Manners) -> Reply | None:
    """Return the answer of a fault that strikes before anything happened."""
    if fault is None:
        return None
    if fault.kind == "timeout_before":
        time.sleep(fault.seconds or 0)
        return DROPPED
    if fault.kind == "5xx_before":
        return json_reply(max(fault.status, 500), manners.failed, _retry_after(fault))
    if fault.kind == "429":
        return json_reply(429, manners.too_many, _retry_after(fault))
    return None


def during(fault: Fault | None) -> None:
    """Take the time that a slow request takes."""
    if fault is not None and fault.kind == "slow":
        time.sleep(1.0 if fault.seconds is None else fault.seconds)


def kept(fault: Fault | None, reply: Reply, manners: Manners) -> Reply:
    """Return the answer that is kept under the request's key."""
    if fault is not None and fault.kind == "5xx_after":
        return json_reply(max(fault.status, 500), manners.failed, dict(manners.failed_headers))
    return reply


def after(fault: Fault | None, reply: Reply) -> Reply:
    """Return what of the answer reaches the client."""
    kind = fault.kind if fault else None
    if fault is not None and kind == "timeout_after_effect":
        time.sleep(fault.seconds or 0)
        return DROPPED
    if kind == "malformed":
        return replace(reply, body=reply.body[: len(reply.body) // 2])
    return replace(reply, cut=True) if kind == "cut" else reply


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
