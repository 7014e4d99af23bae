"""Showing a second factor: tried where every try is counted first, then noted on the session it was shown in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Unauthenticated
from domain import audit
from domain.actors import Actor
from domain.people import challenges, lockouts, passkeys, second_factor, sessions
from domain.people.challenges import Purpose
from domain.people.passkeys import Site
from models.people import DeskSession, User

WORDS = "That code is not right, or was used already."


@dataclass(frozen=True)
class Shown:
    """What a person showed: six digits, or a passkey's answer to one of our challenges."""

    code: str = ""
    answer: str = ""
    challenge_id: str = ""


@dataclass(frozen=True)
class Asking:
    """Who asked for the proof. place: the desk session or half-way sign-in it was asked in."""

    purpose: Purpose
    place: str
    site: Site


def is_right(session: Session, user: User, shown: Shown, *, asking: Asking) -> bool:
    """Try what a person showed; a code and a challenge are used up by it.

    `lockouts.begin_proof` must have counted the try, and been committed, before.
    Writes: users, challenges, passkeys, audit_log. Transaction: caller's, committed either way.
    """
    if not shown.answer:
        return second_factor.accept_code(session, user, shown.code)
    challenge = challenges.use(
        session,
        shown.challenge_id,
        user_id=user.id,
        purpose=asking.purpose,
        place=asking.place,
    )
    if challenge is None:
        return False
    return passkeys.accept(session, user, shown.answer, challenge=challenge, site=asking.site)


def step_up(
    session: Session, shown: Shown, *, tried: str, token: str, actor: Actor, site: Site
) -> str | None:
    """Note on a session that its person has just proved themselves; None when what they showed was wrong.

    tried: the counted try; token: the cookie's value. Gives the cookie's new value, and the old one
    is dead at once, so that a session known to somebody else never gains rights.
    Writes: desk_sessions, users, challenges, passkeys, sign_in_attempts, audit_log.
    Raises: Unauthenticated when the session has ended meanwhile. Transaction: caller's.
    """
    user = session.get_one(User, actor.id)
    asking = Asking(Purpose.STEP_UP, actor.session_id or "", site)
    proved = is_right(session, user, shown, asking=asking)
    _write(session, actor, refused=not proved, by="passkey" if shown.answer else "code")
    if not proved:
        return None
    lockouts.forgive(session, [tried])
    return renew(session, token, actor=actor, stepped_up=True)


def renew(session: Session, token: str, *, actor: Actor, stepped_up: bool = False) -> str:
    """Give a session a new secret; the old one opens nothing any more. Gives the cookie's new value.

    Writes: desk_sessions. Raises: Unauthenticated when the session ended, or was renewed, meanwhile.
    Transaction: caller's.
    Source: OWASP ASVS 5.0 V7.2.4
    """
    fresh = ids.token(32)
    values: dict[str, object] = {"token_hash": sessions.token_hash("desk", fresh)}
    if stepped_up:
        values["stepped_up_at"] = clock.now()
    changed = session.execute(
        update(DeskSession)
        .where(
            DeskSession.id == actor.session_id,
            DeskSession.user_id == actor.id,
            DeskSession.token_hash == sessions.token_hash("desk", token),
            DeskSession.ended_at.is_(None),
        )
        .values(values)
        .returning(DeskSession.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise Unauthenticated("This session has ended. Sign in again.")
    return fresh


def _write(session: Session, actor: Actor, *, refused: bool, by: str) -> None:
    audit.write(
        session,
        "session.step_up",
        actor=actor,
        object_kind="session",
        object_id=actor.session_id or "",
        source=f"user:{actor.id}",
        after={"by": by},
        refused=refused,
    )
