"""Signing in, in steps so that no transaction is open while the password is tried.

1. `begin` counts the attempt; 2. `is_right` tries the password, outside any transaction;
3. `recognise` takes the attempt back and gives the user, or raises the same words for every cause.
Where a second factor is set up, the desk goes on in `domain/people/halfway.py` and the API in `admit`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import Unauthenticated
from domain.people import lockouts, passwords, people, second_factor
from models.people import User

WORDS = "The address or the password is not right."


@dataclass(frozen=True)
class Attempt:
    """A sign-in under way. user_id and password_hash None: nobody of that address."""

    rows: tuple[str, ...]
    user_id: str | None
    password_hash: str | None


def begin(session: Session, email: str, *, ip: str) -> Attempt:
    """Count the attempt and look the account up.

    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's.
    """
    rows = lockouts.begin(session, email, ip=ip)
    user = people.find_user(session, email)
    if user is None:
        return Attempt(tuple(rows), None, None)
    return Attempt(tuple(rows), user.id, user.password_hash)


def is_right(attempt: Attempt, password: str) -> bool:
    """Try the password; takes as long when there is no such account."""
    return passwords.verify(attempt.password_hash, password)


def recognise(session: Session, attempt: Attempt, *, is_right: bool) -> User:
    """Give the user whose password was right.

    Writes: sign_in_attempts. Transaction: caller's.
    Raises: Unauthenticated, the same for an unknown address, a wrong password and a closed account.
    """
    user = session.get(User, attempt.user_id) if attempt.user_id else None
    # Whoever set another password meanwhile meant the old one to open nothing.
    is_same = user is not None and user.password_hash == attempt.password_hash
    if user is None or not (is_right and is_same) or user.state != "active":
        raise Unauthenticated(WORDS)
    lockouts.forgive(session, list(attempt.rows))
    return user


def begin_code(session: Session, attempt: Attempt) -> str:
    """Count a code that comes with a right password, before it is tried.

    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's, committed before the trial.
    """
    assert attempt.user_id is not None
    return lockouts.begin_proof(session, attempt.user_id)


def admit(
    session: Session,
    attempt: Attempt,
    *,
    is_right: bool,
    code: str | None = None,
    tried: str | None = None,
) -> tuple[User, bool]:
    """Give the user whose password was right, and code where one is set up; and whether a code was shown.

    tried: the counted try of the code. A secret that was only handed out is taken, not demanded.
    Writes: sign_in_attempts, users. Transaction: caller's.
    Raises: as `recognise`, for a wrong code too; with code SECOND_FACTOR_REQUIRED when the password
    was right and no code came.
    """
    user = recognise(session, attempt, is_right=is_right)
    found = second_factor.factors(session, user)
    if code is None and found.is_set_up:
        raise Unauthenticated(
            "Send the code of your second factor too.", code="SECOND_FACTOR_REQUIRED"
        )
    if code is None:
        return user, False
    if not found.any:
        _forget(session, tried)
        return user, False
    if tried is None or not second_factor.accept_code(session, user, code):
        raise Unauthenticated(WORDS)
    _forget(session, tried)
    return user, True


def _forget(session: Session, tried: str | None) -> None:
    if tried is not None:
        lockouts.forgive(session, [tried])


def refresh_hash(session: Session, user: User, password_hash: str) -> None:
    """Store a hash made with today's costs.

    Writes: users.password_hash. Transaction: caller's.
    """
    user.password_hash = password_hash
    session.flush()
