"""The long version: a million moves on SQLite, a hundred thousand on PostgreSQL, each run with games of its own."""

from __future__ import annotations

import random
import time

import pytest
from sqlalchemy import Engine

from bench import report
from tests.domain import ledger_machine

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MOVES = {"sqlite": 1_000_000, "postgresql": 100_000}
AT_ONCE = 20_000


def test_the_ledger_balances_after_each_of_a_million_moves(engine: Engine) -> None:
    begin, began = random.randrange(10**9), time.monotonic()
    moves = MOVES[engine.dialect.name]
    for turn in range(moves // AT_ONCE):
        ledger_machine.play(engine, AT_ONCE, begin=begin + turn)
    report.note_soak(
        "ledger",
        engine.dialect.name,
        count=moves,
        seconds=time.monotonic() - began,
        held=f"{moves:,} moves, balanced after each",
    )
