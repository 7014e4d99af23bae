"""Letters to a person whose password or second factor changed: whoever did it, they should know.

Source: OWASP ASVS 5.0 V6.3.7
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from domain.mail import mails
from domain.mail.mails import Letter
from models.people import User

_ELSE = "If that was you, all is well. If not, tell an admin at once."
_CHANGED: Mapping[str, tuple[str, str]] = {
    "second_factor.set_up": (
        "A second factor was set up for your Paydesk account",
        "a second factor was just set up for your account. Signing in asks for one from now on.",
    ),
    "second_factor.remove": (
        "A second factor of your Paydesk account was removed",
        "a second factor of your account was just removed.",
    ),
    "second_factor.reset": (
        "Your Paydesk second factor was reset",
        "an admin has just reset your second factor, and you were signed out everywhere.",
    ),
    "password": (
        "Your Paydesk password was changed",
        "the password of your account was just changed, and you were signed out everywhere else.",
    ),
}


def tell(session: Session, user: User, what: str) -> None:
    """Write to a person what changed about how they prove themselves.

    Writes: mails. Transaction: caller's.
    """
    subject, body = _CHANGED[what]
    mails.write(session, user, Letter("told", subject, f"Hello,\n\n{body} {_ELSE}"))
