"""However it is played with, the ledger balances after each move, and no attack on it is let through.

Fifty thousand moves on SQLite, in parts that may be played side by side, and five thousand on PostgreSQL.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.domain import ledger_machine

PARTS, PART = 5, 10_000
ON_POSTGRESQL = 5_000


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_ledger_balances_after_each_of_fifty_thousand_moves(engine: Engine, part: int) -> None:
    ledger_machine.play(engine, PART, begin=part)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_ledger_balances_after_each_of_five_thousand_moves(engine: Engine) -> None:
    ledger_machine.play(engine, ON_POSTGRESQL, begin=PARTS)
