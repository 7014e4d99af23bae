"""Reading the books: entries with their movements, accounts with their balances, an account's lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from core.chart import CHART, RESERVED
from core.errors import NotFound
from core.money import Money, asset
from domain.actors import Actor
from domain.books import balances
from domain.payments.payments import LONGEST_PAGE, Page
from models.ledger import JournalEntry, LedgerAccount, Posting

SLACK = timedelta(seconds=1)
# More entries than this are walked, not named.
MOST_NAMED = 1000


@dataclass(frozen=True)
class EntryFilter:
    """What to list. Empty means all; source: as `inbound:…`, `operation:…`, `user:…`.

    text: a whole id of the entry or of what it is tied to, or a provider's reference. period: the month
    it is booked in. is_due: manual ones that are to be reversed and were not.
    """

    order_id: Sequence[str] = ()
    invoice_id: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    account: str | None = None
    source: str | None = None
    manual: bool | None = None
    posted_from: datetime | None = None
    posted_to: datetime | None = None
    kind: Sequence[str] = ()
    period: str | None = None
    is_late: bool = False
    is_due: bool = False
    text: str | None = None


@dataclass(frozen=True)
class AccountFilter:
    """What to list. asset_name: as stored, such as `EUR/2`; side: whose ledger, a word of `chart.Side`;
    with_parts: reserved parts too, each for itself.
    """

    prefix: str | None = None
    asset_name: str | None = None
    side: str | None = None
    with_parts: bool = True


@dataclass(frozen=True)
class Line:
    """One posting of an account. after: the account's balance once it was posted, on its own side."""

    entry_id: str
    no: int
    amount: Money
    is_debit: bool
    after: Money
    at: datetime


def _touching(session: Session, address: str) -> ColumnElement[bool]:
    """Choose how to find an account's entries: few by their ids, many by walking the list."""
    touched = select(Posting.entry_id).where(Posting.address == address).distinct()
    found = list(session.scalars(touched.limit(MOST_NAMED + 1)))
    if len(found) <= MOST_NAMED:
        return JournalEntry.id.in_(found)
    # Left to the account's index, SQLite would read all of its postings once per entry.
    own_lines = Posting.entry_id == JournalEntry.id
    return exists().where(own_lines, Posting.address.concat("") == address)


