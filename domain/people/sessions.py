"""Desk sessions and issued tokens as rows: opened at sign-in, dead on the server the moment they end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import NotFound
from core.states import Kyc, Role
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.mail import notice_facts
from domain.people import people
from models.people import DeskSession, RevokedToken, User

# Source: OWASP ASVS 5.0 V7.3; NIST SP 800-63B-3 section 4.2.3 (30 minutes idle, 12 hours in all)
IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 12 * 3600
# How often a session that is used is written down as seen.
TOUCH_SECONDS = 60
# No token lives longer; a revocation is kept as long as its token could.
LONGEST_TOKEN_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Opened:
    """A session just opened; token: the cookie's value, shown this once."""

    session_id: str
    token: str


@dataclass(frozen=True)
class Found:
    """A live session with its person as they are now. is_due: it should be written down as seen."""

    actor: Actor
    stepped_up_at: datetime | None
    ends_at: datetime
    is_due: bool
    theme: str | None


def token_hash(kind: str, token: str) -> str:
    """Hash a session's secret; a cookie never matches a token's row, nor the other way."""
    return hashing.sha256(f"{kind}|{token}".encode())


def actor_of(
    user: User,
    *,
    session_id: str | None = None,
    address: str | None = None,
    stepped_up_at: datetime | None = None,
) -> Actor:
    """Say who a user is to the rules, as they stand now."""
    return Actor(
        id=user.id,
        kind="user",
        role=Role(user.role),
        name=user.name or user.id,
        merchant_id=user.merchant_id,
        kyc=Kyc(user.kyc),
        session_id=session_id,
        address=address,
        stepped_up_at=stepped_up_at,
    )


def open_session(
    session: Session,
    user: User,
    *,
    address: str | None,
    browser: str | None,
    stepped_up: bool = False,
) -> Opened:
    """Open a desk session; always a new id and a new secret. stepped_up: a second factor was shown.

    Writes: desk_sessions, users.seen_at, notices, audit_log. Transaction: caller's.
    """
    token, session_id, now = ids.token(32), ids.new("ses"), clock.now()
    row = DeskSession(
        id=session_id,
        token_hash=token_hash("desk", token),
        user_id=user.id,
        created_at=now,
        seen_at=now,
        stepped_up_at=now if stepped_up else None,
        address=address,
        browser=(browser or "")[:200] or None,
    )
    session.add(row)
    user.seen_at = now
    session.flush()
    notice_facts.signed_in(session, row)
    audit.write(
        session,
        "session.open",
        actor=actor_of(user, session_id=session_id, address=address),
        object_kind="session",
        object_id=session_id,
        source=f"user:{user.id}",
    )
    return Opened(session_id, token)


def find_session(session: Session, token: str, *, address: str | None = None) -> Found | None:
    """Find the live desk session of a cookie: not ended, not idle, not too old, its user active."""
    now = clock.now()
    row = session.execute(
        select(DeskSession, User)
        .join(User, User.id == DeskSession.user_id)
        .where(
            DeskSession.token_hash == token_hash("desk", token),
            DeskSession.ended_at.is_(None),
            DeskSession.seen_at > clock.after(-IDLE_SECONDS),
            DeskSession.created_at > clock.after(-ABSOLUTE_SECONDS),
            User.state == "active",
        )
    ).first()
    if row is None:
        return None
    desk, user = row
    return Found(
        actor=actor_of(user, session_id=desk.id, address=address, stepped_up_at=desk.stepped_up_at),
        stepped_up_at=desk.stepped_up_at,
        ends_at=desk.created_at + timedelta(seconds=ABSOLUTE_SECONDS),
        is_due=(now - desk.seen_at).total_seconds() > TOUCH_SECONDS,
        theme=user.theme,
    )


def touch(session: Session, session_id: str, *, user_id: str) -> None:
    """Write down that a session and its person were seen now.

    Writes: desk_sessions.seen_at, users.seen_at. Transaction: caller's.
    """
    now = clock.now()
    session.execute(update(DeskSession).where(DeskSession.id == session_id).values(seen_at=now))
    session.execute(update(User).where(User.id == user_id).values(seen_at=now))


def note_token(
    session: Session, user: User, jti: str, *, address: str | None, stepped_up: bool
) -> None:
    """Write down that a token was issued, so that its person sees it and can end it.

    Writes: desk_sessions, users.seen_at. Transaction: caller's.
    """
    now = clock.now()
    session.add(
        DeskSession(
            id=jti,
            token_hash=token_hash("jwt", jti),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            stepped_up_at=now if stepped_up else None,
            address=address,
        )
    )
    user.seen_at = now


