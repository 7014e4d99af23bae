"""Sending the letters that are due: a lease, then the mail server without a transaction, then what came of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import LostRace
from core.states import Mail as State
from core.vault import CannotOpen
from domain import database, queue
from domain.actors import system
from domain.jobs import smtp
from domain.jobs.smtp import NotSent
from domain.mail import mails
from domain.mail.mails import Addressed, Outlet
from domain.people import account_links
from domain.transitions import Why, move_together
from models.proofs import Mail

# Longer than all the timeouts of one try together.
LEASE_SECONDS = 120
MOST_TRIES = 8
# A reset works for half an hour; after the sixth try it would come too late.
TRIES: Mapping[str, int] = {"reset": 6}
WAITING = (State.PENDING.value, State.FAILED.value)
_MAILER = system("mail")
log = structlog.get_logger()


def send_next() -> bool:
    """Send one letter that is due, or answer one forgotten password. Gives False when none is.

    A letter may leave twice if the worker dies between the server's yes and the commit, never less.
    Writes: mails. Calls: the mail server. Transaction: opens its own, none while the server is asked.
    """
    with database.reading() as session:
        # Asked first without the write lock, since most of the time none waits.
        if session.scalar(select(Mail.id).where(Mail.due_at <= clock.now()).limit(1)) is None:
            return False
    with database.transaction() as session:
        due = Mail.state.in_(WAITING)
        leased = queue.lease(
            session, Mail, due=Mail.due_at, seconds=LEASE_SECONDS, conditions=[due]
        )
        if not leased:
            return False
        row, fence = leased[0]
    try:
        if row.kind == mails.FORGOT:
            _answer(row.id, fence)
        else:
            _send(row, fence)
    except LostRace:
        log.warning("mail.lost_race", mail=row.id)
    return True


def _answer(mail_id: str, fence: int) -> None:
    with database.transaction() as session:
        account_links.answer_wish(session, _held(session, mail_id, fence))


def _send(row: Mail, fence: int) -> None:
    try:
        _hand_over(mails.opened(row))
    except CannotOpen:
        failure: NotSent | None = NotSent("its key is gone", is_final=True)
    except NotSent as error:
        failure = error
    else:
        failure = None
    with database.transaction() as session:
        _note(session, _held(session, row.id, fence), failure)


def _hand_over(letter: Addressed) -> None:
    if mails.outlet() == Outlet.NONE:
        raise NotSent("SMTP_URL is not set", is_final=True)
    if mails.outlet() == Outlet.SMTP:
        smtp.send(letter, mails.smtp())
        return
    # The sandbox sends nothing: whoever runs it reads the letter where the worker prints.
    sys.stdout.write(f"mail to {letter.to}: {letter.subject}\n")
    sys.stdout.writelines(f"  {line}\n" for line in letter.body.splitlines() if "://" in line)
    sys.stdout.flush()


def _held(session: Session, mail_id: str, fence: int) -> Mail:
    statement = select(Mail).where(Mail.id == mail_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None or row.fence != fence:
        raise LostRace
    return row


def _note(session: Session, row: Mail, failure: NotSent | None) -> None:
    tries = row.attempts + 1
    is_over = failure is None or failure.is_final or tries >= TRIES.get(row.kind, MOST_TRIES)
    to = State.FAILED if not is_over else State.DEAD if failure else State.SENT
    values: dict[str, object] = {"attempts": tries, "lease_until": None}
    values["last_error"] = failure.said if failure else None
    values["due_at"] = None if is_over else queue.backoff(tries)
    if is_over:
        values["body_sealed"] = mails.emptied(session, row)
    if failure is None:
        values["sent_at"] = clock.now()
    why = Why(_MAILER, f"mail:{row.id}", failure.said if failure else None)
    move_together(session, row, moves={"mail": to.value}, values=values, why=why)
    if failure is not None:
        log.warning("mail.not_sent", mail=row.id, kind=row.kind, state=to, error=failure.said)
