"""Mail to people as rows, written with what caused it; the worker sends it (`domain/jobs/mail.py`).

Addresses and bodies are sealed: a body may hold a link that opens an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings, SmtpSettings
from core import clock, ids
from core.person_seal import KeyDestroyed
from core.states import Mail as State
from domain.people import people
from domain.secrets import keyring, person_keys
from domain.secrets.person_keys import Whose
from models.people import User
from models.proofs import Mail

# A wish for a reset link by somebody who forgot their password: no letter yet, see `account_links`.
FORGOT = "forgot"
_PURPOSE = "mail"
_SIGNED = "\n\n-- \nPaydesk, the payments desk\n{url}\n"


class Outlet(StrEnum):
    """What becomes of a letter: handed to a mail server, printed by the sandbox, or kept unsent."""

    SMTP = "smtp"
    CONSOLE = "console"
    NONE = "none"


@dataclass(frozen=True)
class Letter:
    """One plain message. kind: invite, reset, forgot, notice, told; receipt, refund and support go to payers."""

    kind: str
    subject: str
    body: str


@dataclass(frozen=True)
class Addressed:
    """A letter as it leaves: to whom, and the name it keeps when it is sent a second time."""

    mail_id: str
    to: str
    subject: str
    body: str


@dataclass(frozen=True)
class _Place:
    outlet: Outlet
    smtp: SmtpSettings
    public_url: str


_held: list[_Place] = []


def configure(settings: Settings) -> None:
    """Take from the settings where mail goes and what links begin with."""
    outlet = Outlet.SMTP if settings.smtp.is_configured else Outlet.NONE
    if settings.is_sandbox:
        outlet = Outlet.CONSOLE
    _held[:] = [_Place(outlet, settings.smtp, settings.public_url)]


def _place() -> _Place:
    if not _held:
        raise RuntimeError("mail has no settings yet")
    return _held[0]


def outlet() -> Outlet:
    """Tell what becomes of letters on this installation."""
    return _held[0].outlet if _held else Outlet.NONE


def smtp() -> SmtpSettings:
    """Give the mail server of this installation."""
    return _place().smtp


def link(path: str) -> str:
    """Write the address of a page of ours for somebody outside: from PUBLIC_URL, never from a request."""
    return f"{_place().public_url}{path}"


def write(session: Session, user: User, letter: Letter) -> Mail:
    """Write a letter to a person; it leaves after the commit. To somebody erased nothing leaves.

    Writes: mails. Transaction: caller's.
    """
    if user.erased_at is not None:
        row = _add(session, "", letter, body="", user_id=None)
        row.state, row.due_at, row.last_error = State.DEAD.value, None, "the person was erased"
        return row
    body = letter.body.rstrip() + _SIGNED.format(url=_place().public_url)
    return _add(session, people.email_of(user), letter, body=body, user_id=user.id)


def wish(session: Session, email: str) -> None:
    """Note that somebody at this address forgot their password, whether they are known or not.

    The worker looks who that is, so that the answer takes the same time for everybody.
    Writes: mails. Transaction: caller's.
    """
    _add(session, email, Letter(FORGOT, "", ""), body="", user_id=None)


def _add(session: Session, to: str, letter: Letter, *, body: str, user_id: str | None) -> Mail:
    mail_id, now = ids.new("mai"), clock.now()
    row = Mail(
        id=mail_id,
        user_id=user_id,
        kind=letter.kind,
        subject=letter.subject,
        to_sealed=_sealed(session, "to", mail_id, to, user_id),
        body_sealed=_sealed(session, "body", mail_id, body, user_id),
        state=State.PENDING.value,
        due_at=now,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _sealed(session: Session, what: str, mail_id: str, text: str, user_id: str | None) -> bytes:
    whose = Whose(user_id) if user_id is not None else None
    place = f"mails|{what}|{mail_id}"
    return person_keys.seal_text(session, whose, text, purpose=_PURPOSE, place=place)


def _opened(what: str, row: Mail, sealed: bytes) -> str:
    return person_keys.open_text(row, sealed, purpose=_PURPOSE, place=f"mails|{what}|{row.id}")


def to_of(row: Mail) -> str:
    """Open the address of a letter."""
    return _opened("to", row, row.to_sealed)


def opened(row: Mail) -> Addressed:
    """Open a letter for sending."""
    body = _opened("body", row, row.body_sealed)
    return Addressed(row.id, to_of(row), row.subject, body)


def emptied(session: Session, row: Mail) -> bytes:
    """Give the body that stays of a letter once it has left or never will: none; it may hold a link."""
    try:
        return _sealed(session, "body", row.id, "", row.user_id)
    except KeyDestroyed:
        pass
    return keyring.seal_text("", purpose=_PURPOSE, place=f"mails|body|{row.id}")


def newest_to(session: Session, user_id: str) -> Mail | None:
    """Find the last letter with a link that was written to a person."""
    statement = select(Mail).where(Mail.user_id == user_id, Mail.kind.in_(("invite", "reset")))
    return session.scalars(statement.order_by(Mail.created_at.desc(), Mail.id.desc())).first()
