"""Whatever of a closing is changed past all guards, verification names it; what guards stand for, none changes."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from domain.books import chains, verification
from models import guards
from models.base import Base
from models.ledger import JournalEntry
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.closing_months import (
    NOVEMBER,
    OCTOBER,
    agreed,
    asked_to_reopen,
    at,
    posted,
    prepared,
)
from tests.domain.tampering import other, rolled_back
from tests.domain.world import World

# What a closing may still gain, and whose hash the audit log keeps instead.
PRINTED = {"certificate", "certificate_due_at", "certificate_attempts", "certificate_error"}
UNPROVED = {
    # Written once, by the first who asked, and never read again.
    "periods": {"created_at", "updated_at"},
    "period_closings": PRINTED,
    "period_balances": set[str](),
}
KEYS = {
    "periods": {"id"},
    "period_closings": {"id", "period_id"},
    "period_balances": {"closing_id"},
}


# What a finding calls a row by.
NAMED = {
    "periods": ("id",),
    "period_closings": ("id", "period_id"),
    "period_balances": ("address", "asset"),
}


@pytest.fixture
def closed(world: World, staff: Staff, engine: Engine) -> Engine:
    """October closed, reopened and closed again with late facts, and November closed."""
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        prepared(OCTOBER)
        time.closed(OCTOBER, staff.fin, staff.flo)
        posted(3, took_effect="2026-10-09")
        agreed(asked_to_reopen(OCTOBER, staff.fin), staff.ada)
        posted(4, took_effect="2026-10-10", order="ord_2")
        time.closed(OCTOBER, staff.flo, staff.fin)
    with at("2026-12-02"):
        prepared(NOVEMBER)
        time.closed(NOVEMBER, staff.flo, staff.fin)
        chains.link_all()
    return engine


CHECKS = ("periods", "period_closings", "period_snapshots", "entry_months", "certificates")


def found_in(session: Session) -> list[str]:
    return [bad for name in CHECKS for bad in verification.CHECKS[name](session) if bad]


def changed(column: Column[object], value: object) -> object:
    if isinstance(value, list):
        return [{"item": "cases"}]
    return other(value, column)


def chosen(session: Session, name: str) -> list[dict[str, object]]:
    """Choose one row of each kind: of closings one that stands and one that was reopened."""
    rows = [dict(row) for row in session.execute(Base.metadata.tables[name].select()).mappings()]
    by_kind = {row.get("reopened_at") is None: row for row in rows}
    return list(by_kind.values())


def test_each_word_and_number_of_a_closing_is_answered_for(closed: Engine) -> None:
    missed, tried = [], 0
    with Session(closed) as session:
        assert found_in(session) == []
        for name, unproved in UNPROVED.items():
            table = Base.metadata.tables[name]
            for row in chosen(session, name):
                where = [key == row[key.name] for key in table.primary_key]
                for column in table.columns:
                    if column.name in unproved | KEYS[name]:
                        continue
                    value = changed(column, row[column.name])
                    with rolled_back(session):
                        try:
                            session.execute(
                                update(table).where(*where).values({column.name: value})
                            )
                        except DBAPIError:
                            continue  # a CHECK knew better
                        problems = found_in(session)
                    tried += 1
                    if not any(str(row[key]) in bad for key in NAMED[name] for bad in problems):
                        missed.append(f"{name}.{column.name}: {problems}")
                with rolled_back(session):
                    session.execute(delete(table).where(*where))
                    problems = found_in(session)
                if not any(str(row[key]) in bad for key in NAMED[name] for bad in problems):
                    missed.append(f"{name} deleted: {problems}")
        assert missed == []
        assert tried > 40
        late = select(JournalEntry.id).where(JournalEntry.late_of == OCTOBER)
        slipped = said_after(session, session.scalars(late).first(), OCTOBER)
        assert any(OCTOBER in bad and "said to have closed" in bad for bad in slipped), slipped
        any_entry = session.scalars(select(JournalEntry.id)).first()
        moved = said_after(session, any_entry, "2027-03")
        assert any(str(any_entry) in bad for bad in moved), moved
        assert found_in(session) == []


def said_after(session: Session, entry_id: str | None, period: str) -> list[str]:
    """Say what is found once an entry is moved to another month."""
    with rolled_back(session):
        moved = update(JournalEntry).where(JournalEntry.id == entry_id)
        session.execute(moved.values(period=period, late_of=None))
        return found_in(session)


def test_the_database_itself_refuses_to_change_a_closing(closed: Engine) -> None:
    table = Base.metadata.tables["period_closings"]
    allowed = PRINTED | {"certificate_sha256"}
    for column in table.columns:
        if column.name in allowed or column.name.startswith("reopen"):
            continue
        with closed.connect() as connection:
            row = connection.execute(table.select()).mappings().first()
            assert row is not None
            value = row[column.name]
            new = changed(column, value)
            with pytest.raises(DBAPIError):
                connection.execute(
                    update(table).where(table.c.id == row["id"]).values({column.name: new})
                )
            connection.rollback()
    for statement in (
        "delete from period_closings",
        "update period_closings set reopen_reason = 'other' where reopened_at is not null",
        "update period_closings set reopened_at = null where reopened_at is not null",
    ):
        with closed.connect() as connection, pytest.raises(DBAPIError):
            connection.execute(text(statement))
    with closed.begin() as connection:
        connection.execute(text("update period_closings set certificate_error = 'no ink'"))
        assert guards.missing(connection) == []
