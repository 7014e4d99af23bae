"""Named points at which a test may kill this process, to prove that nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal

POINTS = (
    "ingest.before_insert",
    "ingest.before_commit",
    "ingest.after_commit",
    "inbox.before_apply",
    "inbox.before_commit",
    "inbox.after_commit",
    "operation.before_prepare_commit",
    "operation.after_prepare",
    "operation.after_call",
    "operation.before_settle_commit",
    "operation.after_settle",
    "idempotency.before_answer_commit",
    "sequencer.before_commit",
    "sequencer.after_commit",
    "janitor.after_lease",
    "janitor.after_read",
    "janitor.before_commit",
    "chain.before_commit",
    "period.before_commit",
    "certificate.before_keep",
    "refund.after_lease",
    "refund.after_gate",
    "reencryption.before_commit",
    "reencryption.after_commit",
    "watch.after_freeze",
    "checkpoint.after_file",
    "nightly.before_commit",
    "document.after_claim",
    "document.before_commit",
    "bookings.after_lease",
    "bookings.before_commit",
    "reconciliation.after_lease",
    "reconciliation.before_commit",
    "reconciliation.after_commit",
    "erasure.after_key",
    "erasure.before_commit",
    "retention.before_commit",
)
_armed: dict[str, int] = {}


def arm(setting: str) -> None:
    """Read `point[:nth]`; the nth passage of the point kills this process.

    Raises: ValueError for a point that does not exist
    """
    _armed.clear()
    if not setting:
        return
    name, _, nth = setting.partition(":")
    if name not in POINTS:
        raise ValueError(f"there is no crash point named {name!r}")
    _armed[name] = int(nth or "1")


def point(name: str) -> None:
    """Die here, as if by kill -9, when this point is armed and its turn has come."""
    if not _armed or name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
