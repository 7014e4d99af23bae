"""The second factor: time-based codes, each accepted once; enrolment is not here."""

from __future__ import annotations

import hmac

import pyotp
from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from core import clock
from domain import keyring
from models.people import User

STEP_SECONDS = 30
_PURPOSE = "totp"


def place(user_id: str) -> str:
    """Name where a user's secret is sealed."""
    return f"users|totp|{user_id}"


def is_enrolled(user: User) -> bool:
    """Tell whether the user set a second factor up."""
    return user.totp_sealed is not None


def accept_code(session: Session, user: User, code: str) -> bool:
    """Accept a code of this moment or one step beside it, never the same step twice.

    Writes: users.totp_last_counter. Transaction: caller's.
    Source: RFC 6238 section 5.2 (one-time use, one step of delay)
    """
    if user.totp_sealed is None or not (code.isascii() and code.isdigit() and len(code) == 6):
        return False
    secret = keyring.open_text(user.totp_sealed, purpose=_PURPOSE, place=place(user.id))
    codes, now = pyotp.TOTP(secret, interval=STEP_SECONDS), clock.unix() // STEP_SECONDS
    for counter in (now, now - 1, now + 1):
        if hmac.compare_digest(codes.generate_otp(counter), code):
            return _use(session, user.id, counter)
    return False


def _use(session: Session, user_id: str, counter: int) -> bool:
    last = User.totp_last_counter
    changed = session.execute(
        update(User)
        .where(User.id == user_id, or_(last.is_(None), last < counter))
        .values(totp_last_counter=counter)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    ).first()
    return changed is not None
