"""Signing in, in three steps so that no transaction is open while the password is tried.

1. `begin` counts the attempt; 2. `is_right` tries the password, outside any transaction;
3. `admit` takes the attempt back and gives the user, or raises the same words for every cause.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import Unauthenticated
from domain import lockouts, passwords, people, second_factor
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


def admit(session: Session, attempt: Attempt, *, is_right: bool, code: str | None = None) -> User:
    """Give the user whose password, and code where one is set up, were right.

    Writes: sign_in_attempts, users. Transaction: caller's.
    Raises: Unauthenticated, the same for an unknown address, a wrong password and a closed
    account; with code SECOND_FACTOR_REQUIRED when the password was right and no code came.
    """
    user = session.get(User, attempt.user_id) if attempt.user_id else None
    if user is None or not is_right or user.state != "active":
        raise Unauthenticated(WORDS)
    if second_factor.is_enrolled(user):
        if code is None:
            raise Unauthenticated(
                "Send the code of your second factor too.", code="SECOND_FACTOR_REQUIRED"
            )
        if not second_factor.accept_code(session, user, code):
            raise Unauthenticated(WORDS)
    lockouts.forgive(session, list(attempt.rows))
    return user


def refresh_hash(session: Session, user: User, password_hash: str) -> None:
    """Store a hash made with today's costs.

    Writes: users.password_hash. Transaction: caller's.
    """
    user.password_hash = password_hash
    session.flush()
