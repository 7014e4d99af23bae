"""A list of values of any length is asked for in one statement, on both databases."""

from __future__ import annotations

from sqlalchemy import select

from domain import database
from models.payments import Payment
from tests.domain.world import World

# More than SQLite takes as parameters of one statement.
MANY = 40_000


def test_a_column_is_held_against_more_values_than_a_statement_takes(world: World) -> None:
    wanted, other = world.payment(), world.payment()
    names = [f"pay_{number}" for number in range(MANY)] + [wanted.id, 'a "quoted" one']
    with database.reading() as session:
        named = select(Payment.id).where(database.is_one_of(Payment.id, names))
        assert session.scalars(named).all() == [wanted.id]
        sums = database.is_one_of(Payment.amount_minor, [*range(MANY)])
        assert {*session.scalars(select(Payment.id).where(sums))} == {wanted.id, other.id}
        assert (
            session.scalars(select(Payment.id).where(database.is_one_of(Payment.id, []))).all()
            == []
        )
