"""Add the books: kept balances, periods, invoices, reconciliation, watch over the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from core import ids
from domain import calendar
from domain.invoices import folding

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# By hand: begin
# What limited accounts hold, from their postings.
_KEPT = """insert into account_balances (address, asset, balance_minor, version)
  select p.address, p.asset, -sum(p.amount_minor), 1 from postings p
  where p.address like 'wallet:%\\:balance' or p.address like 'order:%\\:escrow_hold'
  group by p.address, p.asset"""
# Orders made before there were invoices get theirs, numbered as they came, and what their payments paid.
_CHUNK = 1000
_STAMP = sa.DateTime(timezone=True)
_INT = sa.BigInteger()


def _table(name: str, texts: str, numbers: str = "", stamps: str = "", flags: str = "") -> sa.Table:
    """Name the columns of a table that this step reads or writes, as they are in this version."""
    kinds = ((texts, sa.Text()), (numbers, _INT), (stamps, _STAMP), (flags, sa.Boolean()))
    columns = [sa.Column(each, kind) for names, kind in kinds for each in names.split()]
    return sa.Table(name, sa.MetaData(), *columns)


_ORDERS = _table(
    "orders",
    "id status asset merchant_id buyer_id seller_id invoice_id",
    "total_minor deposit_minor paid_minor",
    "created_at updated_at deposit_due_at",
    "livemode demo",
)
_PAYMENTS = _table(
    "payments",
    "id order_id invoice_id purpose status",
    "amount_minor received_minor refunded_minor credited_minor reversed_minor",
    "created_at",
)
_INVOICES = _table(
    "invoices",
    "id number order_id merchant_id buyer_id seller_id purpose status asset open_key void_reason"
    " public_id",
    "number_no total_minor tax_minor paid_minor confirmed_minor refunded_minor credited_minor"
    " allowed_minor written_off_minor event_sequence",
    "created_at updated_at",
    "livemode demo",
)
_INVOICES.append_column(sa.Column("issued_on", sa.Date()))
_INVOICES.append_column(sa.Column("due_on", sa.Date()))
_PAIRS = _table(
    "invoice_payments",
    "invoice_id payment_id",
    "paid_minor confirmed_minor refunded_minor",
    "created_at updated_at",
)
_SERIES = _table("number_series", "merchant_id kind", "year last", flags="livemode")
_BEGUN = ("deposit_paid", "paid", "completed", "refunded")


def _day(at: datetime) -> date:
    return calendar.day_of(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


class _Invoicing:
    """Makes the invoices of a chunk of orders after the other."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._last: dict[tuple[str, int, bool], int] = {}

    def run(self) -> None:
        """Go through all orders as they came, then leave the series at their last numbers."""
        place = sa.tuple_(_ORDERS.c.created_at, _ORDERS.c.id)
        ordered = sa.select(_ORDERS).order_by(_ORDERS.c.created_at, _ORDERS.c.id).limit(_CHUNK)
        orders = self._connection.execute(ordered).all()
        while orders:
            self._chunk(orders)
            last = sa.tuple_(
                sa.literal(orders[-1].created_at, _STAMP), sa.literal(orders[-1].id, sa.Text())
            )
            orders = self._connection.execute(ordered.where(place > last)).all()
        series = [
            {"merchant_id": merchant, "kind": "invoice", "year": year, "livemode": live, "last": no}
            for (merchant, year, live), no in self._last.items()
        ]
        self._write(_SERIES.insert(), series)

    def _write(self, statement: sa.Executable, rows: list[dict[str, object]]) -> None:
        if rows:
            self._connection.execute(statement, rows)

    def _chunk(self, orders: Sequence[sa.Row[Any]]) -> None:
        paid: dict[str, list[sa.Row[Any]]] = {order.id: [] for order in orders}
        statement = sa.select(_PAYMENTS).where(_PAYMENTS.c.order_id.in_(list(paid)))
        for row in self._connection.execute(
            statement.order_by(_PAYMENTS.c.created_at, _PAYMENTS.c.id)
        ):
            paid[row.order_id].append(row)
        invoices: list[dict[str, object]] = []
        named: list[dict[str, object]] = []
        homes: list[dict[str, object]] = []
        pairs: list[dict[str, object]] = []
        for order in orders:
            own, home, their_pairs = self._of_order(order, paid[order.id])
            invoices += own
            homes += [{"key": key, "home": invoice_id} for key, invoice_id in home.items()]
            pairs += their_pairs
            standing = [row["id"] for row in own if row["status"] != "void"]
            named.append({"key": order.id, "current": standing[-1] if standing else None})
        self._write(_INVOICES.insert(), invoices)
        self._write(_PAIRS.insert(), pairs)
        key = sa.bindparam("key")
        current = _ORDERS.update().where(_ORDERS.c.id == key)
        self._write(current.values(invoice_id=sa.bindparam("current")), named)
        begun = _PAYMENTS.update().where(_PAYMENTS.c.id == key)
        self._write(begun.values(invoice_id=sa.bindparam("home")), homes)

    def _of_order(
        self, order: sa.Row[Any], payments: Sequence[sa.Row[Any]]
    ) -> tuple[list[dict[str, object]], dict[str, str], list[dict[str, object]]]:
        """Make an order's invoices; say which of them each payment is for, and what it pays of which."""
        split = order.deposit_minor is not None and order.deposit_minor < order.total_minor
        asked = {"deposit": order.deposit_minor} if split else {"full": order.total_minor}
        if split and (order.status in _BEGUN or any(row.purpose == "balance" for row in payments)):
            asked["balance"] = order.total_minor - order.deposit_minor
        rows = {purpose: self._row(order, purpose, minor) for purpose, minor in asked.items()}
        names = {purpose: str(row["id"]) for purpose, row in rows.items()}
        first = names["deposit" if split else "full"]
        home = {
            row.id: names.get("balance", first) if row.purpose == "balance" else first
            for row in payments
        }
        folded = _folded(order, payments, names, asked, home)
        is_over = order.status in ("cancelled", "expired")
        for purpose, row in rows.items():
            stands = folded.standings[names[purpose]]
            row["status"] = stands.status.value
            row["paid_minor"], row["confirmed_minor"] = stands.paid, stands.confirmed
            row["refunded_minor"], row["written_off_minor"] = stands.refunded, stands.written_off
            if is_over and stands.status == "open" and not stands.paid:
                row |= {"status": "void", "open_key": None}
                row["void_reason"] = f"The order was {order.status}"
        at = order.updated_at
        pairs = [
            {"invoice_id": invoice_id, "payment_id": payment_id, "paid_minor": pair.paid}
            | {"confirmed_minor": pair.confirmed, "refunded_minor": pair.refunded}
            | {"created_at": at, "updated_at": at}
            for (invoice_id, payment_id), pair in folded.pairs.items()
        ]
        return list(rows.values()), home, pairs

    def _row(self, order: sa.Row[Any], purpose: str, minor: int) -> dict[str, object]:
        day = _day(order.created_at)
        series = (order.merchant_id, day.year, bool(order.livemode))
        self._last[series] = number = self._last.get(series, 0) + 1
        due_at = order.deposit_due_at if purpose != "balance" else None
        # The final one comes after the deposit's, also where both are told apart by their time only.
        made_at = order.created_at + timedelta(microseconds=purpose == "balance")
        amounts = "paid_minor confirmed_minor refunded_minor credited_minor allowed_minor tax_minor"
        zeros: dict[str, object] = dict.fromkeys(amounts.split(), 0)
        same = ("asset", "merchant_id", "buyer_id", "seller_id", "livemode", "demo")
        return (
            zeros
            | {name: getattr(order, name) for name in same}
            | {
                "id": ids.new("inv"),
                "number": f"INV-{day.year}-{number:06d}",
                "number_no": number,
                "order_id": order.id,
                "purpose": purpose,
                "status": "open",
                "open_key": f"{order.id}:{purpose}",
                "public_id": ids.new("ip"),
                "void_reason": None,
                "total_minor": minor,
                "written_off_minor": 0,
                "event_sequence": 0,
                "issued_on": day,
                "due_on": _day(due_at) if due_at else None,
                "created_at": made_at,
                "updated_at": max(made_at, order.updated_at),
            }
        )


