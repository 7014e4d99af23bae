"""The months there are: each since the first entry, how it stands, and the closings it had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Period as State
from core.errors import NotFound
from domain import calendar, database
from models.ledger import JournalEntry
from models.periods import Period, PeriodClosing


@dataclass(frozen=True)
class Span:
    """A month with the instants between which it lies: from, inclusive, and to, exclusive."""

    id: str
    begins: datetime
    ends: datetime

    @property
    def first_day(self) -> date:
        """The first day of it."""
        return calendar.days_of(self.id)[0]

    @property
    def last_day(self) -> date:
        """The last day of it."""
        return calendar.days_of(self.id)[1]

    @property
    def is_over(self) -> bool:
        """Whether it has passed on the house's clock."""
        return self.ends <= clock.now()


@dataclass(frozen=True)
class Month:
    """A month and how it stands. closings: in their order, those that were reopened too."""

    span: Span
    state: State
    closings: Sequence[PeriodClosing] = field(default_factory=tuple)

    @property
    def id(self) -> str:
        """Its name, such as `2026-11`."""
        return self.span.id

    @property
    def newest(self) -> PeriodClosing | None:
        """The closing that came last, reopened or not."""
        return self.closings[-1] if self.closings else None

    @property
    def standing(self) -> PeriodClosing | None:
        """The closing that holds; None while the month is not closed."""
        return self.newest if self.state == State.CLOSED else None


def span_of(month: str) -> Span:
    """Give the span of a month on the house's clock."""
    return Span(month, *calendar.bounds(month))


def first_month(session: Session) -> str:
    """Name the month in which the books begin; before the first entry, the running one.

    What took effect before the first closed month is booked after it, and begins nothing.
    """
    statement = (
        select(JournalEntry.period, JournalEntry.effective_at)
        .where(JournalEntry.late_of.is_(None))
        .order_by(JournalEntry.effective_at, JournalEntry.id)
    )
    found = session.execute(statement.limit(1)).first()
    running = calendar.month_of(clock.now())
    if found is None:
        return running
    return str(found[0] or calendar.month_of(found[1]))


def last_month(session: Session) -> str:
    """Name the newest month there is: the running one, or a later one that was booked in."""
    newest = select(JournalEntry.period).order_by(
        JournalEntry.effective_at.desc(), JournalEntry.id.desc()
    )
    booked = session.scalar(newest.limit(1)) or ""
    return max(booked, calendar.month_of(clock.now()))


def ids(session: Session) -> list[str]:
    """Name every month of the books, oldest first. Transaction: caller's, reads only."""
    month, last = first_month(session), last_month(session)
    found = [month]
    while month < last:
        month = calendar.following(month)
        found.append(month)
    return found


def load(session: Session, names: Sequence[str]) -> list[Month]:
    """Read how several months stand, in the order of their names. Transaction: caller's, reads only."""
    rows = select(Period.id, Period.state).where(Period.id.in_(names))
    states = {name: State(state) for name, state in session.execute(rows)}
    closings: dict[str, list[PeriodClosing]] = {}
    of_them = select(PeriodClosing).where(PeriodClosing.period_id.in_(names))
    for closing in session.scalars(of_them.order_by(PeriodClosing.period_id, PeriodClosing.no)):
        closings.setdefault(closing.period_id, []).append(closing)
    return [
        Month(span_of(name), states.get(name, State.OPEN), tuple(closings.get(name, ())))
        for name in names
    ]


def list_months(session: Session, *, limit: int, before: str | None = None) -> list[Month]:
    """List months, newest first, those before a month when one is given.

    Transaction: caller's, reads only.
    """
    names = [name for name in reversed(ids(session)) if before is None or name < before]
    return load(session, names[:limit])


def get_month(session: Session, name: str) -> Month:
    """Fetch one month of the books.

    Raises: NotFound for what is no month, or none of the books. Transaction: caller's, reads only.
    """
    is_known = calendar.is_month(name) and first_month(session) <= name <= last_month(session)
    if not is_known:
        raise NotFound
    return load(session, [name])[0]


def lock(session: Session, name: str) -> Period:
    """Lock a month's row, which begins as open when nobody has written it yet.

    Writes: periods. Transaction: caller's.
    """
    now = clock.now()
    dialect = sqlite if database.is_sqlite() else postgresql
    row = {"id": name, "state": State.OPEN.value, "close_no": 0}
    new = dialect.insert(Period).values(created_at=now, updated_at=now, **row)
    session.execute(new.on_conflict_do_nothing())
    statement = select(Period).where(Period.id == name).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def unclosed_before(session: Session, name: str) -> list[str]:
    """Name the months before one that are not closed, oldest first. Transaction: caller's, reads only."""
    closed = set(session.scalars(select(Period.id).where(Period.state == State.CLOSED.value)))
    return [each for each in ids(session) if each < name and each not in closed]


def newest_closed(session: Session) -> str | None:
    """Name the newest month that is closed; only this one may be reopened."""
    closed = select(Period.id).where(Period.state == State.CLOSED.value)
    return session.scalar(closed.order_by(Period.id.desc()).limit(1))


def booked_in(span: Span) -> tuple[ColumnElement[bool], ...]:
    """Give conditions that together choose the entries booked in a month, each of them once.

    The first are found by when they took effect, wherever the zone put the month's bounds at that time;
    the others are late ones. Entries from before there were periods belong to the month they took effect.
    """
    slack = calendar.LARGEST_SHIFT
    plain = and_(
        JournalEntry.effective_at >= span.begins - slack,
        JournalEntry.effective_at < span.ends + slack,
        JournalEntry.late_of.is_(None),
        or_(
            JournalEntry.period == span.id,
            and_(
                JournalEntry.period.is_(None),
                JournalEntry.effective_at >= span.begins,
                JournalEntry.effective_at < span.ends,
            ),
        ),
    )
    late = and_(JournalEntry.late_of < span.id, JournalEntry.period == span.id)
    return plain, late


def booked_until(span: Span) -> ColumnElement[bool]:
    """Give the condition of the entries booked in a month or before it."""
    old = and_(JournalEntry.period.is_(None), JournalEntry.effective_at < span.ends)
    return or_(JournalEntry.period <= span.id, old)
