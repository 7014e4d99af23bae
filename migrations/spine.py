"""Writes migration 0001 anew from the models, while no installation has run it: `python -m migrations.spine`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import DropTableOp

import models
from models.base import UtcInstant

VERSIONS = Path(__file__).parent / "versions"
TARGET = VERSIONS / "0001_create_the_spine.py"
# What autogenerate writes → the short names defined at the top of the migration.
SHORT = {
    "sa.BigInteger().with_variant(sa.Integer(), 'sqlite')": "WHOLE",
    "sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), 'postgresql')": "DOCUMENT",
    "sa.DateTime(timezone=True)": "INSTANT",
}
HEAD = '''"""Create the spine: people, orders, payments, the inbox, operations, the ledger, events, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from core import clock, ids

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:  # noqa: PLR0915  # one list of tables
'''
SEED = '''

def seed_house() -> None:
    """Add the house merchant, which owns what has no other, unless there is one."""
    merchants = sa.table(
        "merchants", *(sa.column(name) for name in ("id", "name", "slug", "state", "kyc")),
        sa.column("is_house", sa.Boolean()), sa.column("created_at", INSTANT),
    )
    connection = op.get_bind()
    if connection.scalar(sa.select(merchants.c.id).where(merchants.c.is_house)) is None:
        at = clock.now()
        house = {"id": ids.new("mer"), "name": "House", "slug": "house", "state": "approved"}
        house |= {"kyc": "approved", "is_house": True}
        sqlite = connection.dialect.name == "sqlite"
        house["created_at"] = at.replace(tzinfo=None) if sqlite else at
        op.execute(merchants.insert().values(house))
'''


def _render(kind: str, item: object, _: object) -> str | bool:
    return "INSTANT" if kind == "type" and isinstance(item, UtcInstant) else False


def _short(code: str) -> str:
    for long, name in SHORT.items():
        code = code.replace(long, name)
    return re.sub(r"^ *# ### .*$\n?", "", code, flags=re.MULTILINE)


def text() -> str:
    """Compare the models with an empty database and write the difference as a migration."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        options = {"render_item": _render, "target_metadata": models.Base.metadata}
        context = MigrationContext.configure(connection, opts=options)
        script = produce_migrations(context, models.Base.metadata)
        assert script.upgrade_ops is not None  # an empty database always differs
        assert script.downgrade_ops is not None
        up = render_python_code(script.upgrade_ops, render_item=_render, migration_context=context)
        # The indexes go with their tables.
        tables = [each for each in script.downgrade_ops.ops if isinstance(each, DropTableOp)]
        script.downgrade_ops.ops = list(tables)
        down = render_python_code(
            script.downgrade_ops, render_item=_render, migration_context=context
        )
    body = f"{HEAD}    {_short(up).strip()}\n    seed_house()\n{SEED}\n\ndef downgrade() -> None:\n"
    return body + "    " + _short(down).strip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    (Path(__file__).parent / ".head").write_text("0001\n", encoding="ascii")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(TARGET)], check=True)
