"""How migrations run: as the owner role, with timeouts, and with the guards recreated after each upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context
from flask import current_app

import models
from models import guards
from models.base import UtcInstant

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrationScript

    from config import Settings

# A migration that waits for a lock stops everybody who queues behind it: give up early, try again.
LOCK_TIMEOUT, STATEMENT_TIMEOUT = "4s", "60s"
# One migration at a time across the machines of an installation.
TURN = 0x70614D69


def engine_of(url: str) -> sa.Engine:
    """Make the engine that migrates: one connection, on SQLite with our own BEGIN."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _on_connect(connection: Any, _: object) -> None:
            connection.isolation_level = None
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma busy_timeout=15000")

        @sa.event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("begin immediate")

    return engine


def render_item(kind: str, item: object, _: AutogenContext) -> str | bool:
    """Write our column types as what the database knows, so that a migration outlives the models."""
    if kind == "type" and isinstance(item, UtcInstant):
        return "sa.DateTime(timezone=True)"
    return False


def skip_empty(_: object, __: object, scripts: list[MigrationScript]) -> None:
    """Write no migration that changes nothing."""
    upgrade = scripts[0].upgrade_ops
    asked = getattr(context.config.cmd_opts, "autogenerate", False)
    if asked and upgrade is not None and upgrade.is_empty():
        scripts[:] = []


def migrate(connection: sa.Connection) -> None:
    """Run what is due in one transaction and create the guards anew in it."""
    settings: dict[str, Any] = {
        "connection": connection,
        "target_metadata": models.Base.metadata,
        "render_as_batch": connection.dialect.name == "sqlite",
        "compare_type": True,
        "render_item": render_item,
        "process_revision_directives": skip_empty,
    }
    context.configure(**settings)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(sa.text(f"set local statement_timeout = '{STATEMENT_TIMEOUT}'"))
            connection.execute(sa.text("select pg_advisory_xact_lock(:turn)"), {"turn": TURN})
        before = context.get_context().get_current_heads()
        context.run_migrations()
        after = context.get_context().get_current_heads()
        if before != after and after:
            guards.install(connection)


def main() -> None:
    """Connect to the database that the settings name for migrations, and migrate it."""
    settings: Settings = current_app.config["PAYDESK"]
    engine = engine_of(settings.migration_database_url)
    with engine.connect() as connection:
        migrate(connection)
        connection.commit()
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: they recreate its guards. Run them online.")
main()
