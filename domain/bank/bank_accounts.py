"""Our accounts at banks, by the names that the chart knows; whoever writes lines of one takes turns at its row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing
from core.errors import Conflict, invalid
from domain import database
from domain.bank import csv_maps
from domain.bank.csv_maps import CsvMap
from domain.books import accounts
from domain.books.accounts import Account
from models.statements import BankAccount
from providers import registry

LONGEST = 40


def of_name(name: str, *, field: str = "account") -> Account:
    """Give the account of the books that a bank account has.

    Raises: InvalidInput
    """
    found = accounts.named(f"cash:{name}") if len(name) <= LONGEST else None
    if found is None:
        raise invalid(field, "A bank account's name is letters, digits, dots and dashes.")
    return found


def take_turn(session: Session, name: str) -> BankAccount:
    """Lock the row of an account, made at its first use.

    Writes: bank_accounts. Raises: InvalidInput. Transaction: caller's, writing.
    """
    of_name(name)
    dialect = sqlite if database.is_sqlite() else postgresql
    new = {"name": name, "mapping": {}, "created_at": clock.now()}
    session.execute(dialect.insert(BankAccount).values(new).on_conflict_do_nothing())
    own = select(BankAccount).where(BankAccount.name == name)
    locked = own.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).one()


def recognise(row: BankAccount, number: str | None) -> None:
    """Keep the number that a statement names, and refuse the statement of another account.

    Writes: bank_accounts. Raises: Conflict. Transaction: caller's.
    """
    if number is None:
        return
    plain = "".join(number.split()).upper()
    digest = hashing.sha256(plain.encode())
    if row.number_hash is None:
        row.number_hash, row.number_end = digest, plain[-4:]
    elif row.number_hash != digest:
        raise Conflict(
            f"That statement is of another account: {row.name} ends with {row.number_end},"
            f" the statement's with {plain[-4:]}.",
            code="OTHER_ACCOUNT",
        )


def list_all(session: Session) -> Sequence[BankAccount]:
    """List our accounts by name. Transaction: caller's, reads only."""
    return session.scalars(select(BankAccount).order_by(BankAccount.name)).all()


def mapping_of(session: Session, name: str) -> CsvMap | None:
    """Give how an account's CSV files were read last. Transaction: caller's, reads only."""
    row = session.get(BankAccount, name)
    return csv_maps.read(row.mapping) if row is not None and row.mapping else None


def is_live() -> bool:
    """Tell whether our banks hold real money: as soon as one provider moves some."""
    return any(rail.is_configured and rail.mode == "live" for rail in registry.every())
