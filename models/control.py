"""Control of money: approvals by a second person, freezes, and the desk's switches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Approval(Base):
    """One act that waits for a second person, bound to the hash of what was asked for.

    open_key: kind and object while it waits, else null; one request at a time. *_person: a blind
    index that two accounts of one person share. What was asked for never changes: a trigger says so.
    """

    __tablename__ = "approvals"
    id: Mapped[PublicId]
    kind: Mapped[Word]
    state: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    object_kind: Mapped[Word]
    object_id: Mapped[Link]
    merchant_id: Mapped[Link | None]
    order_id: Mapped[Link | None]
    payment_id: Mapped[Link | None]
    rail: Mapped[Word | None]
    amount_minor: Mapped[int | None]
    asset: Mapped[Word | None]
    destination: Mapped[str | None]
    text: Mapped[str]
    details: Mapped[dict[str, Json]]
    content_hash: Mapped[Short]
    reason: Mapped[str | None]
    requested_by: Mapped[Link]
    requested_kind: Mapped[Word]
    requested_person: Mapped[Short]
    requested_fresh: Mapped[bool]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[Link | None]
    decided_person: Mapped[Short | None]
    decided_reason: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    executed_at: Mapped[datetime | None]
    result: Mapped[dict[str, Json]] = mapped_column(default=dict)
    livemode: Mapped[bool] = mapped_column(default=False)
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        CheckConstraint(
            "state in ('pending', 'approved', 'executed', 'refused', 'expired', 'cancelled')",
            name="state",
        ),
        CheckConstraint(
            "state not in ('approved', 'executed')"
            " or (decided_by is not null and decided_person is not null"
            " and decided_by <> requested_by and decided_person <> requested_person)",
            name="two_people",
        ),
        CheckConstraint("state = 'pending' or open_key is null", name="open"),
        Index("ix_approvals_state_requested_at_id", "state", "requested_at", "id"),
        Index("ix_approvals_requested_at_id", "requested_at", "id"),
        Index("ix_approvals_object_id", "object_id"),
        Index("ix_approvals_payment_id", "payment_id"),
        Index("ix_approvals_requested_by", "requested_by"),
    )


class Freeze(Base):
    """A hold on money going out. open_key: scope and id while it holds, else null.

    scope_id is empty for `all`. lifted_by: who asked for the lift and who agreed.
    """

    __tablename__ = "freezes"
    id: Mapped[PublicId]
    scope: Mapped[Word]
    scope_id: Mapped[Link]
    state: Mapped[Word]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    cause: Mapped[Word]
    reason: Mapped[str]
    until: Mapped[datetime | None]
    engaged_by: Mapped[Short]
    engaged_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    lifted_by: Mapped[list[Json]] = mapped_column(default=list)
    approval_id: Mapped[Link | None]
    demo: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        CheckConstraint("scope in ('all', 'rail', 'merchant', 'order')", name="scope"),
        CheckConstraint("(scope = 'all') = (scope_id = '')", name="scope_id"),
        CheckConstraint("(state = 'active') = (open_key is not null)", name="open"),
        Index("ix_freezes_state_engaged_at_id", "state", "engaged_at", "id"),
        Index("ix_freezes_engaged_at_id", "engaged_at", "id"),
    )


class Control(Base):
    """One switch of the desk, such as `settlement_pause`; who set it, why and until when."""

    __tablename__ = "controls"
    name: Mapped[Word] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Json]]
    reason: Mapped[str | None]
    until: Mapped[datetime | None]
    set_by: Mapped[Short]
    set_at: Mapped[datetime]
