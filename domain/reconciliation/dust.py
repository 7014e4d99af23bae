"""Residues too small to ask anybody for: within a provider's tolerance they go to its dust account.

A residue comes of scales and rates, never of a payer: who pays too little by more is asked for the rest.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Conflict
from core.money import Money
from domain.books import accounts, ledger
from domain.books.accounts import Account
from domain.transitions import Why


def is_dust(residue: Money, tolerance: Money) -> bool:
    """Tell whether a residue, of either sign, is within a tolerance. Raises: ValueError across assets."""
    return residue.minor != 0 and not tolerance < Money(abs(residue.minor), residue.asset)


def book(
    session: Session,
    residue: Money,
    *,
    tolerance: Money,
    against: Account,
    ties: ledger.Ties,
    key: str,
    why: Why,
) -> str:
    """Post a residue against the account that has it too much, or lacks it. Gives the entry's id.

    residue: more than nothing when `against` holds too much of what it owes; it becomes income of ours.
    Less than nothing when it lacks some, which we bear. ties: with payment and reference, as the kind
    asks. key: the permanent key of the fact that left it.
    Writes: journal. Raises: Conflict when it is more than the tolerance. Transaction: caller's.
    """
    if not is_dust(residue, tolerance):
        amount = f"{residue.major()} {residue.asset.code}"
        raise Conflict(f"{amount} is more than dust; {tolerance.major()} is.", code="NOT_DUST")
    if ties.provider is None:
        raise ValueError("dust is a provider's")
    dust = accounts.dust(ties.provider)
    debit, credit = (against, dust) if residue.minor > 0 else (dust, against)
    amount_moved = Money(abs(residue.minor), residue.asset)
    return ledger.post(
        session,
        "dust",
        movements=[ledger.Movement(debit, credit, amount_moved)],
        source_key=f"dust:{key}",
        source=why.source,
        ties=ties,
        note=why.reason,
        details={"tolerance": str(tolerance.minor)},
    )
