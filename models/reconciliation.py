"""Comparing with providers: their own bookings, their payouts, the runs that compare and what differed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class ProviderBooking(Base):
    """One booking of a provider on our balance with it (at Stripe: a balance transaction), as it tells it.

    Amounts in minor units of `asset`, the currency it keeps the balance in: amount = fee + net.
    presented_minor, presented_asset: what the payer's side says when it was exchanged, at `rate` (a
    decimal, as text). kind: in our words; word: the provider's own type. reference: the object it is
    about; payout_reference: the payout that paid it out. payment_id: whose it is; null for what is of no
    payment, and for what is of none of ours yet, which is posted nowhere.
    """

    __tablename__ = "provider_bookings"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    provider_reference: Mapped[str]
    kind: Mapped[Word]
    word: Mapped[Short]
    reference: Mapped[str | None]
    payment_id: Mapped[Link | None] = mapped_column(ForeignKey("payments.id"))
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    fee_minor: Mapped[int]
    net_minor: Mapped[int]
    presented_asset: Mapped[Word | None]
    presented_minor: Mapped[int | None]
    rate: Mapped[Short | None]
    payout_reference: Mapped[str | None]
    fee_entry_id: Mapped[Link | None]
    booked_at: Mapped[datetime]
    available_at: Mapped[datetime | None]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("amount_minor - fee_minor = net_minor", name="adds_up"),
        UniqueConstraint("provider", "livemode", "provider_reference"),
        Index("ix_provider_bookings_payment_id", "payment_id"),
        Index("ix_provider_bookings_of_payout", "provider", "payout_reference"),
        Index("ix_provider_bookings_booked_at_id", "booked_at", "id"),
        Index("ix_provider_bookings_reference", "reference"),
        Index("ix_provider_bookings_kind_payment_id", "kind", "payment_id"),
    )


class ProviderPayout(Base):
    """What a provider paid out to our bank. status: the provider's word, failure: its word for why it failed.

    bank_account, bank_line: what shows it there, once; matched_minor: how much of it; entry_id: the entry
    that moved it there. listed_at: when the bookings that it is made of were read.
    """

    __tablename__ = "provider_payouts"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    provider_reference: Mapped[str]
    status: Mapped[Word]
    asset: Mapped[Word]
    amount_minor: Mapped[int]
    arrives_at: Mapped[datetime | None]
    failure: Mapped[Short | None]
    matched_minor: Mapped[int | None]
    entry_id: Mapped[Link | None]
    bank_account: Mapped[Short | None]
    bank_line: Mapped[str | None]
    matched_by: Mapped[Link | None]
    matched_at: Mapped[datetime | None]
    listed_at: Mapped[datetime | None]
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("provider", "livemode", "provider_reference"),
        # One line of a statement shows one payout.
        UniqueConstraint("bank_account", "bank_line"),
        Index("ix_provider_payouts_created_at_id", "created_at", "id"),
    )


class ReconciliationRun(Base):
    """One comparison of a window. open_key: `provider:from:to` while it runs, else null.

    step: which part it is at, and cursor: where in it, so that another process goes on after a kill.
    heals: what is missing here is applied as it is found, else it is offered; of_run_id: this one applies
    what that one offered. due_at: when somebody may take it up; moved ahead by whoever has it in hand.
    """

    __tablename__ = "reconciliation_runs"
    id: Mapped[PublicId]
    provider: Mapped[Word]
    cause: Mapped[Word]
    asked_by: Mapped[Link | None]
    window_from: Mapped[datetime]
    window_to: Mapped[datetime]
    status: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    step: Mapped[Word]
    cursor: Mapped[str | None]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    counts: Mapped[dict[str, Json]] = mapped_column(default=dict)
    heals: Mapped[bool] = mapped_column(default=False)
    of_run_id: Mapped[Link | None] = mapped_column(ForeignKey("reconciliation_runs.id"))
    reason: Mapped[str | None]
    last_error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    livemode: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_reconciliation_runs_started_at_id", "started_at", "id"),
        Index("ix_reconciliation_runs_provider_started_at_id", "provider", "started_at", "id"),
        Index("ix_reconciliation_runs_due_at", "due_at"),
        Index("ix_reconciliation_runs_of_run_id", "of_run_id"),
    )


class ReconciliationObject(Base):
    """One object that a provider holds, as a run read it; thrown away when the run is over.

    kind: payment, refund or dispute; reference: the provider's own name of it. state: how it stands there,
    in our words, `absent` for what it was asked for and does not know. amount_minor: what arrived, was
    given back or is asked back; made_at: when it was made there, or here; seen_at: as of when this is so.
    """

    __tablename__ = "reconciliation_objects"
    run_id: Mapped[Link] = mapped_column(ForeignKey("reconciliation_runs.id"), primary_key=True)
    kind: Mapped[Word] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[Link | None]
    state: Mapped[Word]
    asset: Mapped[Word | None]
    amount_minor: Mapped[int | None]
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_reconciliation_objects_of_payment", "run_id", "kind", "payment_id"),
    )


class ReconciliationDifference(Base):
    """One thing that differed in a run. ours, theirs, books: the three values, written for people.

    subject: what it is about, the same in every run; subject_at: when that was made, so that a later run
    over the same time can tell whether it is still so. effect: what a backfill would do, or did, and
    effect_hash what it must still come to when it is applied.
    """

    __tablename__ = "reconciliation_differences"
    id: Mapped[PublicId]
    run_id: Mapped[Link] = mapped_column(ForeignKey("reconciliation_runs.id"))
    kind: Mapped[Word]
    subject: Mapped[str]
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    books: Mapped[str | None]
    asset: Mapped[Word | None]
    amount_minor: Mapped[int | None]
    payment_id: Mapped[Link | None]
    provider_reference: Mapped[str | None]
    case_id: Mapped[Link | None]
    state: Mapped[Word]
    effect: Mapped[str | None]
    effect_hash: Mapped[Short | None]
    subject_at: Mapped[datetime]
    found_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("run_id", "kind", "subject"),
        Index("ix_reconciliation_differences_run_id_id", "run_id", "id"),
        Index("ix_reconciliation_differences_payment_id", "payment_id"),
        Index("ix_reconciliation_differences_state_subject_at", "state", "subject_at"),
    )
