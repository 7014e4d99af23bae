"""Whether what a freeze was engaged for is still wrong; nobody lifts it before that is over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Rule as State
from core.errors import Conflict
from domain.books import verification
from domain.control import freezes
from models.control import Freeze
from models.watch import Invariant


def assert_green(session: Session, row: Freeze) -> None:
    """Check that nothing is wrong any more of what a freeze was engaged for: its rules are asked again, now.

    A freeze that no rule of the monitor knows waits for a proof without fault.
    Raises: Conflict INVARIANT_RED. Transaction: caller's, reads only.
    """
    said = why_red(session, row)
    if said is not None:
        raise Conflict(said, code="INVARIANT_RED", details={"freezeId": row.id})


def why_red(session: Session, row: Freeze) -> str | None:
    """Say why a freeze must stay, from its rules' own fresh answers; None: its cause is a person's, or is over."""
    if row.cause != freezes.INVARIANT:
        return None
    names = [each.name for each in _engaged_by(session, row)]
    return _ask_again(session, row, names) if names else _unproved(session, row)


def known_red(session: Session, row: Freeze) -> str | None:
    """Say why a freeze must stay, as the monitor last saw it; for pages, which ask no rule themselves.

    Transaction: caller's, reads only.
    """
    if row.cause != freezes.INVARIANT:
        return None
    found = _engaged_by(session, row)
    if not found:
        return _unproved(session, row)
    is_red = any(each.state == State.RED.value for each in found)
    return "A rule of the books is still broken here. Mend it first." if is_red else None


def _engaged_by(session: Session, row: Freeze) -> Sequence[Invariant]:
    known = session.scalars(select(Invariant).execution_options(populate_existing=True))
    return [each for each in known if row.id in each.freeze_ids]


def _ask_again(session: Session, row: Freeze, names: Sequence[str]) -> str | None:
    """Ask the rules that engaged a freeze of everything there is: what they find there keeps it."""
    # They import what asks for freezes itself.
    from domain.watch import invariants, offences, rules

    for name in names:
        if name not in rules.RULES:
            continue
        found = invariants.ask(session, rules.RULES[name]).offences
        places = [(each.scope, each.scope_id) for each in offences.places_of(session, found)]
        # What holds everything is lifted once nothing is wrong anywhere.
        if (row.scope == "all" and found) or (row.scope, row.scope_id) in places:
            return f"{rules.RULES[name].label}: this is broken. {found[0].sentence} Mend it first."
    return None


def _unproved(session: Session, row: Freeze) -> str | None:
    report = verification.last_report(session)
    if report is None or str(report.get("at")) <= str(clock.rfc3339(row.engaged_at)):
        return "Nothing has been proved since this was frozen. Run the verification first."
    if report.get("ok") is not True:
        return "The last verification found a fault. Mend it and verify again first."
    return None
