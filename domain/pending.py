"""What a transaction writes at its end: inserts and updates kept back and sent per table, not per row.

A batch of events costs one round trip per table and kind of change, whatever its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from sqlalchemy import Executable, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import LostRace
from models.base import Base

Row = dict[str, object]
# The table, the columns that must still say what they said, the columns that change.
Shape = tuple[type[Base], tuple[str, ...], tuple[str, ...]]
# Rows that somebody else may have written first, and that then stand as they are.
MAY_EXIST = frozenset({"ledger_accounts", "provider_references"})


def later(session: Session, table: type[Base], row: Row) -> None:
    """Keep a row to be inserted just before the commit, all rows of a table in one statement.

    Writes: the table, at commit. Transaction: caller's.
    """
    kept: dict[type[Base], list[Row]] = session.info.setdefault("rows", {})
    kept.setdefault(table, []).append(row)


@dataclass
class Change:
    """All that is kept for one row: what it must still say, and what it shall say."""

    held: Row
    new: Row


def later_update(
    session: Session, table: type[Base], *, held: Mapping[str, object], new: Mapping[str, object]
) -> None:
    """Keep an update of one locked row; at the end it must still find the row as `held` says.

    What is kept for the same row becomes one update: updates are sent by shape, not in the order in
    which they came, and an earlier one must never be written over a later one.
    held: column → value before, the primary key among them. Writes: the table, at commit.
    Raises: LostRace, here or at commit. Transaction: caller's.
    """
    changes: dict[tuple[type[Base], object], Change] = session.info.setdefault("updates", {})
    named = tuple(held[name] for name in _key_of(table))
    change = changes.setdefault((table, named), Change({}, {}))
    for name, value in held.items():
        if name not in change.new:
            change.held.setdefault(name, value)
        elif change.new[name] != value:
            raise LostRace
    change.new |= new


def add(session: Session, table: type[Base], key: tuple[str, ...], minor: int) -> None:
    """Keep an amount to be added to `balance_minor` of the row with this key, which may not be there yet.

    Writes: the table, at commit. Transaction: caller's.
    """
    sums: dict[type[Base], dict[tuple[str, ...], int]] = session.info.setdefault("sums", {})
    of_table = sums.setdefault(table, {})
    of_table[key] = of_table.get(key, 0) + minor


def is_kept(session: Session, table: type[Base], row: Row) -> bool:
    """Tell whether a row that `later` was given is not written yet, so that it can still be changed."""
    kept: dict[type[Base], list[Row]] = session.info.get("rows", {})
    return any(each is row for each in kept.get(table, []))


def kept_rows(session: Session, table: type[Base]) -> list[Row]:
    """List the rows that `later` keeps for a table, and those it wrote already."""
    kept: dict[type[Base], list[Row]] = session.info.get("rows", {})
    written: dict[type[Base], list[Row]] = session.info.get("written", {})
    return written.get(table, []) + kept.get(table, [])


@cache
def _places() -> dict[str, int]:
    places = {table.name: no for no, table in enumerate(Base.metadata.sorted_tables)}
    # The seal closes its entry, so it comes after the postings although they do not refer to it.
    places["journal_seals"] = len(places)
    return places


def _place(model: type[Base]) -> int:
    return _places()[model.__tablename__]


def write_rows(session: Session) -> None:
    """Send what is kept: updates first, then inserts, parents before children.

    Writes: whatever was kept. Raises: LostRace, IntegrityError. Transaction: caller's.
    """
    for (model, held, new), rows in _by_shape(session.info.pop("updates", {})).items():
        done = session.connection().execute(_update_of(model, held, new), rows)
        if done.rowcount != len(rows):
            raise LostRace
    kept: dict[type[Base], list[Row]] = session.info.pop("rows", {})
    written = session.info.setdefault("written", {})
    for model in sorted(kept, key=_place):
        if model.__tablename__ in MAY_EXIST:
            _insert_missing(session, model, kept[model])
        else:
            _send(session, _insert_of(model), _by_column(model, kept[model]))
        written.setdefault(model, []).extend(kept[model])
    sums: dict[type[Base], dict[tuple[str, ...], int]] = session.info.pop("sums", {})
    for model in sorted(sums, key=_place):
        _add_up(session, model, sums[model])


def _by_shape(changes: Mapping[tuple[type[Base], object], Change]) -> dict[Shape, list[Row]]:
    found: dict[Shape, list[Row]] = {}
    for (model, _), change in changes.items():
        values = {f"old_{name}": value for name, value in change.held.items()}
        values |= {f"new_{name}": value for name, value in change.new.items()}
        shape = (model, tuple(sorted(change.held)), tuple(sorted(change.new)))
        found.setdefault(shape, []).append(values)
    return found


def _send(session: Session, statement: Executable, rows: Sequence[Row]) -> None:
    """Send rows in one statement; a single one by itself, which is cheaper for the driver than many of one."""
    session.connection().execute(statement, rows[0] if len(rows) == 1 else rows)


@cache
def _insert_of(model: type[Base]) -> Executable:
    return insert(_table(model))


def _table(model: type[Base]) -> Table:  # type: ignore[explicit-any]  # it has a default of Any
    return Base.metadata.tables[model.__tablename__]


@cache
def _key_of(model: type[Base]) -> tuple[str, ...]:
    return tuple(column.name for column in _table(model).primary_key)


@cache
def _renamed(model: type[Base]) -> dict[str, str]:
    """Attributes whose column has another name, such as `meta` for `metadata`."""
    mapper = model.__mapper__
    return {
        prop.key: prop.columns[0].name
        for prop in mapper.column_attrs
        if prop.key != prop.columns[0].name
    }


def _by_column(model: type[Base], rows: Sequence[Row]) -> list[Row]:
    renamed = _renamed(model)
    if not renamed:
        return list(rows)
    return [{renamed.get(name, name): value for name, value in row.items()} for row in rows]


@lru_cache(maxsize=256)
def _update_of(model: type[Base], held: tuple[str, ...], new: tuple[str, ...]) -> Executable:
    table = _table(model)
    where = [table.c[name] == bindparam(f"old_{name}") for name in held]
    return update(table).where(*where).values({name: bindparam(f"new_{name}") for name in new})


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


def _add_up(session: Session, model: type[Base], sums: Mapping[tuple[str, ...], int]) -> None:
    """Add to balances, in one order for all writers; a row that is not there begins with its first sum."""
    rows: list[Row] = [
        dict(zip(_key_of(model), place, strict=True)) | {"balance_minor": minor, "version": 1}
        for place, minor in sorted(sums.items())
        if minor
    ]
    if rows:
        _send(session, _adding_of(model, _dialect(session)), rows)


# Statements are made once: making one costs as much as sending it.
@cache
def _adding_of(model: type[Base], dialect: str) -> Executable:
    table = _table(model)
    insert_into = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    statement: Executable = insert_into.on_conflict_do_update(
        index_elements=list(_key_of(model)),
        set_={
            "balance_minor": table.c.balance_minor + insert_into.excluded.balance_minor,
            "version": table.c.version + 1,
        },
    )
    return statement


def _insert_missing(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Insert what is not there, in one order for all writers, so that two cannot deadlock."""
    unique = {tuple(str(row[name]) for name in _key_of(model)): row for row in rows}
    _send(
        session, _missing_of(model, _dialect(session)), [unique[place] for place in sorted(unique)]
    )


@cache
def _missing_of(model: type[Base], dialect: str) -> Executable:
    own = sqlite if dialect == "sqlite" else postgresql
    statement: Executable = own.insert(_table(model)).on_conflict_do_nothing()
    return statement
