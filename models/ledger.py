"""The ledger: accounts, journal entries, their postings and the seal that closes an entry for ever.

Balance, sealing and append-only are enforced by the database itself (`models/guards.py`).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class LedgerAccount(Base):
    """One address such as `order:ord_1:escrow_hold`, kept apart per asset."""

    __tablename__ = "ledger_accounts"
    address: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[Word] = mapped_column(primary_key=True)
    kind: Mapped[Word]
    merchant_id: Mapped[Link | None]
    created_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint(
            "kind in ('asset', 'liability', 'income', 'expense', 'equity')", name="kind"
        ),
        Index("ix_ledger_accounts_merchant_id_address", "merchant_id", "address", "asset"),
    )


class JournalSeal(Base):
    """Closes an entry: inserted last, refused by the database unless the postings balance."""

    __tablename__ = "journal_seals"
    entry_id: Mapped[PublicId]
    postings: Mapped[int]
    sealed_at: Mapped[datetime]


class JournalEntry(Base):
    """One balanced fact of the books. A commit without its seal fails (deferred foreign key).

    period: the month it is booked in; late_of: the closed one in which it took effect. resolves_id: the
    reservation that it ends; a reservation ends once. reversal_due_on: when a manual entry is to be
    reversed at the latest.
    The key itself refers to the seal: SQLite looks for the rows that wait for a parent, and without
    an index over the column that refers it would read the whole journal for each entry.
    """

    __tablename__ = "journal_entries"
    id: Mapped[PublicId] = mapped_column(
        ForeignKey("journal_seals.entry_id", deferrable=True, initially="DEFERRED")
    )
    kind: Mapped[Word]
    source_key: Mapped[str] = mapped_column(unique=True)
    source: Mapped[Short]
    order_id: Mapped[Link | None]
    invoice_id: Mapped[Link | None]
    payment_id: Mapped[Link | None]
    provider: Mapped[Word | None]
    provider_reference: Mapped[str | None]
    note: Mapped[str | None]
    period: Mapped[Word | None]
    late_of: Mapped[Word | None]
    resolves_id: Mapped[Link | None] = mapped_column(ForeignKey("journal_entries.id"), unique=True)
    details: Mapped[dict[str, Json]] = mapped_column(default=dict, server_default="{}")
    reversal_due_on: Mapped[date | None]
    reverses_id: Mapped[Link | None] = mapped_column(ForeignKey("journal_entries.id"), unique=True)
    content_hash: Mapped[Short]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    effective_at: Mapped[datetime]
    posted_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_journal_entries_payment_id", "payment_id"),
        Index("ix_journal_entries_order_id", "order_id"),
        Index("ix_journal_entries_source", "source"),
        Index("ix_journal_entries_posted_at_id", "posted_at", "id"),
        Index("ix_journal_entries_invoice_id", "invoice_id"),
        Index("ix_journal_entries_provider_reference", "provider_reference"),
        Index("ix_journal_entries_effective_at_id", "effective_at", "id"),
        Index("ix_journal_entries_late_of", "late_of"),
        Index("ix_journal_entries_reversal_due_on", "reversal_due_on"),
    )


class AccountBalance(Base):
    """What an account of a limited pattern holds, on its own side, kept beside its postings.

    A row that two want at once is decided here. It can be computed anew from the postings.
    """

    __tablename__ = "account_balances"
    address: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[Word] = mapped_column(primary_key=True)
    balance_minor: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (
        ForeignKeyConstraint(
            ["address", "asset"], ["ledger_accounts.address", "ledger_accounts.asset"]
        ),
    )


class Posting(Base):
    """One line of an entry. amount_minor: minor units of `asset`, debit positive, credit negative.

    pair: lines with the same number are the two sides of one movement.
    """

    __tablename__ = "postings"
    entry_id: Mapped[Link] = mapped_column(ForeignKey("journal_entries.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    pair: Mapped[int]
    address: Mapped[str]
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(
            ["address", "asset"], ["ledger_accounts.address", "ledger_accounts.asset"]
        ),
        CheckConstraint("amount_minor <> 0", name="amount"),
        Index("ix_postings_of_account", "address", "asset", "entry_id", "line", "amount_minor"),
    )
