"""Items of the checklist about the books themselves: sums, ties, chains, numbers, what providers say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, distinct, func, or_, select
from sqlalchemy.orm import Session

from core import clock, entry_kinds
from core.book_states import Rule, Run
from core.entry_kinds import Tie
from core.money import Money, asset
from domain.books import chains, verification
from domain.periods import months
from domain.periods.months import Span
from domain.periods.problems import Problems, found
from domain.watch.rules import RULES
from models.invoices import CreditNote, Invoice, NumberSeries
from models.ledger import JournalEntry, Posting
from models.reconciliation import ReconciliationRun
from models.watch import Invariant
from providers import registry

# A proof of the books counts for a day, a look of the monitor for an hour.
PROVED_WITHIN = timedelta(days=1)
WATCHED_WITHIN = timedelta(hours=1)
_NUMBERED: Mapping[str, type[Invoice | CreditNote]] = {
    "invoice": Invoice,
    "credit_note": CreditNote,
}


def is_over(session: Session, span: Span) -> Problems:
    """Find whether the month still goes on."""
    del session
    return found(0 if span.is_over else 1, "The month is not over.")


def before(session: Session, span: Span) -> Problems:
    """Find earlier months that are not closed."""
    names = months.unclosed_before(session, span.id)
    return found(len(names), f"Close {names[0]} first." if names else "")


def providers(session: Session, span: Span) -> Problems:
    """Find providers whose record was not compared with ours for the whole month."""
    pairs: set[tuple[str, bool]] = set()
    for condition in months.booked_in(span):
        statement = select(JournalEntry.provider, JournalEntry.livemode).where(condition)
        pairs |= {(str(name), live) for name, live in session.execute(statement.distinct())}
    known = sorted(pair for pair in pairs if pair[0] in registry.names())
    lacking = [
        f"{registry.get(name).label} ({'live' if live else 'test'}) {said}"
        for name, live in known
        if (said := _compared(session, name, live, span)) is not None
    ]
    return found(len(lacking), f"{'; '.join(lacking)}.")


def _compared(session: Session, provider: str, live: bool, span: Span) -> str | None:
    """Say until when a provider was compared with; None: until the month's end."""
    statement = select(ReconciliationRun.window_from, ReconciliationRun.window_to).where(
        ReconciliationRun.provider == provider,
        ReconciliationRun.livemode.is_(live),
        ReconciliationRun.status == Run.FINISHED.value,
        ReconciliationRun.window_to > span.begins,
        ReconciliationRun.window_from < span.ends,
    )
    until = span.begins
    for begins, ends in sorted((begins, ends) for begins, ends in session.execute(statement)):
        if begins <= until:
            until = max(until, ends)
    if until >= span.ends:
        return None
    if until == span.begins:
        return "was never compared for the beginning of the month"
    return f"was compared without a gap only until {clock.rfc3339(until)}"


def trial_balance(session: Session, span: Span) -> Problems:
    """Find assets in which the month's debits and credits differ."""
    sums: dict[str, int] = {}
    for condition in months.booked_in(span):
        statement = (
            select(Posting.asset, func.sum(Posting.amount_minor))
            .join(JournalEntry, JournalEntry.id == Posting.entry_id)
            .where(condition)
            .group_by(Posting.asset)
        )
        for asset_name, total in session.execute(statement):
            sums[asset_name] = sums.get(asset_name, 0) + int(total)
    gaps = [Money(total, asset(name)) for name, total in sorted(sums.items()) if total]
    out = [f"{gap.asset.code} by {gap.major()}" for gap in gaps]
    return found(len(out), f"Out of balance: {'; '.join(out)}.")


def ties(session: Session, span: Span) -> Problems:
    """Find entries that lack what their kind must carry; those from before the rule have no better."""
    lacks: list[ColumnElement[bool]] = [JournalEntry.kind.not_in(list(entry_kinds.KINDS))]
    for tie in Tie:
        if kinds := entry_kinds.kinds_that_need(tie):
            column = JournalEntry.__table__.c[tie.value]
            lacks.append(and_(column.is_(None), JournalEntry.kind.in_(kinds)))
    statement = select(func.count()).select_from(JournalEntry).where(or_(*lacks))
    count = sum(session.scalar(statement.where(each)) or 0 for each in months.booked_in(span))
    return found(count, "Entries that cannot be traced to all that their kind must carry.")


def proofs(session: Session, span: Span) -> Problems:
    """Find whether the books were proved after the month, lately, and no row is outside the chains."""
    report = verification.last_report(session)
    since = max(span.ends, clock.now() - PROVED_WITHIN)
    if report is None or str(report.get("at")) < str(clock.rfc3339(since)):
        return found(
            1, "Nothing was proved within a day and after the month. Have the night's checks run."
        )
    if report.get("ok") is not True:
        return found(1, "The last verification found a fault.")
    count = sum(chains.count_unlinked(session, chain) for chain in chains.CHAINS)
    return found(count, "Rows that are in no chain.")


def invariants(session: Session, span: Span) -> Problems:
    """Find rules of the books that are broken, or that nobody has looked at for an hour."""
    del span
    rows = session.execute(select(Invariant.name, Invariant.state, Invariant.checked_at)).all()
    if not rows:
        return found(1, "The rules of the books are not being watched. Is a worker running?")
    red = sorted(name for name, state, _ in rows if state == Rule.RED)
    if red:
        labels = (RULES[name].label if name in RULES else name for name in red)
        return found(len(red), f"Broken: {'; '.join(labels)}.")
    old = [name for name, _, at in rows if at < clock.now() - WATCHED_WITHIN]
    return found(len(old), "Nobody has looked for an hour. Is a worker running?")


def numbers(session: Session, span: Span) -> Problems:
    """Find gaps in the numbers of the month's year."""
    year = int(span.id[:4])
    gaps = 0
    for series in session.scalars(select(NumberSeries).where(NumberSeries.year == year)):
        gaps += _gaps(session, series)
    return found(gaps, "Numbers that no document bears.")


def _gaps(session: Session, series: NumberSeries) -> int:
    model = _NUMBERED[series.kind]
    statement = select(func.count(distinct(model.number_no))).where(
        model.merchant_id == series.merchant_id,
        model.livemode.is_(series.livemode),
        model.issued_on >= date(series.year, 1, 1),
        model.issued_on <= date(series.year, 12, 31),
        model.number_no.between(1, series.last),
    )
    return series.last - (session.scalar(statement) or 0)
