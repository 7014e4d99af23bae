"""Two-phase postings: money is reserved where it lies, then spent or let go; each reservation ends once.

What is reserved lies in the account's reserved part, so that the account itself says what is free. Both
steps are entries of the journal; the second names the first, and the database lets only one do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound
from core.hashing import Plain
from core.money import Money
from domain import pending
from domain.books import accounts, balances, ledger
from domain.books.accounts import Account
from domain.books.ledger import Movement, Ties
from models.ledger import JournalEntry, LedgerAccount


@dataclass(frozen=True)
class Reservation:
    """What an entry keeps back, of which account."""

    entry_id: str
    account: Account
    amount: Money


def reserve(
    session: Session,
    account: Account,
    amount: Money,
    *,
    source_key: str,
    source: str,
    ties: Ties,
    note: str | None = None,
) -> Reservation:
    """Keep an amount of an account back; two who want the last of it cannot both have it.

    account: of a limited pattern. Writes: journal, account_balances.
    Raises: Conflict AMOUNT_EXCEEDED. Transaction: caller's.
    """
    balances.assert_holds(session, account, amount)
    kept = accounts.reserved(account)
    entry_id = ledger.post(
        session,
        "reserve",
        movements=[_toward(account, kept, amount)],
        source_key=source_key,
        source=source,
        ties=ties,
        note=note,
    )
    return Reservation(entry_id, account, amount)


def _toward(source: Account, target: Account, amount: Money) -> Movement:
    """Move what lies in one account to another of the same side of the books."""
    grows_by_debit = balances.own_side(source.kind) > 0
    return Movement(target, source, amount) if grows_by_debit else Movement(source, target, amount)


def spend(
    session: Session,
    entry_id: str,
    to: Account,
    *,
    kind: str = "spend",
    amount: Money | None = None,
    source_key: str,
    source: str,
    note: str | None = None,
    details: Mapping[str, Plain] | None = None,
) -> str:
    """Give what was reserved to another account; what is left of it is let go. Gives the entry's id.

    amount: all of it unless less is said. Writes: journal, account_balances. Raises: NotFound,
    Conflict when it is over already or more is asked for than was reserved. Transaction: caller's.
    """
    entry, held = _open(session, entry_id)
    spent = amount or held.amount
    if spent.minor > held.amount.minor:
        raise Conflict(
            f"{held.amount.major()} {held.amount.asset.code} is reserved;"
            f" {spent.major()} was asked for.",
            code="AMOUNT_EXCEEDED",
        )
    kept = accounts.reserved(held.account)
    movements = [Movement(kept, to, spent)]
    if left := held.amount.minor - spent.minor:
        movements.append(_toward(kept, held.account, Money(left, spent.asset)))
    return ledger.post(
        session,
        kind,
        movements=movements,
        source_key=source_key,
        source=source,
        ties=ledger.ties_of(entry),
        note=note,
        resolves_id=entry_id,
        details=details,
    )


def void(session: Session, entry_id: str, *, source: str, note: str | None = None) -> str:
    """Let go what was reserved. Gives the entry's id.

    Writes: journal, account_balances. Raises: NotFound, Conflict when it is over already.
    Transaction: caller's.
    """
    entry, held = _open(session, entry_id)
    return ledger.post(
        session,
        "void",
        movements=[_toward(accounts.reserved(held.account), held.account, held.amount)],
        source_key=f"void:{entry_id}",
        source=source,
        ties=ledger.ties_of(entry),
        note=note,
        resolves_id=entry_id,
    )


def _open(session: Session, entry_id: str) -> tuple[JournalEntry, Reservation]:
    """Read a reservation that is not over, and keep others from ending it until the transaction ends."""
    pending.write_rows(session)
    entry = session.get(JournalEntry, entry_id)
    if entry is None or entry.kind != "reserve":
        raise NotFound
    ((debit, credit, amount),) = ledger.movements_of(session, entry_id)
    address = min(debit, credit, key=len)
    row = session.get_one(LedgerAccount, (address, str(amount.asset)))
    account = Account(row.address, row.kind, row.merchant_id)
    over = select(JournalEntry.id).where(JournalEntry.resolves_id == entry_id)
    # The reserved part is locked first: of two who end the same reservation the second sees the first.
    balances.assert_holds(session, accounts.reserved(account), amount)
    if session.scalar(over) is not None:
        raise Conflict("That reservation is over already.")
    return entry, Reservation(entry_id, account, amount)
