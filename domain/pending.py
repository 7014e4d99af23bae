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
    held: column → value before, the id among them. Writes: the table, at commit.
    Raises: LostRace, here or at commit. Transaction: caller's.
    """
    changes: dict[tuple[type[Base], object], Change] = session.info.setdefault("updates", {})
    change = changes.setdefault((table, held["id"]), Change({}, {}))
    for name, value in held.items():
        if name not in change.new:
            change.held.setdefault(name, value)
        elif change.new[name] != value:
            raise LostRace
    change.new |= new


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
            session.connection().execute(insert(_table(model)), _by_column(model, kept[model]))
        written.setdefault(model, []).extend(kept[model])


def _by_shape(changes: Mapping[tuple[type[Base], object], Change]) -> dict[Shape, list[Row]]:
    found: dict[Shape, list[Row]] = {}
    for (model, _), change in changes.items():
        values = {f"old_{name}": value for name, value in change.held.items()}
        values |= {f"new_{name}": value for name, value in change.new.items()}
        shape = (model, tuple(sorted(change.held)), tuple(sorted(change.new)))
        found.setdefault(shape, []).append(values)
    return found


def _table(model: type[Base]) -> Table:  # type: ignore[explicit-any]  # it has a default of Any
    return Base.metadata.tables[model.__tablename__]


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


def _insert_missing(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Insert what is not there, in one order for all writers, so that two cannot deadlock."""
    table = _table(model)
    key = [column.name for column in table.primary_key]
    unique = {tuple(str(row[name]) for name in key): row for row in rows}
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).on_conflict_do_nothing()
    session.connection().execute(statement, [unique[place] for place in sorted(unique)])
