"""Operations: one act asked of a provider, written down before the call and settled after it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Operation(Base):
    """business_key: what may happen only once; provider_key: the provider's idempotency key,
    derived from id and epoch; fence: rises with each lease, so that a zombie's write is refused.
    """

    __tablename__ = "operations"
    id: Mapped[PublicId]
    kind: Mapped[Word]
    business_key: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[Word]
    provider_key: Mapped[Short]
    epoch: Mapped[int] = mapped_column(default=1)
    provider_reference: Mapped[str | None]
    request: Mapped[dict[str, Json]]
    request_hash: Mapped[Short]
    state: Mapped[Word]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    result_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    error_code: Mapped[Short | None]
    error_message: Mapped[str | None]
    last_error: Mapped[str | None]
    payment_id: Mapped[Link | None] = mapped_column(ForeignKey("payments.id"))
    order_id: Mapped[Link | None] = mapped_column(ForeignKey("orders.id"))
    actor: Mapped[Short]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_operations_due_at", "due_at"),
        Index("ix_operations_payment_id", "payment_id"),
        Index("ix_operations_provider_reference", "provider_reference"),
    )
