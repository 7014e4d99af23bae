"""Bank statements: our accounts at banks, what they say of them line by line, and what each line shows."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class BankAccount(Base):
    """A bank account of ours by the short name that its books bear, `cash:<name>`.

    number_hash, number_end: of its IBAN or number, as the first statement that named one said it;
    mapping: how its CSV files read, as it was last used. Whoever imports takes turns at this row.
    """

    __tablename__ = "bank_accounts"
    name: Mapped[Short] = mapped_column(primary_key=True)
    number_hash: Mapped[Short | None]
    number_end: Mapped[Word | None]
    mapping: Mapped[dict[str, Json]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class BankStatement(Base):
    """One file of an account, as it was read. Written once.

    file_sha256: a file is imported once; lines: how many it holds, of which an earlier file may have said
    some. opening_minor, closing_minor: null where the file says no balance.
    """

    __tablename__ = "bank_statements"
    id: Mapped[PublicId]
    account: Mapped[Short] = mapped_column(ForeignKey("bank_accounts.name"))
    format: Mapped[Word]
    file_sha256: Mapped[Short] = mapped_column(unique=True)
    bank_reference: Mapped[str | None]
    from_on: Mapped[date]
    to_on: Mapped[date]
    asset: Mapped[Word]
    opening_minor: Mapped[int | None]
    closing_minor: Mapped[int | None]
    lines: Mapped[int]
    imported_by: Mapped[Link]
    imported_at: Mapped[datetime]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        CheckConstraint("format in ('camt053', 'csv')", name="format"),
        CheckConstraint("from_on <= to_on", name="days"),
        CheckConstraint("(opening_minor is null) = (closing_minor is null)", name="balances"),
        Index("ix_bank_statements_imported_at_id", "imported_at", "id"),
        Index("ix_bank_statements_account_to_on", "account", "to_on"),
    )


class BankLine(Base):
    """One line: what the bank booked on an account, in signed minor units, and what of ours it shows.

    statement_id: the file that said it first, and no its place there; null for one that a person typed.
    line_key: what makes it the same line in every file. reference_key: all its references as they are
    compared. counterparty_sealed: name and number of the other side, under the key of whom it is about.
    match_no: how often it was matched; looked_at: when it was last held against what is open.
    """

    __tablename__ = "bank_lines"
    id: Mapped[PublicId]
    account: Mapped[Short] = mapped_column(ForeignKey("bank_accounts.name"))
    statement_id: Mapped[Link | None] = mapped_column(ForeignKey("bank_statements.id"))
    no: Mapped[int]
    line_key: Mapped[str]
    bank_reference: Mapped[str | None]
    booked_on: Mapped[date]
    value_on: Mapped[date | None]
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    reference: Mapped[str]
    end_to_end_id: Mapped[str | None]
    reference_key: Mapped[str]
    counterparty_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[Word]
    payment_id: Mapped[Link | None] = mapped_column(ForeignKey("payments.id"))
    payout_id: Mapped[Link | None] = mapped_column(ForeignKey("provider_payouts.id"), unique=True)
    refund_id: Mapped[Link | None] = mapped_column(ForeignKey("refunds.id"))
    match_no: Mapped[int] = mapped_column(default=0)
    matched_by: Mapped[Link | None]
    matched_at: Mapped[datetime | None]
    note: Mapped[str | None]
    entry_id: Mapped[Link | None]
    looked_at: Mapped[datetime | None]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("state in ('unmatched', 'suggested', 'matched')", name="state"),
        CheckConstraint("amount_minor <> 0", name="amount"),
        CheckConstraint(
            "(case when payment_id is null then 0 else 1 end"
            " + case when payout_id is null then 0 else 1 end"
            " + case when refund_id is null then 0 else 1 end)"
            " = case when state = 'matched' then 1 else 0 end",
            name="shows_one",
        ),
        CheckConstraint("(state = 'matched') = (matched_at is not null)", name="matched"),
        UniqueConstraint("account", "line_key"),
        Index("ix_bank_lines_created_at_id", "created_at", "id"),
        Index("ix_bank_lines_state_created_at_id", "state", "created_at", "id"),
        Index("ix_bank_lines_statement_id", "statement_id"),
        Index("ix_bank_lines_account_bank_reference", "account", "bank_reference"),
        Index("ix_bank_lines_booked_on", "booked_on"),
        Index("ix_bank_lines_amount_minor", "amount_minor"),
        Index("ix_bank_lines_payment_id", "payment_id"),
        Index("ix_bank_lines_refund_id", "refund_id"),
        Index("ix_bank_lines_looked_at", "looked_at"),
    )


class BankDraft(Base):
    """A file that somebody is about to import: kept sealed while they look at how it would be read."""

    __tablename__ = "bank_drafts"
    id: Mapped[PublicId]
    account: Mapped[Short]
    sealed: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    made_by: Mapped[Link]
    made_at: Mapped[datetime]
    __table_args__ = (Index("ix_bank_drafts_made_at", "made_at"),)
