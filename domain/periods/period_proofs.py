"""Closed months proved: each snapshot from the postings, what was signed from the audit log, all to the row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core import clock, hashing
from core.book_states import Period as State
from core.strictjson import Json
from domain import calendar
from domain.periods import closings, months, snapshots
from domain.periods.months import Month, Span
from domain.periods.snapshots import Balance
from models.audit import AuditRow, ChainLink
from models.ledger import JournalEntry
from models.periods import Period, PeriodClosing

_REOPENED = ("reopened_at", "reopened_by", "reopen_agreed_by", "reopen_reason")


def states(session: Session) -> Iterator[str | None]:
    """Check each month: closed without a gap, and standing as its closings say."""
    rows = session.scalars(select(Period).order_by(Period.id)).all()
    words = {state.value for state in State}
    for strange in (row for row in rows if row.state not in words):
        yield f"{strange.id} is {strange.state}, which is no state of a month"
        return
    lost = select(PeriodClosing.id, PeriodClosing.period_id).where(
        PeriodClosing.period_id.not_in(select(Period.id))
    )
    for closing_id, month_id in session.execute(lost):
        yield f"{month_id}, which closing {closing_id} closed, is gone"
    loaded = months.load(session, [row.id for row in rows])
    for row, month in zip(rows, loaded, strict=True):
        yield _state_problem(row, month)
    newest = months.newest_closed(session)
    for name in months.unclosed_before(session, newest)[:1] if newest else []:
        yield f"{newest} is closed, and {name} before it is not"


def _state_problem(row: Period, month: Month) -> str | None:
    numbers = [closing.no for closing in month.closings]
    if numbers != list(range(1, row.close_no + 1)):
        return f"{row.id} was closed {row.close_no} times, its closings are {numbers}"
    marked = [closing.reopened_at is not None for closing in month.closings]
    stands = row.state == State.CLOSED
    if marked != [True] * (len(marked) - stands) + [False] * stands:
        return f"{row.id} is {row.state}, which its closings do not say"
    return None


def signed(session: Session) -> Iterator[str | None]:
    """Check each closing: it says what the audit log kept of it, and both chains were so long and ended so."""
    statement = select(PeriodClosing).order_by(PeriodClosing.period_id, PeriodClosing.no)
    for closing in session.scalars(statement).all():
        yield _closing_problem(session, closing)


def _closing_problem(session: Session, closing: PeriodClosing) -> str | None:
    name = f"closing {closing.no} of {closing.period_id} ({closing.id})"
    said = _audited(session, "period.close", closing)
    if said is None or said.after.get("sha256") != closings.digest(closing):
        return f"{name} does not say what was signed"
    for chain, seq, head in (
        ("journal", closing.journal_seq, closing.journal_head),
        ("audit", closing.audit_seq, closing.audit_head),
    ):
        link = session.get(ChainLink, (chain, seq))
        if (link.hash if link else hashing.GENESIS) != head:
            return f"{name} was made on another {chain} chain: link {seq} differs"
    reopened = _audited(session, "period.reopen", closing)
    if _mark_of(closing) != _audited_mark(reopened):
        return f"{name} does not bear the mark of its reopening as it was signed"
    return None


def _audited(session: Session, action: str, closing: PeriodClosing) -> AuditRow | None:
    """Find what the audit log keeps of an act on a closing; refused tries name no closing."""
    statement = select(AuditRow).where(
        AuditRow.object_id == closing.period_id, AuditRow.action == action
    )
    rows = [row for row in session.scalars(statement) if row.after.get("closing") == closing.id]
    return rows[0] if len(rows) == 1 else None


def _mark_of(closing: PeriodClosing) -> list[Json] | None:
    if not any(getattr(closing, name) is not None for name in _REOPENED):
        return None
    at = clock.rfc3339(closing.reopened_at)
    return [at, closing.reopened_by, closing.reopen_agreed_by, closing.reopen_reason]


def _audited_mark(row: AuditRow | None) -> list[Json] | None:
    if row is None:
        return None
    by = row.after.get("reopenedBy")
    return [row.after.get("reopenedAt"), *(by if isinstance(by, list) else []), row.reason]


def balances(session: Session) -> Iterator[str | None]:
    """Check each closing's balances against the postings that its chain held, account by account.

    Nothing booked later is in it, and nothing that was booked is missing.
    """
    statement = select(PeriodClosing).order_by(PeriodClosing.period_id, PeriodClosing.no)
    for closing in session.scalars(statement).all():
        span = months.span_of(closing.period_id)
        name = f"closing {closing.no} of {closing.period_id}"
        opening = snapshots.opening_of(session, span.id, known_at=closing)
        known = snapshots.computed(session, span, opening, up_to=closing.journal_seq)
        for said, found in _side_by_side(snapshots.stored(session, closing.id), known):
            yield _balance_problem(name, said, found)
        hashed = snapshots.digest(snapshots.stored(session, closing.id))
        same = hashed == closing.snapshot_sha256
        yield None if same else f"{name}: its balances are not those of its snapshot's hash"
        yield _count_problem(session, name, closing, span)


def _side_by_side(
    stored: Iterator[Balance], found: Iterator[Balance]
) -> Iterator[tuple[Balance | None, Balance | None]]:
    """Pair two lists that are in the same order, account by account, with gaps where one has none."""
    one, other = next(stored, None), next(found, None)
    while one is not None or other is not None:
        key, beside = _key(one), _key(other)
        if other is None or (one is not None and key < beside):
            yield one, None
            one = next(stored, None)
        elif one is None or beside < key:
            yield None, other
            other = next(found, None)
        else:
            yield one, other
            one, other = next(stored, None), next(found, None)


def _key(row: Balance | None) -> tuple[bytes, bytes]:
    return (row.address.encode(), row.asset.encode()) if row else (b"", b"")


def _balance_problem(name: str, said: Balance | None, found: Balance | None) -> str | None:
    if said == found:
        return None
    if said is None or found is None:
        row = said or found
        which = "is in no posting" if found is None else "is missing"
        return f"{name}: {row.address} {row.asset} {which}" if row else None
    return (
        f"{name}: {said.address} {said.asset} is said to have closed at {said.closing}"
        f" ({said.opening} + {said.debit} − {said.credit}), its postings say {found.closing}"
        f" ({found.opening} + {found.debit} − {found.credit})"
    )


def _count_problem(session: Session, name: str, closing: PeriodClosing, span: Span) -> str | None:
    """Check that what is booked in the month is what the closing knew, and nothing came after it."""
    linked = snapshots.is_linked(closing.journal_seq)
    for condition in months.booked_in(span) if closing.reopened_at is None else ():
        later = select(JournalEntry.id).where(condition, ~linked).order_by(JournalEntry.id)
        if (stray := session.scalar(later.limit(1))) is not None:
            return f"{stray} was booked in {span.id} after that was closed"
    count = snapshots.count_entries(session, span, up_to=closing.journal_seq)
    if count != closing.entries:
        return f"{name}: {closing.entries} entries were known, {count} are there"
    return None


def entry_months(session: Session) -> Iterator[str | None]:
    """Check that each entry took effect in the month it is said to, and is late only into a later one.

    With the balances of each closing this is why known then and known now differ exactly by the late facts.
    """
    said = func.coalesce(JournalEntry.late_of, JournalEntry.period)
    statement = select(
        said, func.min(JournalEntry.effective_at), func.max(JournalEntry.effective_at)
    ).where(said.is_not(None))
    for month, first, last in session.execute(statement.group_by(said)).all():
        # The house may keep another clock by now than it did when an entry was booked.
        span = months.span_of(month)
        begins, ends = span.begins - calendar.LARGEST_SHIFT, span.ends + calendar.LARGEST_SHIFT
        if first >= begins and last < ends:
            yield None
            continue
        outside = or_(JournalEntry.effective_at < begins, JournalEntry.effective_at >= ends)
        stray = select(JournalEntry.id).where(said == month, outside).order_by(JournalEntry.id)
        yield f"{session.scalar(stray.limit(1))} did not take effect in {month}"
    backwards = JournalEntry.late_of >= JournalEntry.period
    for stray_id in session.scalars(select(JournalEntry.id).where(backwards).limit(1)).all():
        yield f"{stray_id} is late in a month that is not after the one it took effect in"
