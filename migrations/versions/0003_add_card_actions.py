"""Add card actions: effects, kept cards, trials, coupons, entitlements, disputes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("brand", sa.String(length=32), nullable=True),
        sa.Column("last4", sa.String(length=32), nullable=True),
        sa.Column("exp_month", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("exp_year", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("validated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state = 'active' or not is_default", name=op.f("ck_payment_methods_default")
        ),
        sa.CheckConstraint(
            "state in ('active', 'removing', 'removed')", name=op.f("ck_payment_methods_state")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_payment_methods_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
        sa.UniqueConstraint(
            "provider", "reference", name=op.f("uq_payment_methods_provider_reference")
        ),
    )
    with op.batch_alter_table("payment_methods", schema=None) as batch_op:
        batch_op.create_index("ix_payment_methods_due_at", ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_payment_methods_user_id"), ["user_id"], unique=False)
        batch_op.create_index(
            "uq_payment_methods_default",
            ["user_id", "livemode"],
            unique=True,
            postgresql_where=sa.text("is_default"),
            sqlite_where=sa.text("is_default"),
        )

    op.create_table(
        "provider_customers",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_provider_customers_user_id_users")
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "provider", "livemode", name=op.f("pk_provider_customers")
        ),
        sa.UniqueConstraint(
            "provider", "reference", name=op.f("uq_provider_customers_provider_reference")
        ),
    )
    op.create_table(
        "coupon_uses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("coupon_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("invoice_reference", sa.Text(), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_coupon_uses_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_coupon_uses_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_uses")),
        sa.UniqueConstraint("invoice_reference", name=op.f("uq_coupon_uses_invoice_reference")),
        sa.UniqueConstraint("open_key", name=op.f("uq_coupon_uses_open_key")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_coupon_uses_payment_id")),
    )
    with op.batch_alter_table("coupon_uses", schema=None) as batch_op:
        batch_op.create_index("ix_coupon_uses_user_id", ["user_id"], unique=False)

    op.create_table(
        "disputes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "withdrawn_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "reinstated_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("evidence_submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_id", sa.String(length=40), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column(
            "event_sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_disputes_amount")),
        sa.CheckConstraint(
            "withdrawn_minor >= 0 and reinstated_minor >= 0", name=op.f("ck_disputes_moved")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_disputes_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_disputes_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("provider_reference", name=op.f("uq_disputes_provider_reference")),
    )
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.create_index("ix_disputes_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_disputes_evidence_due_at", ["evidence_due_at"], unique=False)
        batch_op.create_index(
            "ix_disputes_merchant_id_created_at_id",
            ["merchant_id", "created_at", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_disputes_order_id"), ["order_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_disputes_payment_id"), ["payment_id"], unique=False)
        batch_op.create_index(
            "ix_disputes_status_created_at_id", ["status", "created_at", "id"], unique=False
        )

    op.create_table(
        "effects",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("effect_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("asset", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'applied') = (applied_at is not null)", name=op.f("ck_effects_applied")
        ),
        sa.CheckConstraint(
            "state in ('pending', 'applied', 'failed')", name=op.f("ck_effects_state")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_effects_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effects")),
        sa.UniqueConstraint("effect_key", name=op.f("uq_effects_effect_key")),
    )
    with op.batch_alter_table("effects", schema=None) as batch_op:
        batch_op.create_index("ix_effects_due_at", ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_effects_payment_id"), ["payment_id"], unique=False)

    op.create_table(
        "entitlements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("subscription_ref", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('granted', 'revoked')", name=op.f("ck_entitlements_state")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_entitlements_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_entitlements_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_entitlements_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlements")),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "subscription_ref",
            "period",
            name=op.f("uq_entitlements_merchant_id_livemode_subscription_ref_period"),
        ),
    )
    with op.batch_alter_table("entitlements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entitlements_order_id"), ["order_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_entitlements_payment_id"), ["payment_id"], unique=False
        )

    op.create_table(
        "release_holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_release_holds_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_release_holds_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_holds")),
        sa.UniqueConstraint("kind", "reference", name=op.f("uq_release_holds_kind_reference")),
    )
    with op.batch_alter_table("release_holds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_release_holds_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_holds_order_id"), ["order_id"], unique=False)

    op.create_table(
        "trials",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column(
            "limit_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('pending', 'granted')", name=op.f("ck_trials_state")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_trials_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_trials_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_trials")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_trials_payment_id")),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subscription_period", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("entitlement", sa.String(length=32), nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "reversed_minor",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                server_default="0",
                nullable=False,
            )
        )
        batch_op.drop_constraint(op.f("ck_payments_amount"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_payments_amount"),
            "amount_minor > 0 or (amount_minor = 0 and purpose = 'card_setup')",
        )
        batch_op.add_column(sa.Column("method_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("hold_ends_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("receipt_url", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("effect_state", sa.String(length=32), server_default="none", nullable=False)
        )
        batch_op.add_column(sa.Column("subscription_period", sa.Text(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_payments_reversed"), "reversed_minor between 0 and received_minor"
        )
        batch_op.create_index("ix_payments_buyer_id_purpose", ["buyer_id", "purpose"], unique=False)
        batch_op.create_index("ix_payments_effect_state", ["effect_state"], unique=False)
        batch_op.create_index("ix_payments_hold_ends_at", ["hold_ends_at"], unique=False)
        batch_op.create_index(
            "ix_payments_transactions",
            ["created_at", "id"],
            unique=False,
            postgresql_where=sa.text("order_id is null"),
            sqlite_where=sa.text("order_id is null"),
        )
        batch_op.create_index(
            "uq_payments_buyer_id_purpose_reference",
            ["buyer_id", "purpose", "reference"],
            unique=True,
            postgresql_where=sa.text("order_id is null"),
            sqlite_where=sa.text("order_id is null"),
        )


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_payments_reversed"), type_="check")
        batch_op.drop_constraint(op.f("ck_payments_amount"), type_="check")
        batch_op.create_check_constraint(op.f("ck_payments_amount"), "amount_minor > 0")
        batch_op.drop_index(
            "uq_payments_buyer_id_purpose_reference",
            postgresql_where=sa.text("order_id is null"),
            sqlite_where=sa.text("order_id is null"),
        )
        batch_op.drop_index(
            "ix_payments_transactions",
            postgresql_where=sa.text("order_id is null"),
            sqlite_where=sa.text("order_id is null"),
        )
        batch_op.drop_index("ix_payments_hold_ends_at")
        batch_op.drop_index("ix_payments_effect_state")
        batch_op.drop_index("ix_payments_buyer_id_purpose")
        batch_op.drop_column("subscription_period")
        batch_op.drop_column("effect_state")
        batch_op.drop_column("receipt_url")
        batch_op.drop_column("hold_ends_at")
        batch_op.drop_column("method_id")
        batch_op.drop_column("reversed_minor")

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("entitlement")
        batch_op.drop_column("subscription_period")

    op.drop_table("trials")
    with op.batch_alter_table("release_holds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_release_holds_order_id"))
        batch_op.drop_index(batch_op.f("ix_release_holds_case_id"))

    op.drop_table("release_holds")
    with op.batch_alter_table("entitlements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entitlements_payment_id"))
        batch_op.drop_index(batch_op.f("ix_entitlements_order_id"))

    op.drop_table("entitlements")
    with op.batch_alter_table("effects", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_effects_payment_id"))
        batch_op.drop_index("ix_effects_due_at")

    op.drop_table("effects")
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.drop_index("ix_disputes_status_created_at_id")
        batch_op.drop_index(batch_op.f("ix_disputes_payment_id"))
        batch_op.drop_index(batch_op.f("ix_disputes_order_id"))
        batch_op.drop_index("ix_disputes_merchant_id_created_at_id")
        batch_op.drop_index("ix_disputes_evidence_due_at")
        batch_op.drop_index("ix_disputes_created_at_id")

    op.drop_table("disputes")
    with op.batch_alter_table("coupon_uses", schema=None) as batch_op:
        batch_op.drop_index("ix_coupon_uses_user_id")

    op.drop_table("coupon_uses")
    op.drop_table("provider_customers")
    with op.batch_alter_table("payment_methods", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_payment_methods_default",
            postgresql_where=sa.text("is_default"),
            sqlite_where=sa.text("is_default"),
        )
        batch_op.drop_index(batch_op.f("ix_payment_methods_user_id"))
        batch_op.drop_index("ix_payment_methods_due_at")

    op.drop_table("payment_methods")
