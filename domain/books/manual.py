"""Journal entries that people write: asked for by one, agreed to by another, bound to every word of them.

They are never edited, only reversed (`domain/books/manual_reversals.py`). Resolution C37.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import hashing
from core.errors import Conflict, FieldError, InvalidInput
from core.hashing import Plain
from core.money import Money, asset
from core.money_out import Act
from domain import calendar
from domain.actors import Actor
from domain.books import booking, journal_news, ledger, manual_lines, manual_ties
from domain.books.ledger import Movement, Ties
from domain.books.manual_lines import Line
from domain.control import money_out
from domain.control.warrants import Content, Warrant
from models.control import Approval
from models.ledger import JournalEntry

KIND = "manual"
# Days after which an entry is to be reversed unless whoever writes it says another day. A bank that is
# late has paid or has not within a month; change it here.
REVERSAL_DAYS = 30
LONGEST_NOTE = 500
LONGEST_REFERENCE = 255
_FIRST_DAY = date(2000, 1, 1)
_LATEST_REVERSAL = timedelta(days=366 * 2)
_NOON = timedelta(hours=12)


@dataclass(frozen=True)
class Wanted:
    """An entry as a person writes it.

    effective_on: the day it takes effect, the day of posting unless said; reversal_due_on: when it is
    to be reversed at the latest, by policy unless said. reference: the writer's own name for it, which
    is posted once and for all.
    """

    note: str
    order_id: str
    invoice_id: str
    provider_reference: str
    lines: Sequence[Line]
    effective_on: date | None = None
    reversal_due_on: date | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Entry:
    """An entry as it was checked: what would be posted."""

    wanted: Wanted
    movements: Sequence[Movement]
    ties: Ties

    @property
    def total(self) -> Money | None:
        """What it moves; None when it is in several currencies."""
        units = {movement.amount.asset for movement in self.movements}
        if len(units) != 1:
            return None
        return Money(sum(each.amount.minor for each in self.movements), units.pop())


def checked(session: Session, wanted: Wanted) -> Entry:
    """Check all of an entry that can change until somebody agrees to it.

    Raises: InvalidInput naming each field, also UNBALANCED; Conflict PERIOD_CLOSED, or when its
    reference was posted. Transaction: caller's, reads only.
    """
    order, ties = manual_ties.find(
        session,
        order_id=wanted.order_id,
        invoice_id=wanted.invoice_id,
        reference=wanted.provider_reference,
    )
    movements = manual_lines.read(session, wanted.lines, order)
    if wanted.effective_on is not None:
        _assert_month_open(session, wanted.effective_on)
    _assert_unposted(session, wanted)
    return Entry(wanted, movements, ties)


def _assert_month_open(session: Session, day: date) -> None:
    month = f"{day:%Y-%m}"
    if month <= booking.newest_closed(session):
        raise _month_closed(month)


def _month_closed(month: str) -> Conflict:
    return Conflict(
        f"{month} is closed. Leave the effective day out, or name one of an open month: the entry is"
        " then dated in the open period, and its note may say which month it belongs to.",
        code="PERIOD_CLOSED",
        details={"periodId": month, "link": f"/periods/{month}"},
    )


def _key(wanted: Wanted) -> str | None:
    return None if wanted.reference is None else f"manual:ref:{wanted.reference}"


def _assert_unposted(session: Session, wanted: Wanted) -> None:
    posted = select(JournalEntry.id).where(JournalEntry.source_key == _key(wanted))
    if wanted.reference is not None and (entry_id := session.scalar(posted)) is not None:
        raise Conflict(
            "An entry of this reference is posted already.",
            details={"entryId": entry_id, "link": f"/journal/{entry_id}"},
        )


def _assert_sound(wanted: Wanted) -> None:
    """Check what is right or wrong on the day of asking only."""
    today, wrong = calendar.today(), []
    effective, due = wanted.effective_on, wanted.reversal_due_on
    if not 0 < len(wanted.note.strip()) <= LONGEST_NOTE:
        said = f"Say why, in up to {LONGEST_NOTE} characters."
        wrong.append(FieldError("note", "missing", said))
    if effective is not None and effective > today:
        said = "An entry takes effect today or on a day before."
        wrong.append(FieldError("effectiveOn", "future", said))
    if effective is not None and effective < _FIRST_DAY:
        wrong.append(FieldError("effectiveOn", "too_early", f"Not before {_FIRST_DAY}."))
    if due is not None and not today <= due <= today + _LATEST_REVERSAL:
        said = "A day from today on, within two years."
        wrong.append(FieldError("reversalDueOn", "invalid", said))
    if wrong:
        raise InvalidInput(fields=wrong)


def due_by_policy() -> date:
    """Give the day by which an entry of today is to be reversed when nobody says another."""
    return calendar.today() + timedelta(days=REVERSAL_DAYS)


def content(entry: Entry) -> Content:
    """Say what posting an entry is: every line, tie, day and word of it."""
    wanted, total = entry.wanted, entry.total
    details: dict[str, Plain] = {
        "note": wanted.note,
        "invoiceId": wanted.invoice_id,
        "provider": entry.ties.provider,
        "providerReference": wanted.provider_reference,
        "postings": [_written(movement) for movement in entry.movements],
        "effectiveOn": _iso(wanted.effective_on),
        "reversalDueOn": _iso(wanted.reversal_due_on),
        "reference": wanted.reference,
    }
    moved = f"{total.major()} {total.asset.code}" if total else "several currencies"
    return Content(
        Act.MANUAL_ENTRY,
        object_kind="manual_entry",
        object_id=_object_id(entry, details),
        text=f"Journal entry by hand of {moved}: {wanted.note}",
        amount=total,
        order_id=entry.ties.order_id,
        details=details,
        livemode=entry.ties.livemode,
        demo=entry.ties.demo,
    )


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _written(movement: Movement) -> dict[str, Plain]:
    return {
        "debit": movement.debit.address,
        "credit": movement.credit.address,
        "amount": movement.amount.major(),
        "currency": movement.amount.asset.code,
    }


def _object_id(entry: Entry, details: Mapping[str, Plain]) -> str:
    """Name a request by its reference, else by all it says: the same one waits once, however often asked."""
    said: Plain = entry.wanted.reference or {"order": entry.ties.order_id, **details}
    return f"mje_{hashing.digest([said])[:32]}"


def wanted_of(asked: Content) -> Wanted:
    """Give back what was wanted of a content that `content` made."""
    said = asked.details
    lines = said["postings"]
    assert isinstance(lines, Sequence)  # for the type checker; written by `content`
    return Wanted(
        note=str(said["note"]),
        order_id=str(asked.order_id),
        invoice_id=str(said["invoiceId"]),
        provider_reference=str(said["providerReference"]),
        lines=[_line(each) for each in lines],
        effective_on=_day(said["effectiveOn"]),
        reversal_due_on=_day(said["reversalDueOn"]),
        reference=None if said["reference"] is None else str(said["reference"]),
    )


def _line(said: Plain) -> Line:
    assert isinstance(said, Mapping)  # for the type checker; written by `_written`
    of = asset(str(said["currency"]))
    minor = int(str(said["amount"]).replace(".", ""))
    return Line(Money(minor, of), str(said["debit"]), str(said["credit"]))


def _day(said: Plain) -> date | None:
    return None if said is None else date.fromisoformat(str(said))


def ask(session: Session, wanted: Wanted, *, actor: Actor, source: str) -> Approval:
    """Ask that an entry be posted; a second person always agrees.

    Writes: approvals, event_log, audit_log. Emits: approval.requested. Raises: Forbidden, also
    STEP_UP_REQUIRED; InvalidInput, also UNBALANCED; Conflict (PERIOD_CLOSED, AMOUNT_EXCEEDED, or when
    the same waits or was posted). Transaction: caller's.
    """
    _assert_sound(wanted)
    due = wanted.reversal_due_on or due_by_policy()
    entry = checked(session, replace(wanted, note=wanted.note.strip(), reversal_due_on=due))
    manual_lines.assert_covered(session, entry.movements)
    asked = money_out.ask(
        session, content(entry), actor=actor, source=source, reason=entry.wanted.note
    )
    assert isinstance(asked, Approval)  # for the type checker; the table always wants two people
    return asked


def post(session: Session, warrant: Warrant) -> str:
    """Post an entry as two people agreed to it. Gives its id.

    Writes: journal, account_balances, event_log, audit_log. Emits: journal.posted.
    Raises: InvalidInput, Conflict (PERIOD_CLOSED, AMOUNT_EXCEEDED). Transaction: caller's.
    """
    entry = checked(session, wanted_of(warrant.content))
    warrant.assert_covers(content(entry))
    manual_lines.assert_covered(session, entry.movements)
    at = _effective_at(session, entry.wanted.effective_on)
    asked_by: dict[str, Plain] = {"askedBy": warrant.maker_id, "agreedBy": warrant.actor.id}
    entry_id = ledger.post(
        session,
        KIND,
        movements=entry.movements,
        source_key=_key(entry.wanted) or f"manual:{warrant.source}",
        source=warrant.source,
        ties=entry.ties,
        note=entry.wanted.note,
        details=asked_by,
        reversal_due_on=entry.wanted.reversal_due_on,
        effective_at=at,
    )
    journal_news.tell(session, entry_id, entry.ties, warrant=warrant)
    return entry_id


def _effective_at(session: Session, day: date | None) -> datetime | None:
    """Give the instant of a day, whose month nobody closes from here on; None: now."""
    if day is None or day == calendar.today():
        return None
    at = calendar.begin_of(day) + _NOON
    if booking.place(session, at).late_of is not None:
        raise _month_closed(calendar.month_of(at))
    return at