def _folded(
    order: sa.Row[Any],
    payments: Sequence[sa.Row[Any]],
    names: dict[str, str],
    asked: dict[str, int],
    home: dict[str, str],
) -> folding.Folded:
    shares = [
        folding.share(
            row.id,
            home[row.id],
            row.status,
            amount=row.amount_minor,
            received=row.received_minor,
            refunded=row.refunded_minor,
            gone=row.credited_minor + row.reversed_minor,
        )
        for row in payments
    ]
    brought = sum(
        row.received_minor - row.credited_minor
        for row in payments
        if row.status not in ("failed", "cancelled")
    )
    wanted = [folding.Asked(names[purpose], minor) for purpose, minor in asked.items()]
    return folding.fold(wanted, shares, written_off=max(0, order.paid_minor - brought))


# By hand: end


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_to", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("chain", "seq", name=op.f("uq_checkpoints_chain_seq")),
    )
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.create_index("ix_checkpoints_chain_at", ["chain", "at"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("asked", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("sealed_pdf", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_xml", sa.LargeBinary(), nullable=True),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=True),
        sa.Column("pdf_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint(
            "object_kind", "object_id", name=op.f("uq_documents_object_kind_object_id")
        ),
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index("ix_documents_state_due_at", ["state", "due_at"], unique=False)

    op.create_table(
        "invariants",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("took_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "offending", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column(
            "scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column(
            "freeze_ids", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_invariants")),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(length=40), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.String(length=40), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "object_kind in ('user', 'payment')", name=op.f("ck_legal_holds_object_kind")
        ),
        sa.CheckConstraint(
            "(open_key is null) = (lifted_at is not null) and (lifted_by is null) = (lifted_at is null)",
            name=op.f("ck_legal_holds_open"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
        sa.UniqueConstraint("open_key", name=op.f("uq_legal_holds_open_key")),
    )
    with op.batch_alter_table("legal_holds", schema=None) as batch_op:
        batch_op.create_index("ix_legal_holds_object_id", ["object_id"], unique=False)

    op.create_table(
        "nightly_checks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compared", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "differences", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nightly_checks")),
    )
    op.create_table(
        "periods",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("close_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periods")),
    )
    op.create_table(
        "person_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("year", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("destroyed_by", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.CheckConstraint("(year = 0) = (purpose = 'account')", name=op.f("ck_person_keys_year")),
        sa.CheckConstraint("purpose in ('account', 'books')", name=op.f("ck_person_keys_purpose")),
        sa.CheckConstraint(
            "(key_sealed is null) = (destroyed_at is not null) and (destroyed_by is null) = (destroyed_at is null)",
            name=op.f("ck_person_keys_destroyed"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_keys")),
        sa.UniqueConstraint(
            "user_id", "purpose", "year", name=op.f("uq_person_keys_user_id_purpose_year")
        ),
    )
    with op.batch_alter_table("person_keys", schema=None) as batch_op:
        batch_op.create_index("ix_person_keys_year", ["year"], unique=False)

    op.create_table(
        "provider_payouts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("arrives_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.Column(
            "matched_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("entry_id", sa.String(length=40), nullable=True),
        sa.Column("bank_account", sa.String(length=64), nullable=True),
        sa.Column("bank_line", sa.Text(), nullable=True),
        sa.Column("matched_by", sa.String(length=40), nullable=True),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_payouts")),
        sa.UniqueConstraint(
            "bank_account", "bank_line", name=op.f("uq_provider_payouts_bank_account_bank_line")
        ),
        sa.UniqueConstraint(
            "provider",
            "livemode",
            "provider_reference",
            name=op.f("uq_provider_payouts_provider_livemode_provider_reference"),
        ),
    )
    with op.batch_alter_table("provider_payouts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_provider_payouts_created_at_id", ["created_at", "id"], unique=False
        )

    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=True),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("done", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "counts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("heals", sa.Boolean(), nullable=False),
        sa.Column("of_run_id", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["of_run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_runs_of_run_id_reconciliation_runs"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
        sa.UniqueConstraint("open_key", name=op.f("uq_reconciliation_runs_open_key")),
    )
    with op.batch_alter_table("reconciliation_runs", schema=None) as batch_op:
        batch_op.create_index("ix_reconciliation_runs_due_at", ["due_at"], unique=False)
        batch_op.create_index("ix_reconciliation_runs_of_run_id", ["of_run_id"], unique=False)
        batch_op.create_index(
            "ix_reconciliation_runs_provider_started_at_id",
            ["provider", "started_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_reconciliation_runs_started_at_id", ["started_at", "id"], unique=False
        )

    op.create_table(
        "retention_runs",
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("dropped", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("dropped >= 0", name=op.f("ck_retention_runs_dropped")),
        sa.PrimaryKeyConstraint("rule", "on_day", name=op.f("pk_retention_runs")),
    )
    with op.batch_alter_table("retention_runs", schema=None) as batch_op:
        batch_op.create_index("ix_retention_runs_on_day", ["on_day"], unique=False)

    op.create_table(
        "account_balances",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "balance_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["address", "asset"],
            ["ledger_accounts.address", "ledger_accounts.asset"],
            name=op.f("fk_account_balances_address_asset_ledger_accounts"),
        ),
        sa.PrimaryKeyConstraint("address", "asset", name=op.f("pk_account_balances")),
    )
    op.create_table(
        "number_series",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("year", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("last", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_number_series_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "kind", "year", "livemode", name=op.f("pk_number_series")
        ),
    )
    op.create_table(
        "period_closings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("period_id", sa.String(length=32), nullable=False),
        sa.Column("no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("agreed_by", sa.String(length=40), nullable=False),
        sa.Column("approval_id", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "checklist", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column(
            "carried_forward",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "journal_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("journal_head", sa.String(length=64), nullable=False),
        sa.Column(
            "audit_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("audit_head", sa.String(length=64), nullable=False),
        sa.Column("snapshot_sha256", sa.String(length=64), nullable=False),
        sa.Column("entries", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=True),
        sa.Column("certificate_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "certificate_attempts",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("certificate_error", sa.Text(), nullable=True),
        sa.Column("reopened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened_by", sa.String(length=40), nullable=True),
        sa.Column("reopen_agreed_by", sa.String(length=40), nullable=True),
        sa.Column("reopen_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("asked_by <> agreed_by", name=op.f("ck_period_closings_two_people")),
        sa.ForeignKeyConstraint(
            ["period_id"], ["periods.id"], name=op.f("fk_period_closings_period_id_periods")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period_closings")),
    )
    with op.batch_alter_table("period_closings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_period_closings_certificate_due_at"),
            ["certificate_due_at"],
            unique=False,
        )
        batch_op.create_index("uq_period_closings_of_period", ["period_id", "no"], unique=True)

    op.create_table(
        "reconciliation_differences",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("books", sa.Text(), nullable=True),
        sa.Column("asset", sa.String(length=32), nullable=True),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("effect", sa.Text(), nullable=True),
        sa.Column("effect_hash", sa.String(length=64), nullable=True),
        sa.Column("subject_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_differences_run_id_reconciliation_runs"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_differences")),
        sa.UniqueConstraint(
            "run_id",
            "kind",
            "subject",
            name=op.f("uq_reconciliation_differences_run_id_kind_subject"),
        ),
    )
    with op.batch_alter_table("reconciliation_differences", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reconciliation_differences_payment_id", ["payment_id"], unique=False
        )
        batch_op.create_index(
            "ix_reconciliation_differences_run_id_id", ["run_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_reconciliation_differences_state_subject_at", ["state", "subject_at"], unique=False
        )

    op.create_table(
        "reconciliation_objects",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=True),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_objects_run_id_reconciliation_runs"),
        ),
        sa.PrimaryKeyConstraint(
            "run_id", "kind", "reference", name=op.f("pk_reconciliation_objects")
        ),
    )
    with op.batch_alter_table("reconciliation_objects", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reconciliation_objects_of_payment", ["run_id", "kind", "payment_id"], unique=False
        )

    op.create_table(
        "data_exports",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'ready') = (sealed is not null)", name=op.f("ck_data_exports_sealed")
        ),
        sa.CheckConstraint(
            "state in ('waiting', 'ready', 'expired', 'dead')", name=op.f("ck_data_exports_state")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_data_exports_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_exports")),
        sa.UniqueConstraint("open_key", name=op.f("uq_data_exports_open_key")),
    )
    with op.batch_alter_table("data_exports", schema=None) as batch_op:
        batch_op.create_index("ix_data_exports_state_due_at", ["state", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_data_exports_user_id"), ["user_id"], unique=False)

    op.create_table(
        "period_balances",
        sa.Column("closing_id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "opening_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "debit_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "credit_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "closing_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.CheckConstraint(
            "opening_minor + debit_minor - credit_minor = closing_minor",
            name=op.f("ck_period_balances_adds_up"),
        ),
        sa.ForeignKeyConstraint(
            ["closing_id"],
            ["period_closings.id"],
            name=op.f("fk_period_balances_closing_id_period_closings"),
        ),
        sa.PrimaryKeyConstraint("closing_id", "address", "asset", name=op.f("pk_period_balances")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column(
            "number_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("buyer_id", sa.String(length=40), nullable=True),
        sa.Column("seller_id", sa.String(length=40), nullable=True),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "total_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "tax_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "paid_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "confirmed_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "refunded_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "credited_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "allowed_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "written_off_minor",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("public_id", sa.String(length=40), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("supersedes_id", sa.String(length=40), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column(
            "event_sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "allowed_minor between 0 and credited_minor and credited_minor <= total_minor",
            name=op.f("ck_invoices_credited"),
        ),
        sa.CheckConstraint(
            "paid_minor >= 0 and confirmed_minor between 0 and paid_minor",
            name=op.f("ck_invoices_paid"),
        ),
        sa.CheckConstraint(
            "refunded_minor between 0 and confirmed_minor", name=op.f("ck_invoices_refunded")
        ),
        sa.CheckConstraint("tax_minor between 0 and total_minor", name=op.f("ck_invoices_tax")),
        sa.CheckConstraint("total_minor > 0", name=op.f("ck_invoices_total")),
        sa.CheckConstraint(
            "written_off_minor between 0 and total_minor", name=op.f("ck_invoices_written_off")
        ),
        sa.ForeignKeyConstraint(
            ["buyer_id"], ["users.id"], name=op.f("fk_invoices_buyer_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_invoices_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_invoices_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name=op.f("fk_invoices_seller_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["invoices.id"], name=op.f("fk_invoices_supersedes_id_invoices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "number",
            name=op.f("uq_invoices_merchant_id_livemode_number"),
        ),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "reference",
            name=op.f("uq_invoices_merchant_id_livemode_reference"),
        ),
        sa.UniqueConstraint("open_key", name=op.f("uq_invoices_open_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_invoices_public_id")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_invoices_supersedes_id")),
    )
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.create_index(
            "ix_invoices_buyer_id_created_at_id", ["buyer_id", "created_at", "id"], unique=False
        )
        batch_op.create_index("ix_invoices_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index(
            "ix_invoices_merchant_id_created_at_id",
            ["merchant_id", "created_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_invoices_order_id_created_at_id", ["order_id", "created_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_invoices_seller_id_created_at_id", ["seller_id", "created_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_invoices_status_created_at_id", ["status", "created_at", "id"], unique=False
        )
        batch_op.create_index("ix_invoices_total_minor", ["total_minor"], unique=False)

    op.create_table(
        "invoice_payments",
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column(
            "paid_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "confirmed_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "refunded_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "confirmed_minor between 0 and paid_minor", name=op.f("ck_invoice_payments_paid")
        ),
        sa.CheckConstraint(
            "refunded_minor between 0 and confirmed_minor",
            name=op.f("ck_invoice_payments_refunded"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_payments_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_invoice_payments_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("invoice_id", "payment_id", name=op.f("pk_invoice_payments")),
    )
    with op.batch_alter_table("invoice_payments", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_payments_payment_id", ["payment_id"], unique=False)

    op.create_table(
        "provider_bookings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("word", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "fee_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "net_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("presented_asset", sa.String(length=32), nullable=True),
        sa.Column(
            "presented_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("rate", sa.String(length=64), nullable=True),
        sa.Column("payout_reference", sa.Text(), nullable=True),
        sa.Column("fee_entry_id", sa.String(length=40), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_minor - fee_minor = net_minor", name=op.f("ck_provider_bookings_adds_up")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_provider_bookings_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_bookings")),
        sa.UniqueConstraint(
            "provider",
            "livemode",
            "provider_reference",
            name=op.f("uq_provider_bookings_provider_livemode_provider_reference"),
        ),
    )
    with op.batch_alter_table("provider_bookings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_provider_bookings_booked_at_id", ["booked_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_provider_bookings_kind_payment_id", ["kind", "payment_id"], unique=False
        )
        batch_op.create_index(
            "ix_provider_bookings_of_payout", ["provider", "payout_reference"], unique=False
        )
        batch_op.create_index("ix_provider_bookings_payment_id", ["payment_id"], unique=False)
        batch_op.create_index("ix_provider_bookings_reference", ["reference"], unique=False)

    op.create_table(
        "credit_notes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column(
            "number_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("refund_id", sa.String(length=40), nullable=True),
        sa.Column("asset", sa.String(length=32), nullable=False),
        sa.Column(
            "amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "tax_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("issued_by", sa.String(length=40), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_credit_notes_amount")),
        sa.CheckConstraint(
            "tax_minor between 0 and amount_minor", name=op.f("ck_credit_notes_tax")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_credit_notes_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_credit_notes_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_credit_notes_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("fk_credit_notes_refund_id_refunds")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "number",
            name=op.f("uq_credit_notes_merchant_id_livemode_number"),
        ),
        sa.UniqueConstraint(
            "merchant_id",
            "livemode",
            "reference",
            name=op.f("uq_credit_notes_merchant_id_livemode_reference"),
        ),
        sa.UniqueConstraint("refund_id", name=op.f("uq_credit_notes_refund_id")),
    )
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.create_index("ix_credit_notes_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_credit_notes_invoice_id"), ["invoice_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_credit_notes_order_id"), ["order_id"], unique=False)

    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("period", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("late_of", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("resolves_id", sa.String(length=40), nullable=True))
        batch_op.add_column(
            sa.Column(
                "details",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="{}",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("reversal_due_on", sa.Date(), nullable=True))
        batch_op.create_index(
            "ix_journal_entries_effective_at_id", ["effective_at", "id"], unique=False
        )
        batch_op.create_index("ix_journal_entries_invoice_id", ["invoice_id"], unique=False)
        batch_op.create_index("ix_journal_entries_late_of", ["late_of"], unique=False)
        batch_op.create_index(
            "ix_journal_entries_provider_reference", ["provider_reference"], unique=False
        )
        batch_op.create_index(
            "ix_journal_entries_reversal_due_on", ["reversal_due_on"], unique=False
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_journal_entries_resolves_id"), ["resolves_id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_journal_entries_resolves_id_journal_entries"),
            "journal_entries",
            ["resolves_id"],
            ["id"],
        )

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invoice_id", sa.String(length=40), nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invoice_id", sa.String(length=40), nullable=True))

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("erasure_asked_at", sa.DateTime(timezone=True), nullable=True)
        )
        batch_op.add_column(sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))

    # By hand, after the tables: begin
    op.execute(_KEPT)
    _Invoicing(op.get_bind()).run()
    # An erased person can never be let in again.
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_check_constraint(
            op.f("ck_users_erased"), "erased_at is null or state = 'disabled'"
        )
    # By hand, after the tables: end


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_users_erased"), type_="check")
        batch_op.drop_column("erased_at")
        batch_op.drop_column("erasure_asked_at")

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_column("invoice_id")

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("invoice_id")

    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_journal_entries_resolves_id_journal_entries"), type_="foreignkey"
        )
        batch_op.drop_constraint(batch_op.f("uq_journal_entries_resolves_id"), type_="unique")
        batch_op.drop_index("ix_journal_entries_reversal_due_on")
        batch_op.drop_index("ix_journal_entries_provider_reference")
        batch_op.drop_index("ix_journal_entries_late_of")
        batch_op.drop_index("ix_journal_entries_invoice_id")
        batch_op.drop_index("ix_journal_entries_effective_at_id")
        batch_op.drop_column("reversal_due_on")
        batch_op.drop_column("details")
        batch_op.drop_column("resolves_id")
        batch_op.drop_column("late_of")
        batch_op.drop_column("period")

    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credit_notes_order_id"))
        batch_op.drop_index(batch_op.f("ix_credit_notes_invoice_id"))
        batch_op.drop_index("ix_credit_notes_created_at_id")

    op.drop_table("credit_notes")
    with op.batch_alter_table("provider_bookings", schema=None) as batch_op:
        batch_op.drop_index("ix_provider_bookings_reference")
        batch_op.drop_index("ix_provider_bookings_payment_id")
        batch_op.drop_index("ix_provider_bookings_of_payout")
        batch_op.drop_index("ix_provider_bookings_kind_payment_id")
        batch_op.drop_index("ix_provider_bookings_booked_at_id")

    op.drop_table("provider_bookings")
    with op.batch_alter_table("invoice_payments", schema=None) as batch_op:
        batch_op.drop_index("ix_invoice_payments_payment_id")

    op.drop_table("invoice_payments")
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_index("ix_invoices_total_minor")
        batch_op.drop_index("ix_invoices_status_created_at_id")
        batch_op.drop_index("ix_invoices_seller_id_created_at_id")
        batch_op.drop_index("ix_invoices_order_id_created_at_id")
        batch_op.drop_index("ix_invoices_merchant_id_created_at_id")
        batch_op.drop_index("ix_invoices_created_at_id")
        batch_op.drop_index("ix_invoices_buyer_id_created_at_id")

    op.drop_table("invoices")
    op.drop_table("period_balances")
    with op.batch_alter_table("data_exports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_data_exports_user_id"))
        batch_op.drop_index("ix_data_exports_state_due_at")

    op.drop_table("data_exports")
    with op.batch_alter_table("reconciliation_objects", schema=None) as batch_op:
        batch_op.drop_index("ix_reconciliation_objects_of_payment")

    op.drop_table("reconciliation_objects")
    with op.batch_alter_table("reconciliation_differences", schema=None) as batch_op:
        batch_op.drop_index("ix_reconciliation_differences_state_subject_at")
        batch_op.drop_index("ix_reconciliation_differences_run_id_id")
        batch_op.drop_index("ix_reconciliation_differences_payment_id")

    op.drop_table("reconciliation_differences")
    with op.batch_alter_table("period_closings", schema=None) as batch_op:
        batch_op.drop_index("uq_period_closings_of_period")
        batch_op.drop_index(batch_op.f("ix_period_closings_certificate_due_at"))

    op.drop_table("period_closings")
    op.drop_table("number_series")
    op.drop_table("account_balances")
    with op.batch_alter_table("retention_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_retention_runs_on_day")

    op.drop_table("retention_runs")
    with op.batch_alter_table("reconciliation_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_reconciliation_runs_started_at_id")
        batch_op.drop_index("ix_reconciliation_runs_provider_started_at_id")
        batch_op.drop_index("ix_reconciliation_runs_of_run_id")
        batch_op.drop_index("ix_reconciliation_runs_due_at")

    op.drop_table("reconciliation_runs")
    with op.batch_alter_table("provider_payouts", schema=None) as batch_op:
        batch_op.drop_index("ix_provider_payouts_created_at_id")

    op.drop_table("provider_payouts")
    with op.batch_alter_table("person_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_person_keys_year")

    op.drop_table("person_keys")
    op.drop_table("periods")
    op.drop_table("nightly_checks")
    with op.batch_alter_table("legal_holds", schema=None) as batch_op:
        batch_op.drop_index("ix_legal_holds_object_id")

    op.drop_table("legal_holds")
    op.drop_table("invariants")
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.drop_index("ix_documents_state_due_at")

    op.drop_table("documents")
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.drop_index("ix_checkpoints_chain_at")

    op.drop_table("checkpoints")
