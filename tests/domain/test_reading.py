"""Whoever reads in several statements sees one moment, whatever is committed between them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from domain import database
from tests.domain.world import World

TITLE = text("select description from orders where id = :id")


def test_what_is_committed_between_two_statements_of_a_reader_is_not_seen_by_the_second(
    world: World,
) -> None:
    order = world.order()
    with database.reading() as session:
        before = session.scalar(TITLE, {"id": order.id})
        change = text("update orders set description = 'renamed' where id = :id")
        with database.engine().begin() as other:
            other.execute(change, {"id": order.id})
        assert session.scalar(TITLE, {"id": order.id}) == before != "renamed"
    with database.reading() as session:
        assert session.scalar(TITLE, {"id": order.id}) == "renamed"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_writer_that_gets_the_readers_connection_sees_what_others_commit(world: World) -> None:
    order = world.order()
    # The pool holds nothing but what the reader gives back.
    database.engine().dispose()
    with database.reading() as session:
        session.scalar(TITLE, {"id": order.id})
    with database.transaction() as session:
        assert session.scalar(text("show transaction_isolation")) == "read committed"