def kind_of(session_id: str) -> str:
    """Tell what a row stands for: `desk` or `jwt`."""
    return "jwt" if session_id.startswith("jti_") else "desk"


def _live() -> list[ColumnElement[bool]]:
    desk = DeskSession.id.startswith("ses_", autoescape=True)
    return [
        DeskSession.ended_at.is_(None),
        or_(~desk, DeskSession.seen_at > clock.after(-IDLE_SECONDS)),
        DeskSession.created_at > clock.after(-LONGEST_TOKEN_SECONDS),
        or_(~desk, DeskSession.created_at > clock.after(-ABSOLUTE_SECONDS)),
    ]


def list_sessions(session: Session, user_id: str) -> list[DeskSession]:
    """List a user's live sessions and tokens, newest first."""
    statement = select(DeskSession).where(DeskSession.user_id == user_id, *_live())
    return list(session.scalars(statement.order_by(DeskSession.created_at.desc())))


def wire(row: DeskSession, *, current_id: str | None) -> dict[str, Json]:
    """Write a session as the API answers it."""
    return {
        "sessionId": row.id,
        "kind": kind_of(row.id),
        "createdAt": clock.rfc3339(row.created_at),
        "seenAt": clock.rfc3339(row.seen_at),
        "address": row.address,
        "browser": row.browser,
        "current": row.id == current_id,
    }


def end_session(session: Session, session_id: str, *, user_id: str, actor: Actor) -> None:
    """End one session or token of a user; all processes notice within seconds.

    Writes: desk_sessions, revoked_tokens, event_log, audit_log. Emits: session.revoked.
    Raises: NotFound. Transaction: caller's.
    """
    row = session.get(DeskSession, session_id)
    if row is None or row.user_id != user_id:
        raise NotFound
    _end(session, [row], user_id=user_id, actor=actor)


def end_token(session: Session, jti: str, *, actor: Actor) -> None:
    """End the very token that was shown, whether its issue was written down or not.

    Writes, emits: as `end_session`. Transaction: caller's.
    """
    row = session.get(DeskSession, jti)
    if row is not None and row.user_id == actor.id:
        _end(session, [row], user_id=actor.id, actor=actor)
    else:
        revoke_token(session, jti, user_id=actor.id)


def end_all(session: Session, user_id: str, *, actor: Actor, keep: str | None = None) -> list[str]:
    """End all sessions and tokens of a user, but for `keep`. Gives their ids.

    Writes: as `end_session`. Transaction: caller's.
    """
    rows = [row for row in list_sessions(session, user_id) if row.id != keep]
    _end(session, rows, user_id=user_id, actor=actor)
    return [row.id for row in rows]


def forget_old(session: Session, *, now: datetime) -> None:
    """Delete revocations of tokens that have ended by themselves; sessions go by `retention.py`.

    Writes: revoked_tokens. Transaction: caller's.
    """
    session.execute(delete(RevokedToken).where(RevokedToken.expires_at < now))


def _end(session: Session, rows: list[DeskSession], *, user_id: str, actor: Actor) -> None:
    for row in rows:
        if row.ended_at is not None:
            continue
        row.ended_at = clock.now()
        if kind_of(row.id) == "jwt":
            revoke_token(session, row.id, user_id=user_id)
        told: dict[str, Json] = {"userId": user_id, "what": "session", "sessionId": row.id}
        about = people.about_user(user_id)
        event = events.row("session.revoked", about, source=f"user:{actor.id}", body=told)
        events.append(session, [event])
        audit.write(
            session,
            "session.revoke",
            actor=actor,
            object_kind="session",
            object_id=row.id,
            source=f"user:{actor.id}",
            after={"userId": user_id},
        )
    session.flush()


def find_token_user(
    session: Session, user_id: str, jti: str, *, address: str | None = None
) -> Actor | None:
    """Find the active user of a token that was not revoked."""
    user = session.get(User, user_id)
    if user is None or user.state != "active" or session.get(RevokedToken, jti) is not None:
        return None
    return actor_of(user, session_id=jti, address=address)


def revoke_token(session: Session, jti: str, *, user_id: str) -> None:
    """Kill a token before its time; a second call changes nothing.

    Writes: revoked_tokens. Transaction: caller's.
    """
    if session.get(RevokedToken, jti) is None:
        session.add(
            RevokedToken(
                jti=jti,
                user_id=user_id,
                revoked_at=clock.now(),
                expires_at=clock.after(LONGEST_TOKEN_SECONDS),
            )
        )
        session.flush()
