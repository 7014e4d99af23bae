"""Users, merchants and their API keys, desk sessions, revoked tokens and sign-in attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from core.strictjson import Json
from models.base import Base, Link, PublicId, Short, Word


class Merchant(Base):
    """One business whose payments Paydesk takes; the house merchant owns what has no other."""

    __tablename__ = "merchants"
    id: Mapped[PublicId]
    name: Mapped[str]
    slug: Mapped[Short] = mapped_column(unique=True)
    state: Mapped[Word]
    kyc: Mapped[Word]
    is_house: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class User(Base):
    """One person. The e-mail address is sealed; `email_index` finds it, exact match only."""

    __tablename__ = "users"
    id: Mapped[PublicId]
    email_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    email_index: Mapped[Short] = mapped_column(unique=True)
    name: Mapped[str | None]
    role: Mapped[Word]
    kyc: Mapped[Word]
    state: Mapped[Word]
    merchant_id: Mapped[Link | None] = mapped_column(ForeignKey("merchants.id"))
    password_hash: Mapped[str | None]
    totp_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_last_counter: Mapped[int | None]
    # Null while the secret was only handed out (the sandbox's): it proves the person at guarded
    # acts, and a sign-in asks for it only once they have set it up themselves.
    totp_confirmed_at: Mapped[datetime | None]
    totp_pending_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Two accounts of one person share it: the address without case and `+tag`, as a blind index.
    person_index: Mapped[Short | None] = mapped_column(index=True)
    password_set_at: Mapped[datetime | None]
    notify: Mapped[dict[str, Json]] = mapped_column(nullable=True)
    theme: Mapped[Word | None]
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    # When the person asked to be erased, and when they were: then the row is an empty shell.
    erasure_asked_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state in ('active', 'disabled', 'locked')", name="state"),
        CheckConstraint("erased_at is null or state = 'disabled'", name="erased"),
        CheckConstraint("kyc in ('none', 'pending', 'approved', 'rejected')", name="kyc"),
        Index("ix_users_role", "role"),
    )


class ApiKey(Base):
    """A merchant's key: found by its public part, proved by the hash of its secret part."""

    __tablename__ = "api_keys"
    id: Mapped[PublicId]
    merchant_id: Mapped[Link] = mapped_column(ForeignKey("merchants.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[Short] = mapped_column(unique=True)
    secret_hash: Mapped[Short]
    livemode: Mapped[bool]
    scopes: Mapped[list[Json]]
    state: Mapped[Word]
    # Whoever made it has seen it, so what it asks for is theirs as well.
    made_by: Mapped[Link | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    # The key that this one takes over from, and when that one ends.
    replaces_id: Mapped[Link | None]
    retire_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class DeskSession(Base):
    """One signed-in browser (`ses_…`, the cookie's value hashed) or one issued token (`jti_…`)."""

    __tablename__ = "desk_sessions"
    id: Mapped[PublicId]
    token_hash: Mapped[Short] = mapped_column(unique=True)
    user_id: Mapped[Link] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    stepped_up_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    address: Mapped[Short | None]
    browser: Mapped[str | None]


class RevokedToken(Base):
    """A JWT that was ended before its time."""

    __tablename__ = "revoked_tokens"
    jti: Mapped[PublicId]
    user_id: Mapped[Link]
    revoked_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SignInAttempt(Base):
    """One refused sign-in; lockouts count these rows. `subject` is a blind index or an address hash."""

    __tablename__ = "sign_in_attempts"
    id: Mapped[PublicId]
    subject: Mapped[Short]
    at: Mapped[datetime]
    __table_args__ = (Index("ix_sign_in_attempts_subject_at", "subject", "at"),)
