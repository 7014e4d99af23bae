"""Everything that may call books wrong, asked at once: the rules, the comparisons of the night, `flask verify`."""

from __future__ import annotations

from collections.abc import Sequence

from domain import database
from domain.books import verification
from domain.watch import invariants, nightly


def broken_rules() -> Sequence[str]:
    """Ask every rule, of all there is and of what is new alone, and say which rows break which."""
    with database.reading() as session:
        return [
            f"{found.rule.name}: {each.sentence}"
            for found in invariants.broken(session)
            for each in found.offences
        ]


def problems() -> Sequence[str]:
    """Ask all of it. Gives a sentence for each thing that is called wrong."""
    nights = [
        f"{found.name}: {each.sentence}"
        for found in nightly.compare_all()
        for each in found.differences
    ]
    report = verification.verify()
    unproved = [f"{each.name}: {each.first_bad}" for each in report.checks if not each.ok]
    return [*broken_rules(), *nights, *unproved]
