"""The worker's look at bank lines: what a payout, payment or refund that came later explains is suggested."""

from __future__ import annotations

from domain import database
from domain.bank import looking


def look_again() -> bool:
    """Hold a batch of lines against what is open now. Gives whether there may be more.

    Writes: bank_lines. Transaction: opens its own.
    """
    with database.transaction() as session:
        return looking.look_again(session) >= looking.BATCH
