"""Add control of money: approvals, freezes, refunds, proofs of people, the exception desk, secrets in use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("rail", sa.String(length=32), nullable=True),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("asset", sa.String(length=32), nullable=True),
        sa.Column("destination", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "details",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.String(length=40), nullable=False),
        sa.Column("requested_kind", sa.String(length=32), nullable=False),
        sa.Column("requested_person", sa.String(length=64), nullable=False),
        sa.Column("requested_fresh", sa.Boolean(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=40), nullable=True),
        sa.Column("decided_person", sa.String(length=64), nullable=True),
        sa.Column("decided_reason", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "result",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint("state = 'pending' or open_key is null", name=op.f("ck_approvals_open")),
        sa.CheckConstraint(
            "state in ('pending', 'approved', 'executed', 'refused', 'expired', 'cancelled')",
            name=op.f("ck_approvals_state"),
        ),
        sa.CheckConstraint(
            "state not in ('approved', 'executed') or (decided_by is not null and decided_person is not null and decided_by <> requested_by and decided_person <> requested_person)",
            name=op.f("ck_approvals_two_people"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("open_key", name=op.f("uq_approvals_open_key")),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index("ix_approvals_object_id", ["object_id"], unique=False)
        batch_op.create_index("ix_approvals_payment_id", ["payment_id"], unique=False)
        batch_op.create_index("ix_approvals_requested_at_id", ["requested_at", "id"], unique=False)
        batch_op.create_index("ix_approvals_requested_by", ["requested_by"], unique=False)
        batch_op.create_index(
            "ix_approvals_state_requested_at_id", ["state", "requested_at", "id"], unique=False
        )

    op.create_table(
        "attachments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("live_key", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by", sa.String(length=40), nullable=True),
        sa.Column("removed_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("live_key", name=op.f("uq_attachments_live_key")),
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index("ix_attachments_object_id_at", ["object_id", "at"], unique=False)

    op.create_table(
        "case_rules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column(
            "conditions",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column(
            "backtest",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.String(length=40), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("enabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_id", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_rules")),
        sa.UniqueConstraint("open_key", name=op.f("uq_case_rules_open_key")),
    )
    with op.batch_alter_table("case_rules", schema=None) as batch_op:
        batch_op.create_index("ix_case_rules_kind_state", ["kind", "state"], unique=False)

    op.create_table(
        "case_targets",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("hours", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("clock", sa.String(length=32), nullable=False),
        sa.Column("set_by", sa.String(length=40), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("clock in ('business', 'always')", name=op.f("ck_case_targets_clock")),
        sa.CheckConstraint("hours > 0", name=op.f("ck_case_targets_hours")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_case_targets")),
    )
    op.create_table(
        "challenges",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenges")),
    )
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.create_index("ix_challenges_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "controls",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column(
            "value",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_controls")),
    )
    op.create_table(
        "credential_uses",
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "hour", name=op.f("pk_credential_uses")),
    )
    op.create_table(
        "freezes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("engaged_by", sa.String(length=64), nullable=False),
        sa.Column("engaged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "lifted_by",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("approval_id", sa.String(length=40), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(scope = 'all') = (scope_id = '')", name=op.f("ck_freezes_scope_id")),
        sa.CheckConstraint(
            "(state = 'active') = (open_key is not null)", name=op.f("ck_freezes_open")
        ),
        sa.CheckConstraint(
            "scope in ('all', 'rail', 'merchant', 'order')", name=op.f("ck_freezes_scope")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freezes")),
        sa.UniqueConstraint("open_key", name=op.f("uq_freezes_open_key")),
    )
    with op.batch_alter_table("freezes", schema=None) as batch_op:
        batch_op.create_index("ix_freezes_engaged_at_id", ["engaged_at", "id"], unique=False)
        batch_op.create_index(
            "ix_freezes_state_engaged_at_id", ["state", "engaged_at", "id"], unique=False
        )

    op.create_table(
        "mails",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("to_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'sent', 'failed', 'dead')", name=op.f("ck_mails_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index("ix_mails_due_at", ["due_at"], unique=False)
        batch_op.create_index("ix_mails_user_id", ["user_id"], unique=False)

    op.create_table(
        "reencryptions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("master_kid", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column(
            "place",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("done", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("started_by", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reencryptions")),
        sa.UniqueConstraint("open_key", name=op.f("uq_reencryptions_open_key")),
    )
    op.create_table(
        "case_notes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["exception_cases.id"], name=op.f("fk_case_notes_case_id_exception_cases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_notes")),
        sa.UniqueConstraint(
            "case_id", "actor", "text_hash", name=op.f("uq_case_notes_case_id_actor_text_hash")
        ),
    )
    with op.batch_alter_table("case_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_notes_case_id"), ["case_id"], unique=False)

    op.create_table(
        "case_rule_uses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("rule_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_by", sa.String(length=40), nullable=True),
        sa.Column("reversed_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["exception_cases.id"],
            name=op.f("fk_case_rule_uses_case_id_exception_cases"),
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["case_rules.id"], name=op.f("fk_case_rule_uses_rule_id_case_rules")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_rule_uses")),
        sa.UniqueConstraint("case_id", name=op.f("uq_case_rule_uses_case_id")),
    )
    with op.batch_alter_table("case_rule_uses", schema=None) as batch_op:
        batch_op.create_index(
            "ix_case_rule_uses_kind_reversed_at", ["kind", "reversed_at"], unique=False
        )
        batch_op.create_index("ix_case_rule_uses_rule_id_at", ["rule_id", "at"], unique=False)

    op.create_table(
        "case_rule_versions",
        sa.Column("rule_id", sa.String(length=40), nullable=False),
        sa.Column(
            "version",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "conditions",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "backtest",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("drafted_by", sa.String(length=40), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["case_rules.id"], name=op.f("fk_case_rule_versions_rule_id_case_rules")
        ),
        sa.PrimaryKeyConstraint("rule_id", "version", name=op.f("pk_case_rule_versions")),
    )
    op.create_table(
        "account_links",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('invite', 'reset')", name=op.f("ck_account_links_kind")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_account_links_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_links_token_hash")),
    )
    with op.batch_alter_table("account_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_links_user_id"), ["user_id"], unique=False)

    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("fact", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notices_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("user_id", "fact", name=op.f("uq_notices_user_id_fact")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_fact", ["fact"], unique=False)
        batch_op.create_index("ix_notices_told_at_user_id", ["told_at", "user_id"], unique=False)
        batch_op.create_index(
            "ix_notices_user_id_kind_told_at", ["user_id", "kind", "told_at"], unique=False
        )

    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sign_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "transports",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("is_backed_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    with op.batch_alter_table("passkeys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passkeys_user_id"), ["user_id"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("rail", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("approval_id", sa.String(length=40), nullable=True),
        sa.Column("operation_id", sa.String(length=40), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.String(length=64), nullable=True),
        sa.Column("requested_by", sa.String(length=40), nullable=False),
        sa.Column("requested_kind", sa.String(length=32), nullable=False),
        sa.Column(
            "event_sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_refunds_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_refunds_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint(
            "payment_id", "reference", name=op.f("uq_refunds_payment_id_reference")
        ),
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index("ix_refunds_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index(
            "ix_refunds_merchant_id_created_at_id",
            ["merchant_id", "created_at", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_refunds_order_id"), ["order_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refunds_payment_id"), ["payment_id"], unique=False)
        batch_op.create_index("ix_refunds_provider_reference", ["provider_reference"], unique=False)
        batch_op.create_index(
            "ix_refunds_state_created_at_id", ["state", "created_at", "id"], unique=False
        )

    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("made_by", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("replaces_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("retire_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("exception_cases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("resolved_by", sa.String(length=40), nullable=True))
        batch_op.add_column(
            sa.Column(
                "resolution",
                sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
                nullable=True,
            )
        )
        batch_op.add_column(sa.Column("approval_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("rule_id", sa.String(length=40), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_exception_cases_approval_id"), ["approval_id"], unique=False
        )
        batch_op.create_index(
            "ix_exception_cases_kind_resolved_at", ["kind", "resolved_at"], unique=False
        )
        batch_op.create_index(
            "ix_exception_cases_kind_state_opened_at", ["kind", "state", "opened_at"], unique=False
        )
        batch_op.create_index("ix_exception_cases_owner_id", ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_exception_cases_rule_id"), ["rule_id"], unique=False)
        batch_op.create_index(
            "ix_exception_cases_state_sla_due_at", ["state", "sla_due_at"], unique=False
        )

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "refunding_minor",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                server_default="0",
                nullable=False,
            )
        )
        batch_op.create_check_constraint(
            op.f("ck_payments_not_over"),
            "refunding_minor >= 0 and refunded_minor + refunding_minor <= received_minor",
        )
        batch_op.add_column(
            sa.Column(
                "credited_minor",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                server_default="0",
                nullable=False,
            )
        )
        batch_op.create_check_constraint(
            op.f("ck_payments_credited"), "credited_minor between 0 and received_minor"
        )

    with op.batch_alter_table("secret_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("made_by", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("overdue_told_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("endpoint", sa.String(length=40), server_default="", nullable=False)
        )
        batch_op.drop_constraint(batch_op.f("uq_secrets_provider_kind_mode"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_secrets_provider_kind_mode_endpoint"),
            ["provider", "kind", "mode", "endpoint"],
        )

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True)
        )
        batch_op.add_column(sa.Column("totp_pending_sealed", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("person_index", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "notify",
                sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
                nullable=True,
            )
        )
        batch_op.create_index(batch_op.f("ix_users_person_index"), ["person_index"], unique=False)

    # A secret that was there before was set up by its person: their sign-ins go on asking for it.
    op.execute("update users set totp_confirmed_at = created_at where totp_sealed is not null")
    # Versions that are in use have been since they were made.
    op.execute(
        "update secret_versions set activated_at = created_at where state in ('active', 'retiring')"
    )


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_users_person_index"))
        batch_op.drop_column("notify")
        batch_op.drop_column("password_set_at")
        batch_op.drop_column("person_index")
        batch_op.drop_column("totp_pending_sealed")
        batch_op.drop_column("totp_confirmed_at")

    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("uq_secrets_provider_kind_mode_endpoint"), type_="unique"
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_secrets_provider_kind_mode"), ["provider", "kind", "mode"]
        )
        batch_op.drop_column("endpoint")

    with op.batch_alter_table("secret_versions", schema=None) as batch_op:
        batch_op.drop_column("overdue_told_at")
        batch_op.drop_column("reason")
        batch_op.drop_column("made_by")
        batch_op.drop_column("ended_at")
        batch_op.drop_column("activated_at")

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_payments_credited"), type_="check")
        batch_op.drop_constraint(op.f("ck_payments_not_over"), type_="check")
        batch_op.drop_column("credited_minor")
        batch_op.drop_column("refunding_minor")

    with op.batch_alter_table("exception_cases", schema=None) as batch_op:
        batch_op.drop_index("ix_exception_cases_state_sla_due_at")
        batch_op.drop_index(batch_op.f("ix_exception_cases_rule_id"))
        batch_op.drop_index("ix_exception_cases_owner_id")
        batch_op.drop_index("ix_exception_cases_kind_state_opened_at")
        batch_op.drop_index("ix_exception_cases_kind_resolved_at")
        batch_op.drop_index(batch_op.f("ix_exception_cases_approval_id"))
        batch_op.drop_column("rule_id")
        batch_op.drop_column("approval_id")
        batch_op.drop_column("resolution")
        batch_op.drop_column("resolved_by")

    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_column("revoked_at")
        batch_op.drop_column("retire_at")
        batch_op.drop_column("replaces_id")
        batch_op.drop_column("made_by")

    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_index("ix_refunds_state_created_at_id")
        batch_op.drop_index("ix_refunds_provider_reference")
        batch_op.drop_index(batch_op.f("ix_refunds_payment_id"))
        batch_op.drop_index(batch_op.f("ix_refunds_order_id"))
        batch_op.drop_index("ix_refunds_merchant_id_created_at_id")
        batch_op.drop_index("ix_refunds_created_at_id")

    op.drop_table("refunds")
    with op.batch_alter_table("passkeys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_passkeys_user_id"))

    op.drop_table("passkeys")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("ix_notices_user_id_kind_told_at")
        batch_op.drop_index("ix_notices_told_at_user_id")
        batch_op.drop_index("ix_notices_fact")

    op.drop_table("notices")
    with op.batch_alter_table("account_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_links_user_id"))

    op.drop_table("account_links")
    op.drop_table("case_rule_versions")
    with op.batch_alter_table("case_rule_uses", schema=None) as batch_op:
        batch_op.drop_index("ix_case_rule_uses_rule_id_at")
        batch_op.drop_index("ix_case_rule_uses_kind_reversed_at")

    op.drop_table("case_rule_uses")
    with op.batch_alter_table("case_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_notes_case_id"))

    op.drop_table("case_notes")
    op.drop_table("reencryptions")
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.drop_index("ix_mails_user_id")
        batch_op.drop_index("ix_mails_due_at")

    op.drop_table("mails")
    with op.batch_alter_table("freezes", schema=None) as batch_op:
        batch_op.drop_index("ix_freezes_state_engaged_at_id")
        batch_op.drop_index("ix_freezes_engaged_at_id")

    op.drop_table("freezes")
    op.drop_table("credential_uses")
    op.drop_table("controls")
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.drop_index("ix_challenges_expires_at")

    op.drop_table("challenges")
    op.drop_table("case_targets")
    with op.batch_alter_table("case_rules", schema=None) as batch_op:
        batch_op.drop_index("ix_case_rules_kind_state")

    op.drop_table("case_rules")
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.drop_index("ix_attachments_object_id_at")

    op.drop_table("attachments")
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.drop_index("ix_approvals_state_requested_at_id")
        batch_op.drop_index("ix_approvals_requested_by")
        batch_op.drop_index("ix_approvals_requested_at_id")
        batch_op.drop_index("ix_approvals_payment_id")
        batch_op.drop_index("ix_approvals_object_id")

    op.drop_table("approvals")
