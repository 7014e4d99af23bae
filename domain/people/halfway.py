"""Between the two steps of a sign-in: who showed the right password, in which browser, for five minutes.

One row, used once; the browser holds its key, and what the row holds is void as soon as the password changes.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Unauthenticated
from domain import audit
from domain.people import challenges, lockouts, people, proving, sessions
from domain.people.challenges import Purpose
from domain.people.passkeys import Site
from domain.people.proving import Asking, Shown
from models.people import User
from models.proofs import Challenge


@dataclass(frozen=True)
class Halfway:
    """A sign-in whose password was right. id: names it in challenges."""

    id: str
    user_id: str


def begin(session: Session, user: User) -> str:
    """Note that a person's password was right. Gives what their browser must keep.

    Writes: challenges. Transaction: caller's.
    """
    key = ids.token(32)
    row = Challenge(
        id=ids.new("chl"),
        user_id=user.id,
        purpose=Purpose.HALFWAY.value,
        challenge=_kept(key, user),
        expires_at=clock.after(challenges.LIVES_SECONDS),
    )
    session.add(row)
    session.flush()
    return f"{row.id}.{key}"


def find(session: Session, held: str) -> Halfway | None:
    """Find the sign-in that a browser is in the middle of."""
    row_id, _, key = held.partition(".")
    row = session.get(Challenge, row_id) if key else None
    if row is None or row.purpose != Purpose.HALFWAY.value or row.used_at is not None:
        return None
    user = session.get(User, row.user_id)
    if row.expires_at <= clock.now() or user is None or user.state != "active":
        return None
    is_ours = hmac.compare_digest(row.challenge, _kept(key, user))
    return Halfway(row.id, user.id) if is_ours else None


def begin_proof(session: Session, halfway: Halfway, *, ip: str) -> list[str]:
    """Count a second factor that is about to be tried: for the person, the account and the address.

    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's, committed before the trial.
    """
    user = session.get_one(User, halfway.user_id)
    rows = lockouts.begin(session, people.email_of(user), ip=ip)
    return [*rows, lockouts.begin_proof(session, user.id)]


def finish(
    session: Session, held: str, shown: Shown, *, tried: list[str], site: Site
) -> User | None:
    """Give the user who showed the right second factor too; None when it was wrong.

    Writes: challenges, users, passkeys, sign_in_attempts, audit_log.
    Raises: Unauthenticated when this sign-in was finished, or took too long. Transaction: caller's.
    """
    halfway = find(session, held)
    if halfway is None:
        raise Unauthenticated("This sign-in took too long. Begin again.")
    user = session.get_one(User, halfway.user_id)
    asking = Asking(Purpose.SIGN_IN, halfway.id, site)
    if not proving.is_right(session, user, shown, asking=asking):
        _refuse(session, user)
        return None
    _use(session, halfway)
    lockouts.forgive(session, tried)
    return user


def _use(session: Session, halfway: Halfway) -> None:
    changed = session.execute(
        update(Challenge)
        .where(Challenge.id == halfway.id, Challenge.used_at.is_(None))
        .values(used_at=clock.now())
        .returning(Challenge.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise Unauthenticated("This sign-in was finished already.")


def _refuse(session: Session, user: User) -> None:
    audit.write(
        session,
        "session.second_factor",
        actor=sessions.actor_of(user),
        object_kind="user",
        object_id=user.id,
        source=f"user:{user.id}",
        refused=True,
    )


def _kept(key: str, user: User) -> str:
    return hashing.sha256(f"halfway|{key}|{user.password_hash}".encode())
