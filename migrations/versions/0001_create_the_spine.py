"""Create the spine: people, orders, payments, the inbox, operations, the ledger, events, audit."""

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


def upgrade() -> None:  # one list of tables
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", DOCUMENT, nullable=False),
        sa.Column("after", DOCUMENT, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_actor_at", "audit_log", ["actor", "at"], unique=False)
    op.create_index("ix_audit_log_at_id", "audit_log", ["at", "id"], unique=False)
    op.create_index("ix_audit_log_object_id", "audit_log", ["object_id"], unique=False)
    op.create_table(
        "chain_links",
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("row_id", sa.String(length=40), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_chain_links")),
        sa.UniqueConstraint("chain", "row_id", name=op.f("uq_chain_links_chain_row_id")),
    )
    op.create_table(
        "event_log",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("seq", WHOLE, nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("audience", sa.String(length=32), nullable=False),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=True),
        sa.Column("buyer_id", sa.String(length=40), nullable=True),
        sa.Column("seller_id", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=True),
        sa.Column("alias", sa.String(length=64), nullable=True),
        sa.Column("alias_type", sa.String(length=64), nullable=True),
        sa.Column("is_replay", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_log")),
        sa.UniqueConstraint("seq", name=op.f("uq_event_log_seq")),
    )
    op.create_index("ix_event_log_payment_id", "event_log", ["payment_id"], unique=False)
    op.create_index("ix_event_log_source", "event_log", ["source"], unique=False)
    op.create_index(
        "ix_event_log_unnumbered",
        "event_log",
        ["at", "id"],
        unique=False,
        postgresql_where=sa.text("seq is null"),
        sqlite_where=sa.text("seq is null"),
    )
    op.create_table(
        "exception_cases",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("subject_key", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("risk_minor", WHOLE, nullable=True),
        sa.Column("asset", sa.String(length=32), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=True),
        sa.Column("inbound_id", sa.String(length=40), nullable=True),
        sa.Column("operation_id", sa.String(length=40), nullable=True),
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("sla_due_at", INSTANT, nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("verb", sa.String(length=32), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exception_cases")),
        sa.UniqueConstraint("subject_key", name=op.f("uq_exception_cases_subject_key")),
    )
    op.create_index(
        "ix_exception_cases_payment_id", "exception_cases", ["payment_id"], unique=False
    )
    op.create_index("ix_exception_cases_source", "exception_cases", ["source"], unique=False)
    op.create_index(
        "ix_exception_cases_state_opened_at_id",
        "exception_cases",
        ["state", "opened_at", "id"],
        unique=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("lock_token", sa.String(length=40), nullable=False),
        sa.Column("locked_until", INSTANT, nullable=False),
        sa.Column("status", WHOLE, nullable=True),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], unique=False
    )
    op.create_table(
        "inbound_events",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=False),
        sa.Column("provider_event_id", sa.Text(), nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("object_reference", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("body_bytes", WHOLE, nullable=False),
        sa.Column("headers", DOCUMENT, nullable=False),
        sa.Column("secret_version_id", sa.String(length=40), nullable=True),
        sa.Column("signature_scheme", sa.String(length=32), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("provider_at", INSTANT, nullable=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempts", WHOLE, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("processed_at", INSTANT, nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("duplicates", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_events")),
        sa.UniqueConstraint(
            "provider",
            "account",
            "mode",
            "delivery_key",
            name=op.f("uq_inbound_events_provider_account_mode_delivery_key"),
        ),
    )
    op.create_index(
        "ix_inbound_events_due",
        "inbound_events",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state in ('received', 'failed', 'unmatched')"),
        sqlite_where=sa.text("state in ('received', 'failed', 'unmatched')"),
    )
    op.create_index(
        "ix_inbound_events_object_reference", "inbound_events", ["object_reference"], unique=False
    )
    op.create_index(
        "ix_inbound_events_payment_id",
        "inbound_events",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("payment_id is not null"),
        sqlite_where=sa.text("payment_id is not null"),
    )
    op.create_index(
        "ix_inbound_events_provider_event_id", "inbound_events", ["provider_event_id"], unique=False
    )
    op.create_index(
        "ix_inbound_events_received_at_id", "inbound_events", ["received_at", "id"], unique=False
    )
    op.create_index(
        "ix_inbound_events_state_received_at_id",
        "inbound_events",
        ["state", "received_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_events_type_received_at_id",
        "inbound_events",
        ["type", "received_at", "id"],
        unique=False,
    )
    op.create_table(
        "journal_seals",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("postings", WHOLE, nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_journal_seals")),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind in ('asset', 'liability', 'income', 'expense', 'equity')",
            name=op.f("ck_ledger_accounts_kind"),
        ),
        sa.PrimaryKeyConstraint("address", "asset", name=op.f("pk_ledger_accounts")),
    )
    op.create_index(
        "ix_ledger_accounts_merchant_id_address",
        "ledger_accounts",
        ["merchant_id", "address", "asset"],
        unique=False,
    )
    op.create_table(
        "merchants",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("kyc", sa.String(length=32), nullable=False),
        sa.Column("is_house", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchants")),
        sa.UniqueConstraint("slug", name=op.f("uq_merchants_slug")),
    )
    op.create_table(
        "process_beats",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("pid", WHOLE, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_beats")),
    )
    op.create_index(
        "ix_process_beats_kind_seen_at", "process_beats", ["kind", "seen_at"], unique=False
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_revoked_tokens")),
    )
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("expression", sa.String(length=64), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("last_run_at", INSTANT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("fence", WHOLE, nullable=False),
        sa.Column("outcome", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
        sa.UniqueConstraint("provider", "kind", "mode", name=op.f("uq_secrets_provider_kind_mode")),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(
        "ix_sign_in_attempts_subject_at", "sign_in_attempts", ["subject", "at"], unique=False
    )
    op.create_table(
        "state_changes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("old", sa.String(length=32), nullable=False),
        sa.Column("new", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("mapping_version", WHOLE, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_changes")),
    )
    op.create_index("ix_state_changes_object_id", "state_changes", ["object_id"], unique=False)
    op.create_index("ix_state_changes_order_id", "state_changes", ["order_id"], unique=False)
    op.create_index("ix_state_changes_payment_id", "state_changes", ["payment_id"], unique=False)
    op.create_index("ix_state_changes_source", "state_changes", ["source"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_api_keys_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_index(op.f("ix_api_keys_merchant_id"), "api_keys", ["merchant_id"], unique=False)
    op.create_table(
        "inbound_attempts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("inbound_id", sa.String(length=40), nullable=False),
        sa.Column("no", WHOLE, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_replay", sa.Boolean(), nullable=False),
        sa.Column("replay_key", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inbound_id"],
            ["inbound_events.id"],
            name=op.f("fk_inbound_attempts_inbound_id_inbound_events"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_attempts")),
        sa.UniqueConstraint("inbound_id", "no", name=op.f("uq_inbound_attempts_inbound_id_no")),
        sa.UniqueConstraint("replay_key", name=op.f("uq_inbound_attempts_replay_key")),
    )
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("invoice_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reverses_id", sa.String(length=40), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("effective_at", INSTANT, nullable=False),
        sa.Column("posted_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["journal_seals.entry_id"],
            name=op.f("fk_journal_entries_id_journal_seals"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"],
            ["journal_entries.id"],
            name=op.f("fk_journal_entries_reverses_id_journal_entries"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_journal_entries_reverses_id")),
        sa.UniqueConstraint("source_key", name=op.f("uq_journal_entries_source_key")),
    )
    op.create_index("ix_journal_entries_order_id", "journal_entries", ["order_id"], unique=False)
    op.create_index(
        "ix_journal_entries_payment_id", "journal_entries", ["payment_id"], unique=False
    )
    op.create_index(
        "ix_journal_entries_posted_at_id", "journal_entries", ["posted_at", "id"], unique=False
    )
    op.create_index("ix_journal_entries_source", "journal_entries", ["source"], unique=False)
    op.create_table(
        "secret_versions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("secret_id", sa.String(length=40), nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("retire_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_versions_secret_id_secrets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_versions")),
        sa.UniqueConstraint(
            "secret_id", "fingerprint", name=op.f("uq_secret_versions_secret_id_fingerprint")
        ),
        sa.UniqueConstraint(
            "secret_id", "version", name=op.f("uq_secret_versions_secret_id_version")
        ),
    )
    op.create_index("ix_secret_versions_state", "secret_versions", ["state"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("email_index", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("kyc", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_last_counter", WHOLE, nullable=True),
        sa.Column("theme", sa.String(length=32), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "kyc in ('none', 'pending', 'approved', 'rejected')", name=op.f("ck_users_kyc")
        ),
        sa.CheckConstraint(
            "state in ('active', 'disabled', 'locked')", name=op.f("ck_users_state")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_users_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_index", name=op.f("uq_users_email_index")),
    )
    op.create_index("ix_users_role", "users", ["role"], unique=False)
    op.create_table(
        "desk_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("stepped_up_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("browser", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_desk_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_desk_sessions_token_hash")),
    )
    op.create_index(op.f("ix_desk_sessions_user_id"), "desk_sessions", ["user_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("request_status", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("total_minor", WHOLE, nullable=False),
        sa.Column("deposit_minor", WHOLE, nullable=True),
        sa.Column("paid_minor", WHOLE, nullable=False),
        sa.Column("buyer_id", sa.String(length=40), nullable=True),
        sa.Column("seller_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("deposit_due_at", INSTANT, nullable=True),
        sa.Column("subscription_ref", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("release_hold", sa.Text(), nullable=True),
        sa.Column("event_sequence", WHOLE, nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "deposit_minor is null or deposit_minor between 1 and total_minor",
            name=op.f("ck_orders_deposit"),
        ),
        sa.CheckConstraint("paid_minor >= 0", name=op.f("ck_orders_paid")),
        sa.CheckConstraint("total_minor > 0", name=op.f("ck_orders_total")),
        sa.ForeignKeyConstraint(["buyer_id"], ["users.id"], name=op.f("fk_orders_buyer_id_users")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_orders_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name=op.f("fk_orders_seller_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "reference",
            name=op.f("uq_orders_merchant_id_livemode_reference"),
        ),
    )
    op.create_index(
        "ix_orders_buyer_id_created_at_id", "orders", ["buyer_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_orders_created_at_id", "orders", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_orders_merchant_id_created_at_id",
        "orders",
        ["merchant_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_orders_seller_id_created_at_id",
        "orders",
        ["seller_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_orders_status_created_at_id", "orders", ["status", "created_at", "id"], unique=False
    )
    op.create_index("ix_orders_subscription_ref", "orders", ["subscription_ref"], unique=False)
    op.create_index("ix_orders_total_minor", "orders", ["total_minor"], unique=False)
    op.create_table(
        "postings",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("line", WHOLE, nullable=False),
        sa.Column("pair", WHOLE, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_postings_amount")),
        sa.ForeignKeyConstraint(
            ["address", "asset"],
            ["ledger_accounts.address", "ledger_accounts.asset"],
            name=op.f("fk_postings_address_asset_ledger_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_postings_entry_id_journal_entries")
        ),
        sa.PrimaryKeyConstraint("entry_id", "line", name=op.f("pk_postings")),
    )
    op.create_index(
        "ix_postings_of_account",
        "postings",
        ["address", "asset", "entry_id", "line", "amount_minor"],
        unique=False,
    )
    op.create_table(
        "invoice_drafts",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_invoice_drafts_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_invoice_drafts")),
    )
    op.create_table(
        "milestones",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("released_minor", WHOLE, nullable=False),
        sa.Column("refunded_minor", WHOLE, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_milestones_amount")),
        sa.CheckConstraint(
            "released_minor + refunded_minor <= amount_minor", name=op.f("ck_milestones_not_over")
        ),
        sa.CheckConstraint(
            "released_minor >= 0 and refunded_minor >= 0", name=op.f("ck_milestones_moved")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_milestones_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_milestones")),
        sa.UniqueConstraint("order_id", "position", name=op.f("uq_milestones_order_id_position")),
    )
    op.create_index(op.f("ix_milestones_order_id"), "milestones", ["order_id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("sub_state", sa.String(length=32), nullable=False),
        sa.Column("escrow_state", sa.String(length=32), nullable=False),
        sa.Column("mapping_version", WHOLE, nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("received_minor", WHOLE, nullable=False),
        sa.Column("capturable_minor", WHOLE, nullable=False),
        sa.Column("refunded_minor", WHOLE, nullable=False),
        sa.Column("rail", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("failure_reason", sa.String(length=64), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("provider_message", sa.Text(), nullable=True),
        sa.Column("card_brand", sa.String(length=32), nullable=True),
        sa.Column("card_last4", sa.String(length=32), nullable=True),
        sa.Column("supersedes_id", sa.String(length=40), nullable=True),
        sa.Column("superseded_by_id", sa.String(length=40), nullable=True),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("client_secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("hosted_url", sa.Text(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("buyer_id", sa.String(length=40), nullable=True),
        sa.Column("seller_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("subscription_ref", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("event_sequence", WHOLE, nullable=False),
        sa.Column("check_due_at", INSTANT, nullable=True),
        sa.Column("check_count", WHOLE, nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("fence", WHOLE, nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("direction in ('in', 'out')", name=op.f("ck_payments_direction")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint(
            "received_minor >= 0 and refunded_minor >= 0", name=op.f("ck_payments_moved")
        ),
        sa.ForeignKeyConstraint(
            ["buyer_id"], ["users.id"], name=op.f("fk_payments_buyer_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_payments_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_payments_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name=op.f("fk_payments_seller_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("open_key", name=op.f("uq_payments_open_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_payments_public_id")),
    )
    op.create_index("ix_payments_amount_minor", "payments", ["amount_minor"], unique=False)
    op.create_index(
        "ix_payments_buyer_id_created_at_id",
        "payments",
        ["buyer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_payments_check_due_at", "payments", ["check_due_at"], unique=False)
    op.create_index("ix_payments_created_at_id", "payments", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_payments_merchant_id_created_at_id",
        "payments",
        ["merchant_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_payments_order_id", "payments", ["order_id"], unique=False)
    op.create_index(
        "ix_payments_provider_reference", "payments", ["provider_reference"], unique=False
    )
    op.create_index("ix_payments_reference", "payments", ["reference"], unique=False)
    op.create_index(
        "ix_payments_seller_id_created_at_id",
        "payments",
        ["seller_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_payments_status_created_at_id", "payments", ["status", "created_at", "id"], unique=False
    )
    op.create_index("ix_payments_subscription_ref", "payments", ["subscription_ref"], unique=False)
    op.create_table(
        "operations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_key", sa.String(length=64), nullable=False),
        sa.Column("epoch", WHOLE, nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", WHOLE, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("fence", WHOLE, nullable=False),
        sa.Column("result_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_operations_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_operations_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.UniqueConstraint("business_key", name=op.f("uq_operations_business_key")),
    )
    op.create_index("ix_operations_due_at", "operations", ["due_at"], unique=False)
    op.create_index("ix_operations_payment_id", "operations", ["payment_id"], unique=False)
    op.create_index(
        "ix_operations_provider_reference", "operations", ["provider_reference"], unique=False
    )
    op.create_table(
        "payment_facts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("fact_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("said_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_facts_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_facts")),
        sa.UniqueConstraint("fact_key", name=op.f("uq_payment_facts_fact_key")),
    )
    op.create_index(
        op.f("ix_payment_facts_payment_id"), "payment_facts", ["payment_id"], unique=False
    )
    op.create_table(
        "payment_notes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_notes_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_notes")),
        sa.UniqueConstraint(
            "payment_id",
            "actor",
            "text_hash",
            name=op.f("uq_payment_notes_payment_id_actor_text_hash"),
        ),
    )
    op.create_index(
        op.f("ix_payment_notes_payment_id"), "payment_notes", ["payment_id"], unique=False
    )
    op.create_table(
        "provider_references",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_provider_references_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("provider", "reference", name=op.f("pk_provider_references")),
    )
    op.create_index(
        op.f("ix_provider_references_payment_id"),
        "provider_references",
        ["payment_id"],
        unique=False,
    )
    seed_house()


def seed_house() -> None:
    """Add the house merchant, which owns what has no other, unless there is one."""
    merchants = sa.table(
        "merchants",
        *(sa.column(name) for name in ("id", "name", "slug", "state", "kyc")),
        sa.column("is_house", sa.Boolean()),
        sa.column("created_at", INSTANT),
    )
    connection = op.get_bind()
    if connection.scalar(sa.select(merchants.c.id).where(merchants.c.is_house)) is None:
        at = clock.now()
        house = {"id": ids.new("mer"), "name": "House", "slug": "house", "state": "approved"}
        house |= {"kyc": "approved", "is_house": True}
        sqlite = connection.dialect.name == "sqlite"
        house["created_at"] = at.replace(tzinfo=None) if sqlite else at
        op.execute(merchants.insert().values(house))


def downgrade() -> None:
    op.drop_table("provider_references")
    op.drop_table("payment_notes")
    op.drop_table("payment_facts")
    op.drop_table("operations")
    op.drop_table("payments")
    op.drop_table("milestones")
    op.drop_table("invoice_drafts")
    op.drop_table("postings")
    op.drop_table("orders")
    op.drop_table("desk_sessions")
    op.drop_table("users")
    op.drop_table("secret_versions")
    op.drop_table("journal_entries")
    op.drop_table("inbound_attempts")
    op.drop_table("api_keys")
    op.drop_table("state_changes")
    op.drop_table("sign_in_attempts")
    op.drop_table("secrets")
    op.drop_table("schedules")
    op.drop_table("revoked_tokens")
    op.drop_table("process_beats")
    op.drop_table("merchants")
    op.drop_table("ledger_accounts")
    op.drop_table("journal_seals")
    op.drop_table("inbound_events")
    op.drop_table("idempotency_keys")
    op.drop_table("exception_cases")
    op.drop_table("event_log")
    op.drop_table("chain_links")
    op.drop_table("audit_log")
