"""Lockouts: refused sign-ins and wrong proofs as rows, counted across all processes.

Sign-ins count per account and per address; second factors per person, whatever session they come from.
"""

from __future__ import annotations

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import RateLimited
from domain import database
from domain.secrets import keyring
from models.people import SignInAttempt

WINDOW_SECONDS = 60
PER_ACCOUNT = 5
PER_ADDRESS = 20
# A guessed code is right three times in a million: five a quarter of an hour make a year of guessing.
# Source: NIST SP 800-63B-4 section 3.2.2 (throttling), OWASP ASVS 5.0 V6.6.3
PROOF_WINDOW_SECONDS = 15 * 60
PROOFS = 5


def account(email: str) -> str:
    """Name an account in the attempts, whether it exists or not."""
    return keyring.vault().blind_index(email, purpose="sign-in account")


def address(ip: str) -> str:
    """Name an address in the attempts."""
    return keyring.vault().blind_index(ip, purpose="sign-in address")


def begin(session: Session, email: str, *, ip: str) -> list[str]:
    """Count a sign-in that begins as refused; `forgive` takes it back. Gives the attempts' ids.

    Counting first keeps many guesses at the same moment from slipping past the limit together.
    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's, before the password is tried.
    """
    now = clock.now()
    made = []
    for subject, most in ((account(email), PER_ACCOUNT), (address(ip), PER_ADDRESS)):
        _alone(session, subject)
        _assert_below(session, subject, most)
        attempt = SignInAttempt(id=ids.new("sia"), subject=subject, at=now)
        session.add(attempt)
        made.append(attempt.id)
    session.flush()
    return made


def person(user_id: str) -> str:
    """Name a person whose second factor is tried."""
    return keyring.vault().blind_index(user_id, purpose="second factor")


def begin_proof(session: Session, user_id: str) -> str:
    """Count a second factor that is about to be tried as wrong; `forgive` takes it back. Gives its id.

    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's, committed before the trial.
    """
    subject = person(user_id)
    _alone(session, subject)
    _assert_below(session, subject, PROOFS, window=PROOF_WINDOW_SECONDS)
    attempt = SignInAttempt(id=ids.new("sia"), subject=subject, at=clock.now())
    session.add(attempt)
    session.flush()
    return attempt.id


def count_wish(session: Session, email: str, *, ip: str) -> None:
    """Count somebody who says that they forgot their password, whether the account exists or not.

    Apart from the sign-ins, so that nobody is kept out by somebody else's wishes.
    Writes: sign_in_attempts. Raises: RateLimited. Transaction: caller's.
    """
    vault = keyring.vault()
    subjects = (
        (vault.blind_index(email, purpose="forgot account"), PER_ACCOUNT),
        (vault.blind_index(ip, purpose="forgot address"), PER_ADDRESS),
    )
    for subject, most in subjects:
        _alone(session, subject)
        _assert_below(session, subject, most)
        session.add(SignInAttempt(id=ids.new("sia"), subject=subject, at=clock.now()))
    session.flush()


def _alone(session: Session, subject: str) -> None:
    # On SQLite there is one writer anyway.
    if not database.is_sqlite():
        number = int(hashing.sha256(subject.encode())[:15], 16)
        session.execute(text("select pg_advisory_xact_lock(:number)"), {"number": number})


def _assert_below(
    session: Session, subject: str, most: int, *, window: int = WINDOW_SECONDS
) -> None:
    since = clock.after(-window)
    counted, oldest = session.execute(
        select(func.count(), func.min(SignInAttempt.at)).where(
            SignInAttempt.subject == subject, SignInAttempt.at > since
        )
    ).one()
    if counted >= most:
        wait = window - (clock.now() - oldest).total_seconds()
        raise RateLimited(_words(window), retry_after=max(1, int(wait) + 1))


def _words(window: int) -> str:
    if window == WINDOW_SECONDS:
        return "Too many sign-ins were refused. Wait a minute, then try again."
    return f"Too many wrong codes. Wait up to {window // 60} minutes, then try again."


def forgive(session: Session, attempts: list[str]) -> None:
    """Take back the attempts of a sign-in that succeeded.

    Writes: sign_in_attempts. Transaction: caller's.
    """
    session.execute(delete(SignInAttempt).where(SignInAttempt.id.in_(attempts)))
