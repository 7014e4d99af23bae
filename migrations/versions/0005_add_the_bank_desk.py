"""Add the bank desk: accounts at banks, their statements and lines, references of bank transfers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from core import ids
from core.bank_references import key_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By hand: begin
# Payouts that people had found at the bank already: what they typed of its lines becomes rows.
_FOUND = sa.text(
    """select p.*, e.details, e.note, e.effective_at from provider_payouts p
  left join journal_entries e on e.id = p.entry_id
  where p.matched_at is not null order by p.id"""
).columns(
    details=sa.JSON(),
    created_at=sa.DateTime(timezone=True),
    matched_at=sa.DateTime(timezone=True),
    effective_at=sa.DateTime(timezone=True),
)


def _instant(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _line(row: Any) -> dict[str, object]:
    said = (row.details or {}).get("bookedOn")
    booked_on = date.fromisoformat(said) if said else _instant(row.effective_at).date()
    return {
        "id": ids.new("bln"),
        "account": row.bank_account,
        "no": 0,
        "line_key": row.bank_line,
        "bank_reference": row.bank_line,
        "booked_on": booked_on,
        "asset": row.asset,
        "amount_minor": row.matched_minor,
        "reference": row.bank_line,
        "reference_key": key_of(row.bank_line),
        "state": "matched",
        "payout_id": row.id,
        "match_no": 1,
        "matched_by": row.matched_by,
        "matched_at": _instant(row.matched_at),
        "note": row.note,
        "entry_id": row.entry_id,
        "livemode": bool(row.livemode),
        "demo": bool(row.demo),
        "created_at": _instant(row.matched_at),
    }


def _write_lines() -> None:
    connection = op.get_bind()
    found = [_line(row) for row in connection.execute(_FOUND)]
    metadata = sa.MetaData()
    accounts = sa.Table("bank_accounts", metadata, autoload_with=connection)
    lines = sa.Table("bank_lines", metadata, autoload_with=connection)
    for name in sorted({str(row["account"]) for row in found}):
        first = min(row["created_at"] for row in found if row["account"] == name)  # type: ignore[type-var]
        new = {"name": name, "mapping": {}, "created_at": first}
        connection.execute(accounts.insert().values(new))
    if found:
        connection.execute(lines.insert(), found)


# By hand: end


def upgrade() -> None:
    op.create_table(
        "bank_accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("number_hash", sa.String(length=64), nullable=True),
        sa.Column("number_end", sa.String(length=32), nullable=True),
        sa.Column(
            "mapping",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bank_accounts")),
    )
    op.create_table(
        "bank_drafts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_drafts")),
    )
    with op.batch_alter_table("bank_drafts", schema=None) as batch_op:
        batch_op.create_index("ix_bank_drafts_made_at", ["made_at"], unique=False)

    op.create_table(
        "bank_statements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "opening_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "closing_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("lines", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("imported_by", sa.String(length=40), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint("format in ('camt053', 'csv')", name=op.f("ck_bank_statements_format")),
        sa.CheckConstraint(
            "(opening_minor is null) = (closing_minor is null)",
            name=op.f("ck_bank_statements_balances"),
        ),
        sa.CheckConstraint("from_on <= to_on", name=op.f("ck_bank_statements_days")),
        sa.ForeignKeyConstraint(
            ["account"],
            ["bank_accounts.name"],
            name=op.f("fk_bank_statements_account_bank_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statements")),
        sa.UniqueConstraint("file_sha256", name=op.f("uq_bank_statements_file_sha256")),
    )
    with op.batch_alter_table("bank_statements", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bank_statements_account_to_on", ["account", "to_on"], unique=False
        )
        batch_op.create_index(
            "ix_bank_statements_imported_at_id", ["imported_at", "id"], unique=False
        )

    op.create_table(
        "bank_lines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("statement_id", sa.String(length=40), nullable=True),
        sa.Column("no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line_key", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=True),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("end_to_end_id", sa.Text(), nullable=True),
        sa.Column("reference_key", sa.Text(), nullable=False),
        sa.Column("counterparty_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("payout_id", sa.String(length=40), nullable=True),
        sa.Column("refund_id", sa.String(length=40), nullable=True),
        sa.Column("match_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("matched_by", sa.String(length=40), nullable=True),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("entry_id", sa.String(length=40), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(case when payment_id is null then 0 else 1 end + case when payout_id is null then 0 else 1 end + case when refund_id is null then 0 else 1 end) = case when state = 'matched' then 1 else 0 end",
            name=op.f("ck_bank_lines_shows_one"),
        ),
        sa.CheckConstraint(
            "(state = 'matched') = (matched_at is not null)", name=op.f("ck_bank_lines_matched")
        ),
        sa.CheckConstraint(
            "state in ('unmatched', 'suggested', 'matched')", name=op.f("ck_bank_lines_state")
        ),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_bank_lines_amount")),
        sa.ForeignKeyConstraint(
            ["account"], ["bank_accounts.name"], name=op.f("fk_bank_lines_account_bank_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_bank_lines_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(
            ["payout_id"],
            ["provider_payouts.id"],
            name=op.f("fk_bank_lines_payout_id_provider_payouts"),
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("fk_bank_lines_refund_id_refunds")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["bank_statements.id"],
            name=op.f("fk_bank_lines_statement_id_bank_statements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_lines")),
        sa.UniqueConstraint("account", "line_key", name=op.f("uq_bank_lines_account_line_key")),
        sa.UniqueConstraint("payout_id", name=op.f("uq_bank_lines_payout_id")),
    )
    with op.batch_alter_table("bank_lines", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bank_lines_account_bank_reference", ["account", "bank_reference"], unique=False
        )
        batch_op.create_index("ix_bank_lines_amount_minor", ["amount_minor"], unique=False)
        batch_op.create_index("ix_bank_lines_booked_on", ["booked_on"], unique=False)
        batch_op.create_index("ix_bank_lines_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_bank_lines_looked_at", ["looked_at"], unique=False)
        batch_op.create_index("ix_bank_lines_payment_id", ["payment_id"], unique=False)
        batch_op.create_index("ix_bank_lines_refund_id", ["refund_id"], unique=False)
        batch_op.create_index(
            "ix_bank_lines_state_created_at_id", ["state", "created_at", "id"], unique=False
        )
        batch_op.create_index("ix_bank_lines_statement_id", ["statement_id"], unique=False)

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bank_reference", sa.Text(), nullable=True))
        batch_op.create_index("ix_payments_bank_reference", ["bank_reference"], unique=False)

    _write_lines()  # by hand


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("ix_payments_bank_reference")
        batch_op.drop_column("bank_reference")

    with op.batch_alter_table("bank_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_bank_lines_statement_id")
        batch_op.drop_index("ix_bank_lines_state_created_at_id")
        batch_op.drop_index("ix_bank_lines_refund_id")
        batch_op.drop_index("ix_bank_lines_payment_id")
        batch_op.drop_index("ix_bank_lines_looked_at")
        batch_op.drop_index("ix_bank_lines_created_at_id")
        batch_op.drop_index("ix_bank_lines_booked_on")
        batch_op.drop_index("ix_bank_lines_amount_minor")
        batch_op.drop_index("ix_bank_lines_account_bank_reference")

    op.drop_table("bank_lines")
    with op.batch_alter_table("bank_statements", schema=None) as batch_op:
        batch_op.drop_index("ix_bank_statements_imported_at_id")
        batch_op.drop_index("ix_bank_statements_account_to_on")

    op.drop_table("bank_statements")
    with op.batch_alter_table("bank_drafts", schema=None) as batch_op:
        batch_op.drop_index("ix_bank_drafts_made_at")

    op.drop_table("bank_drafts")
    op.drop_table("bank_accounts")
