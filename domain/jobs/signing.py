"""The worker's duty to sign the chains: every thousand rows, or five minutes after the last when there is more."""

from __future__ import annotations

from domain import database
from domain.books import chains
from domain.watch import checkpoints


def sign_due() -> int:
    """Sign the chains that have grown enough. Gives how many.

    Writes: as `checkpoints.sign`. Transaction: opens its own, one for each chain that is due.
    """
    with database.reading() as session:
        due = [chain for chain in chains.CHAINS if checkpoints.is_due(session, chain)]
    return sum(_sign(chain) for chain in due)


def _sign(chain: str) -> bool:
    with database.transaction() as session:
        return checkpoints.sign(session, chain) is not None
