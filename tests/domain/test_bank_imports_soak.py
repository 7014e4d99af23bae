"""The long version: a hundred thousand lines are imported in one transaction, and the process hardly grows."""

from __future__ import annotations

import resource
import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from bench import report
from domain import database
from domain.actors import Actor
from domain.bank import importing
from domain.bank.csv_maps import CsvMap
from domain.bank.said import LARGEST_FILE, MOST_LINES
from models.statements import BankLine
from tests.domain.banking import DAY, bring
from tests.domain.banking import MAPPING as WHOLE
from tests.domain.world import World

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]
MOST_GROWTH_KIB = 120 * 1024
MAPPING = CsvMap(
    currency="EUR",
    columns={
        name: WHOLE.columns[name] for name in ("bookedOn", "amount", "reference", "bankReference")
    },
)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def file_of(count: int) -> bytes:
    """Write a month of so many lines, of which every tenth looks like another one."""
    lines = ["Date,Amount,Reference,Bank id"]
    for no in range(count):
        day = DAY - timedelta(days=no % 30)
        bank = "" if no % 10 == 0 else f"B{no}"
        lines.append(f"{day},{1 + no % 900}.{no % 100:02d},Order {no % 5_000} thanks,{bank}")
    return ("\n".join(lines) + "\n").encode()


def test_a_hundred_thousand_lines_are_imported_in_little_memory(
    world: World, fin: Actor, engine: Engine
) -> None:
    body = file_of(MOST_LINES)
    assert len(body) < LARGEST_FILE
    begin, started = peak_kib(), time.monotonic()
    found = bring(fin, body, mapping=MAPPING)
    grown, seconds = peak_kib() - begin, time.monotonic() - started
    with database.reading() as session:
        kept = session.scalar(select(func.count()).where(BankLine.statement_id == found.id))
    assert (found.lines, kept) == (MOST_LINES, MOST_LINES)
    assert grown < MOST_GROWTH_KIB
    # Said again by another file, none of them is kept twice.
    again = bring(fin, body + b"\n", mapping=MAPPING)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(BankLine)) == MOST_LINES
        assert importing.counts(session, [again.id])[again.id].total() == 0
    report.note_soak(
        "bank statement",
        engine.dialect.name,
        count=MOST_LINES,
        seconds=seconds,
        held=f"{MOST_LINES:,} lines imported in one transaction, in hardly more memory",
    )
