"""Add delays: notices about late rails, and deposit deadlines moved in bulk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deadline_extensions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("hours", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "wanted",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undoable_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.String(length=64), nullable=True),
        sa.Column("undone_reason", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("hours between 1 and 720", name=op.f("ck_deadline_extensions_hours")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_extensions")),
        sa.UniqueConstraint("reference", name=op.f("uq_deadline_extensions_reference")),
    )
    with op.batch_alter_table("deadline_extensions", schema=None) as batch_op:
        batch_op.create_index("ix_deadline_extensions_at_id", ["at", "id"], unique=False)

    op.create_table(
        "delay_notices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("rail", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("eta_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "retry_window_hours",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('delay', 'outage')", name=op.f("ck_delay_notices_kind")),
        sa.CheckConstraint(
            "(closed_at is null) = (open_key is not null)", name=op.f("ck_delay_notices_open")
        ),
        sa.CheckConstraint(
            "retry_window_hours between 1 and 720", name=op.f("ck_delay_notices_window")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delay_notices")),
        sa.UniqueConstraint("open_key", name=op.f("uq_delay_notices_open_key")),
    )
    with op.batch_alter_table("delay_notices", schema=None) as batch_op:
        batch_op.create_index("ix_delay_notices_opened_at_id", ["opened_at", "id"], unique=False)

    op.create_table(
        "extended_orders",
        sa.Column("extension_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("payment_from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why_not", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["extension_id"],
            ["deadline_extensions.id"],
            name=op.f("fk_extended_orders_extension_id_deadline_extensions"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_extended_orders_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("extension_id", "order_id", name=op.f("pk_extended_orders")),
    )
    with op.batch_alter_table("extended_orders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_extended_orders_order_id"), ["order_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("extended_orders", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_extended_orders_order_id"))

    op.drop_table("extended_orders")
    with op.batch_alter_table("delay_notices", schema=None) as batch_op:
        batch_op.drop_index("ix_delay_notices_opened_at_id")

    op.drop_table("delay_notices")
    with op.batch_alter_table("deadline_extensions", schema=None) as batch_op:
        batch_op.drop_index("ix_deadline_extensions_at_id")

    op.drop_table("deadline_extensions")
