"""The migrations lead up and down again, with their guards and the house merchant."""

from __future__ import annotations

import flask_migrate
from flask import Flask
from sqlalchemy import Engine, func, inspect, select

from domain import database
from models import guards
from models.people import Merchant


def test_an_upgraded_database_has_every_guard_and_one_house(engine: Engine) -> None:
    with engine.connect() as connection:
        assert guards.missing(connection) == []
        statement = select(func.count()).where(Merchant.is_house)
        assert connection.scalar(statement) == 1


def test_down_and_up_again_leads_to_the_same(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert set(inspect(database.engine()).get_table_names()) <= {"alembic_version"}
        flask_migrate.upgrade()
    with database.engine().connect() as connection:
        assert guards.missing(connection) == []
        assert connection.scalar(select(func.count()).select_from(Merchant)) == 1