def _conditions(session: Session, wanted: EntryFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, words in (
        (JournalEntry.order_id, wanted.order_id),
        (JournalEntry.invoice_id, wanted.invoice_id),
        (JournalEntry.payment_id, wanted.payment_id),
        (JournalEntry.kind, wanted.kind),
    ):
        if words:
            found.append(column.in_(words))
    if wanted.account:
        found.append(_touching(session, wanted.account))
    if wanted.source:
        found.append(JournalEntry.source == wanted.source)
    if wanted.manual is not None:
        is_manual = JournalEntry.kind == "manual"
        found.append(is_manual if wanted.manual else ~is_manual)
    if wanted.posted_from:
        found.append(JournalEntry.posted_at >= wanted.posted_from)
    if wanted.posted_to:
        found.append(JournalEntry.posted_at < wanted.posted_to)
    if wanted.period:
        found.append(JournalEntry.period == wanted.period)
    if wanted.is_late:
        found.append(JournalEntry.late_of.is_not(None))
    if wanted.is_due:
        later = aliased(JournalEntry)
        found += [
            JournalEntry.reversal_due_on.is_not(None),
            ~exists().where(later.reverses_id == JournalEntry.id),
        ]
    if wanted.text:
        found.append(_named(wanted.text))
    return found


def _named(text: str) -> ColumnElement[bool]:
    """Match a whole name: the entry's own, or of what it is tied to; each has an index."""
    names = (
        *(JournalEntry.id, JournalEntry.source_key, JournalEntry.source),
        *(JournalEntry.order_id, JournalEntry.payment_id, JournalEntry.invoice_id),
        *(JournalEntry.provider_reference, JournalEntry.reverses_id),
    )
    return or_(*[column == text for column in names])


def list_entries(
    session: Session, wanted: EntryFilter, *, page: Page
) -> tuple[list[JournalEntry], tuple[datetime, str] | None]:
    """List journal entries, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(JournalEntry).where(*_conditions(session, wanted))
    if page.before:
        place = tuple_(JournalEntry.posted_at, JournalEntry.id)
        statement = statement.where(place < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (JournalEntry.posted_at.desc(), JournalEntry.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.posted_at, more.id) if more else None


def list_entries_after(
    session: Session, wanted: EntryFilter, *, after: tuple[datetime, str] | None, limit: int
) -> list[JournalEntry]:
    """List journal entries, oldest first, after a place (posted at, id): for files that are read so.

    Transaction: caller's, reads only.
    """
    place = (JournalEntry.posted_at, JournalEntry.id)
    statement = select(JournalEntry).where(*_conditions(session, wanted))
    if after:
        statement = statement.where(tuple_(*place) > after)
    return list(session.scalars(statement.order_by(*place).limit(limit)))


def get_entry(session: Session, entry_id: str) -> JournalEntry:
    """Fetch one journal entry.

    Raises: NotFound
    """
    entry = session.get(JournalEntry, entry_id)
    if entry is None:
        raise NotFound
    return entry


def entries_named(session: Session, entry_ids: Sequence[str]) -> dict[str, JournalEntry]:
    """Fetch several entries by their ids. Transaction: caller's, reads only."""
    statement = select(JournalEntry).where(JournalEntry.id.in_(entry_ids))
    return {row.id: row for row in session.scalars(statement)}


def movements_of(
    session: Session, entry_ids: Sequence[str]
) -> dict[str, list[tuple[str, str, Money]]]:
    """Give the movements of several entries as (debit address, credit address, amount).

    A movement that lost a line, which only a hand in the database can do, is left out: `lines_of` tells
    what is there.
    """
    found: dict[str, list[tuple[str, str, Money]]] = {entry_id: [] for entry_id in entry_ids}
    halves: dict[tuple[str, int], Posting] = {}
    for row in lines_of(session, entry_ids):
        first = halves.setdefault((row.entry_id, row.pair), row)
        if first is not row:
            amount = Money(first.amount_minor, asset(first.asset))
            found[row.entry_id].append((first.address, row.address, amount))
    return found


def lines_of(session: Session, entry_ids: Sequence[str]) -> Sequence[Posting]:
    """Give the lines of several entries as they are stored, debits above nothing, credits below."""
    statement = select(Posting).where(Posting.entry_id.in_(entry_ids))
    return session.scalars(statement.order_by(Posting.entry_id, Posting.line)).all()


def reversals_of(session: Session, entry_ids: Sequence[str]) -> dict[str, str]:
    """Say which of several entries were reversed, and by which entry."""
    statement = select(JournalEntry.reverses_id, JournalEntry.id).where(
        JournalEntry.reverses_id.in_(entry_ids)
    )
    return {str(reversed_id): by for reversed_id, by in session.execute(statement)}


def visible(actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions that keep a merchant to their own accounts; staff see all."""
    if actor.is_staff:
        return []
    return [LedgerAccount.merchant_id == (actor.merchant_id or "")]


def list_accounts(
    session: Session,
    wanted: AccountFilter,
    *,
    actor: Actor,
    limit: int,
    after: tuple[str, str] | None = None,
) -> list[LedgerAccount]:
    """List accounts by address, after a place (address, asset) when one is given.

    Transaction: caller's, reads only.
    """
    found = visible(actor)
    if wanted.prefix:
        # A range, not LIKE: it uses the key's index under any collation of the C family.
        found.append(LedgerAccount.address >= wanted.prefix)
        found.append(LedgerAccount.address < f"{wanted.prefix}\U0010ffff")
    if wanted.asset_name:
        found.append(LedgerAccount.asset == wanted.asset_name)
    if wanted.side:
        found.append(_on_side(wanted.side))
    if not wanted.with_parts:
        found.append(~LedgerAccount.address.like(f"%{RESERVED}"))
    if after:
        found.append(tuple_(LedgerAccount.address, LedgerAccount.asset) > after)
    statement = select(LedgerAccount).where(*found)
    place = (LedgerAccount.address, LedgerAccount.asset)
    return list(session.scalars(statement.order_by(*place).limit(limit)))


def _on_side(side: str) -> ColumnElement[bool]:
    """Choose the accounts of one side of the chart, by the forms of its addresses."""
    forms = [
        re.sub(r"\{\w+\}", "%", each.template.replace("_", r"\_"))
        for each in CHART
        if each.side == side
    ]
    every = [*forms, *(f"{each}{RESERVED}" for each in forms)]
    return or_(*[LedgerAccount.address.like(each, escape="\\") for each in every])


def get_accounts(session: Session, address: str, *, actor: Actor) -> list[LedgerAccount]:
    """Fetch an address in each asset that it is kept in.

    Raises: NotFound, the same for a foreign address.
    """
    statement = select(LedgerAccount).where(LedgerAccount.address == address, *visible(actor))
    rows = list(session.scalars(statement.order_by(LedgerAccount.asset)))
    if not rows:
        raise NotFound
    return rows


def balances_of(
    session: Session, accounts: Sequence[LedgerAccount], *, as_of: datetime | None = None
) -> dict[tuple[str, str], Money]:
    """Sum several accounts, each on its own side: what an asset holds and a liability owes is positive.

    as_of: only entries that took effect up to and at this instant.
    """
    keys = [(account.address, account.asset) for account in accounts]
    if not keys:
        return {}
    statement = select(Posting.address, Posting.asset, func.sum(Posting.amount_minor))
    if as_of is not None:
        statement = statement.join(JournalEntry, JournalEntry.id == Posting.entry_id)
        statement = statement.where(JournalEntry.effective_at <= as_of)
    wanted = or_(*[and_(Posting.address == key, Posting.asset == unit) for key, unit in keys])
    grouped = statement.where(wanted).group_by(Posting.address, Posting.asset)
    sums = {(key, unit): int(total) for key, unit, total in session.execute(grouped)}
    return {
        key: Money(balances.own_side(account.kind) * sums.get(key, 0), asset(account.asset))
        for key, account in zip(keys, accounts, strict=True)
    }


def _id_bounds(
    session: Session, posted_from: datetime | None, posted_to: datetime | None
) -> list[ColumnElement[bool]]:
    """Turn a span of time into a span of entry ids, a little wider on both sides.

    An id is made within a moment of posted_at, so the ids of the slack's far ends enclose the span.
    """
    found: list[ColumnElement[bool]] = []
    entries = select(JournalEntry.id)
    if posted_to is not None:
        later = entries.where(JournalEntry.posted_at >= posted_to + SLACK)
        beyond = later.order_by(JournalEntry.posted_at, JournalEntry.id).limit(1)
        if (end := session.scalar(beyond)) is not None:
            found.append(Posting.entry_id < end)
    if posted_from is not None:
        earlier = entries.where(JournalEntry.posted_at < posted_from - SLACK)
        newest = (JournalEntry.posted_at.desc(), JournalEntry.id.desc())
        if (begin := session.scalar(earlier.order_by(*newest).limit(1))) is not None:
            found.append(Posting.entry_id > begin)
    return found


def places_within(
    session: Session,
    account: LedgerAccount,
    *,
    limit: int,
    posted_from: datetime | None,
    posted_to: datetime | None,
) -> list[tuple[str, int]]:
    """Give the places (entry id, line) of an account's postings within a span, newest first.

    Transaction: caller's, reads only.
    """
    found = [Posting.address == account.address, Posting.asset == account.asset]
    found += _id_bounds(session, posted_from, posted_to)
    if posted_from is not None:
        found.append(JournalEntry.posted_at >= posted_from)
    if posted_to is not None:
        found.append(JournalEntry.posted_at < posted_to)
    statement = (
        select(Posting.entry_id, Posting.line)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(*found)
        .order_by(Posting.entry_id.desc(), Posting.line.desc())
    )
    return [(row.entry_id, row.line) for row in session.execute(statement.limit(limit))]


def list_lines(
    session: Session,
    account: LedgerAccount,
    *,
    limit: int,
    before: tuple[str, int] | None = None,
    posted_from: datetime | None = None,
    posted_to: datetime | None = None,
) -> tuple[list[Line], tuple[str, int] | None]:
    """List an account's postings, newest first, each with the balance after it, and where to go on.

    before: a place (entry id, line); entry ids sort by the time of posting.
    Transaction: caller's, reads only.
    """
    own = [Posting.address == account.address, Posting.asset == account.asset]
    place = tuple_(Posting.entry_id, Posting.line)
    found = own + _id_bounds(session, posted_from, posted_to)
    if before:
        found.append(place < before)
    newest = (Posting.entry_id.desc(), Posting.line.desc())
    statement = select(Posting).where(*found).order_by(*newest)
    postings = list(session.scalars(statement.limit(limit + 1)))
    if not postings:
        return [], None
    until = place <= (postings[0].entry_id, postings[0].line)
    total = session.scalar(select(func.sum(Posting.amount_minor)).where(*own, until))
    shown = postings[:limit]
    lines = [
        line
        for line in _with_balances(session, shown, account, int(total or 0))
        if (posted_from is None or line.at >= posted_from)
        and (posted_to is None or line.at < posted_to)
    ]
    last = shown[-1]
    return lines, (last.entry_id, last.line) if len(postings) > limit else None


def _with_balances(
    session: Session, postings: Sequence[Posting], account: LedgerAccount, total: int
) -> list[Line]:
    """Walk down from the balance after the first posting; no posting between them is left out."""
    sign, of = balances.own_side(account.kind), asset(account.asset)
    wanted = JournalEntry.id.in_({posting.entry_id for posting in postings})
    posted = select(JournalEntry.id, JournalEntry.posted_at).where(wanted)
    at = {row.id: row.posted_at for row in session.execute(posted)}
    lines = []
    for posting in postings:
        minor, entry_id = posting.amount_minor, posting.entry_id
        after, amount = Money(sign * total, of), Money(abs(minor), of)
        lines.append(Line(entry_id, posting.line, amount, minor > 0, after, at[entry_id]))
        total -= minor
    return lines
