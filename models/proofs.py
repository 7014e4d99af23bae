"""How people prove themselves beyond a password, and how they are reached: passkeys, links, mail, notices."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Passkey(Base):
    """One passkey of a person: its public key and how often it signed (WebAuthn level 3)."""

    __tablename__ = "passkeys"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), index=True)
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    name: Mapped[str]
    transports: Mapped[list[Json]] = mapped_column(default=list)
    is_backed_up: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class Challenge(Base):
    """What a browser was asked for, answered once.

    purpose: `enrol`, `step_up` or `sign_in` ask a passkey to sign; `halfway` stands between the two
    steps of a sign-in, and then `challenge` is the hash of what only that browser holds.
    """

    __tablename__ = "challenges"
    id: Mapped[PublicId]
    user_id: Mapped[Link]
    purpose: Mapped[Word]
    challenge: Mapped[Short]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_challenges_expires_at", "expires_at"),)


class AccountLink(Base):
    """A link by which a person sets a password: an invitation or a reset; used once, kept hashed."""

    __tablename__ = "account_links"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[Word]
    token_hash: Mapped[Short] = mapped_column(unique=True)
    made_by: Mapped[Link]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (CheckConstraint("kind in ('invite', 'reset')", name="kind"),)


class Mail(Base):
    """One message to a person: written with what caused it, sent by the worker. Sealed: it holds links."""

    __tablename__ = "mails"
    id: Mapped[PublicId]
    user_id: Mapped[Link | None]
    kind: Mapped[Word]
    subject: Mapped[str]
    to_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[Word]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state in ('pending', 'sent', 'failed', 'dead')", name="state"),
        Index("ix_mails_due_at", "due_at"),
        Index("ix_mails_user_id", "user_id"),
    )


class Notice(Base):
    """One fact that a member of the staff is told by mail; those of ten minutes share a mail.

    fact: what makes a second report the same one; told_at: when a mail took it up.
    """

    __tablename__ = "notices"
    id: Mapped[PublicId]
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[Word]
    fact: Mapped[Short]
    text: Mapped[str]
    href: Mapped[str]
    at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("user_id", "fact"),
        Index("ix_notices_fact", "fact"),
        Index("ix_notices_told_at_user_id", "told_at", "user_id"),
        Index("ix_notices_user_id_kind_told_at", "user_id", "kind", "told_at"),
    )
