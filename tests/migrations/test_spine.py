"""The first migration: made from the models, with its guards and the house merchant, up and down."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import flask_migrate
from flask import Flask
from sqlalchemy import Engine, func, inspect, select

from domain import database
from migrations import spine
from models import guards
from models.people import Merchant


def test_it_is_what_the_models_say(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.py"
    fresh.write_text(spine.text(), encoding="utf-8")
    settings = Path(spine.__file__).parents[1] / "pyproject.toml"
    shutil.copyfile(settings, tmp_path / "pyproject.toml")
    command = [sys.executable, "-m", "ruff", "format", "--quiet", str(fresh)]
    subprocess.run(command, check=True, cwd=tmp_path)
    said = "run: python -m migrations.spine (only while no installation has run 0001)"
    assert fresh.read_text(encoding="utf-8") == spine.TARGET.read_text(encoding="utf-8"), said


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
