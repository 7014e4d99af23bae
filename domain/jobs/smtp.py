"""Handing a letter to the mail server: the one socket that is not a payment network's.

Called by `domain/jobs/mail.py` while no transaction is open.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from config import SmtpSettings
from core import clock
from domain.mail.mails import Addressed

TIMEOUT_SECONDS = 15.0


class NotSent(Exception):
    """The letter did not leave. is_final: asking again gives the same; said: holds no address."""

    def __init__(self, said: str, *, is_final: bool = False) -> None:
        self.said, self.is_final = said, is_final
        super().__init__(said)


def written(letter: Addressed, sender: str) -> bytes:
    """Write a letter as it goes over the wire.

    Raises: NotSent for an address or a subject that no header can hold
    Source: RFC 5322; RFC 3834 section 5 (Auto-Submitted)
    """
    made = EmailMessage(policy=SMTP)
    try:
        made["From"] = Address("Paydesk", addr_spec=sender)
        made["To"] = Address(addr_spec=letter.to)
        made["Subject"] = letter.subject
    except (ValueError, IndexError, MessageError) as error:
        # The parser of the standard library raises any of these for what is no address.
        raise NotSent("the address cannot be written", is_final=True) from error
    made["Date"] = format_datetime(clock.now())
    # The same for every try, so that a mail program shows a second copy once.
    made["Message-ID"] = f"<{letter.mail_id}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.body)
    return made.as_bytes()


def send(letter: Addressed, smtp: SmtpSettings) -> None:
    """Hand a letter to the mail server.

    Calls: the mail server. Raises: NotSent
    """
    body = written(letter, smtp.sender)
    try:
        with closing(_connected(smtp)) as server:
            server.sendmail(smtp.sender, [letter.to], body)
            server.quit()
    except smtplib.SMTPRecipientsRefused as refused:
        codes = {code for code, _ in refused.recipients.values()}
        is_final = all(500 <= code < 600 for code in codes)
        raise NotSent(f"the recipient was refused ({_codes(codes)})", is_final=is_final) from None
    except smtplib.SMTPResponseException as error:
        # Never the server's words: they may quote the address or what was sent.
        raise NotSent(f"{type(error).__name__} ({error.smtp_code})") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise NotSent(type(error).__name__) from None


def _codes(codes: set[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes))


def _connected(smtp: SmtpSettings) -> smtplib.SMTP:
    if smtp.security == "tls":
        context = ssl.create_default_context()
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            smtp.host, smtp.port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=TIMEOUT_SECONDS)
    try:
        if smtp.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if smtp.user:
            server.login(smtp.user, smtp.password.reveal())
    except BaseException:
        server.close()
        raise
    return server
