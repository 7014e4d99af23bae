"""The comparisons of the night: what they found is kept, and each difference becomes a case, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing
from core.money import Money, asset
from core.strictjson import Json
from domain import calendar, database
from domain.actors import system
from domain.books.verification import Report
from domain.cases import cases
from domain.cases.cases import Finding
from domain.transitions import Why
from domain.watch.night_checks import CHECKS, DIFFERENCE, Check, Difference
from models.watch import NightlyCheck

AT = timedelta(hours=2, minutes=30)
VERIFICATION = "verification"
# More are counted, not listed and not made cases of: then something is wrong with all of them.
MOST = 100
NIGHT = system("nightly")


@dataclass(frozen=True)
class Compared:
    """What one comparison found. number: of all differences, of which at most `MOST` are kept."""

    name: str
    rows: int
    number: int
    differences: Sequence[Difference]


def next_at(now: datetime) -> datetime:
    """Say when the night's checks are due next, on the house's clock."""
    day = calendar.day_of(now)
    tonight = calendar.begin_of(day) + AT
    return tonight if tonight > now else calendar.begin_of(day + timedelta(days=1)) + AT


def compare(session: Session, check: Check) -> Compared:
    """Make one comparison, reading everything it is about.

    Transaction: caller's, reads only.
    """
    rows = number = 0
    kept: list[Difference] = []
    for found in check.compare(session):
        rows += 1
        if found is not None:
            number += 1
            if len(kept) < MOST:
                kept.append(found)
    return Compared(check.name, rows, number, kept)


def compare_all() -> list[Compared]:
    """Make every comparison of the night.

    Transaction: opens its own, read only.
    """
    found = []
    for check in CHECKS.values():
        with database.reading() as session:
            found.append(compare(session, check))
    return found


def of_report(report: Report) -> Compared:
    """Read a verification as a comparison of the night: the first bad row of each check."""
    bad = [check for check in report.checks if not check.ok]
    found = []
    for check in bad:
        sentence = f"{check.name}: {check.first_bad}"
        # Another row that fails is another case.
        found.append(Difference(f"{check.name}:{hashing.sha256(sentence.encode())[:16]}", sentence))
    return Compared(VERIFICATION, report.rows, len(found), found)


def keep(session: Session, found: Compared) -> int:
    """Keep what a comparison found and open the cases for it. Gives how many cases are new.

    Writes: nightly_checks, exception_cases, event_log, audit_log. Emits: exception.opened.
    Transaction: caller's.
    """
    listed: list[Json] = [each.sentence for each in found.differences]
    values: dict[str, object] = {
        "ok": not found.number,
        "at": clock.now(),
        "compared": found.rows,
        "differences": listed,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(NightlyCheck).values(name=found.name, **values)
    key = [NightlyCheck.name]
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=values))
    return sum(_open(session, found.name, each) for each in found.differences)


def _open(session: Session, name: str, found: Difference) -> bool:
    payment = found.payment
    finding = Finding(
        found.kind,
        # A payment that is stuck has one case, whoever found it first.
        f"{name}:{found.key}" if found.kind == DIFFERENCE else found.key,
        found.sentence,
        at_risk=Money(payment.amount_minor, asset(payment.asset)) if payment else None,
        payment=payment,
    )
    return cases.open_case(session, finding, why=Why(NIGHT, f"nightly:{name}")) is not None


def list_kept(session: Session) -> list[NightlyCheck]:
    """List what each comparison last found, in the order of the table.

    Transaction: caller's, reads only.
    """
    known = {row.name: row for row in session.scalars(select(NightlyCheck))}
    return [known[name] for name in (*CHECKS, VERIFICATION) if name in known]


def wire(row: NightlyCheck) -> dict[str, Json]:
    """Write a comparison as the API answers it."""
    return {
        "name": row.name,
        "ok": row.ok,
        "at": clock.rfc3339(row.at),
        "compared": row.compared,
        "differences": row.differences,
    }
