"""Whether what a freeze was engaged for is still wrong; nobody lifts it before that is over."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from domain.books import verification
from models.control import Freeze


def assert_green(session: Session, row: Freeze) -> None:
    """Check that a freeze which a broken rule of the books engaged was followed by a proof without fault.

    Raises: Conflict INVARIANT_RED. Transaction: caller's, reads only.
    """
    said = why_red(session, row)
    if said is not None:
        raise Conflict(said, code="INVARIANT_RED", details={"freezeId": row.id})


def why_red(session: Session, row: Freeze) -> str | None:
    """Say why a freeze must stay; None: its cause is a person's, or is over."""
    if row.cause != "invariant":
        return None
    report = verification.last_report(session)
    if report is None or str(report.get("at")) <= str(clock.rfc3339(row.engaged_at)):
        return "Nothing has been proved since this was frozen. Run the verification first."
    if report.get("ok") is not True:
        return "The last verification found a fault. Mend it and verify again first."
    return None
