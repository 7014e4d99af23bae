"""Changing one's own password: whoever knew the old one is signed out, here too but for the one who changed it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import Conflict
from domain.actors import Actor
from domain.people import people, proof_letters, proving, second_factor, sessions


@dataclass(frozen=True)
class Changed:
    """What a new password did. ended: other sessions and tokens; token: the cookie's new value."""

    ended: int
    token: str


def change(
    session: Session, *, actor: Actor, token: str, old_hash: str | None, new_hash: str
) -> Changed:
    """Put a new password in the place of the one that was just shown.

    token: the cookie's value; old_hash: what the old password was held against.
    Writes: users, account_links, desk_sessions, revoked_tokens, mails, event_log, audit_log.
    Emits: user.changed, session.revoked. Raises: Conflict, Unauthenticated. Transaction: caller's.
    """
    user = second_factor.locked(session, actor.id)
    if user.password_hash != old_hash:
        raise Conflict("Your password was changed elsewhere meanwhile. Sign in again.")
    people.set_password(session, user, new_hash, actor=actor)
    ended = sessions.end_all(session, user.id, actor=actor, keep=actor.session_id)
    proof_letters.tell(session, user, "password")
    return Changed(len(ended), proving.renew(session, token, actor=actor))
