"""What rows say, proved from the rows: guards, balances, entries, hash chains, the order of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from core import hashing
from domain import audit
from domain.books import chains, ledger
from models import guards
from models.audit import AuditRow, ChainLink
from models.events import EventLog
from models.ledger import JournalEntry, JournalSeal, Posting

_CHUNK = 2000
# A line as an entry's hash covers it: pair, address, asset, signed minor units.
Said: TypeAlias = tuple[int, str, str, int]


class Link(NamedTuple):
    """One link of a chain; now: what the row it is of says its content hash is, None when it is gone."""

    seq: int
    row_id: str
    content: str
    previous: str
    hash: str
    now: str | None


def guards_stand(session: Session) -> Iterator[str | None]:
    """Check that the database has every guard and none is switched off."""
    for name in guards.missing(session.connection()):
        yield f"the database lacks the guard {name}"


def trial_balance(session: Session) -> Iterator[str | None]:
    """Check that all postings of an asset add up to nothing."""
    statement = select(Posting.asset, func.sum(Posting.amount_minor)).group_by(Posting.asset)
    for asset_name, total in session.execute(statement):
        yield f"{asset_name} does not add up to nothing but to {total}" if total else None


def entries(session: Session) -> Iterator[str | None]:
    """Check each entry: sealed, counted, balanced per asset, and saying what its hash covers."""
    columns = JournalEntry.__table__.c
    statement = select(*columns, JournalSeal.postings).outerjoin(
        JournalSeal, JournalSeal.entry_id == JournalEntry.id
    )
    ordered = statement.order_by(JournalEntry.id).execution_options(yield_per=_CHUNK)
    names = [column.key for column in columns]
    with session.execute(ordered) as rows:
        for chunk in rows.partitions():
            lines = _lines_between(session, chunk[0][0], chunk[-1][0])
            for row in chunk:
                entry = dict(zip(names, row, strict=False))
                yield _entry_problem(entry, lines.get(row[0], []), row[-1])


def _lines_between(session: Session, first: str, last: str) -> dict[str, list[Said]]:
    """Read the lines of all entries from one to another, in their order."""
    found: dict[str, list[Said]] = {}
    statement = (
        select(Posting.entry_id, Posting.pair, Posting.address, Posting.asset, Posting.amount_minor)
        .where(Posting.entry_id.between(first, last))
        .order_by(Posting.entry_id, Posting.line)
    )
    for entry_id, *said in session.execute(statement):
        found.setdefault(entry_id, []).append(tuple(said))  # type: ignore[arg-type]
    return found


def _entry_problem(
    entry: Mapping[str, object], lines: Sequence[Said], sealed: int | None
) -> str | None:
    if sealed is None:
        return f"{entry['id']} has no seal"
    if sealed != len(lines) or len(lines) < 2:
        return f"{entry['id']} has {len(lines)} postings, its seal says {sealed}"
    sums: dict[str, int] = {}
    for _, _, unit, minor in lines:
        sums[unit] = sums.get(unit, 0) + minor
    if any(sums.values()):
        return f"{entry['id']} does not balance"
    if ledger.entry_hash(ledger.head_of(entry), lines) != entry["content_hash"]:
        return f"{entry['id']} does not say what its hash covers"
    return None


def orphans(session: Session) -> Iterator[str | None]:
    """Check that no posting and no seal stands without its entry."""
    for model in (Posting, JournalSeal):
        own = model.entry_id
        alone = ~exists(select(JournalEntry.id).where(JournalEntry.id == own))
        for entry_id in session.scalars(select(own).where(alone).limit(1)):
            yield f"{entry_id} has rows in {model.__tablename__}, but there is no such entry"


def audit_rows(session: Session) -> Iterator[str | None]:
    """Check that each audit row says what its hash covers."""
    columns = AuditRow.__table__.c
    names = [column.key for column in columns]
    statement = select(*columns).order_by(AuditRow.at, AuditRow.id)
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for row in rows:
            said = dict(zip(names, row, strict=True))
            same = audit.content_hash(said) == said["content_hash"]
            yield None if same else f"{said['id']} does not say what its hash covers"


def chain(name: str) -> Callable[[Session], Iterator[str | None]]:
    """Make the check of a chain: each link follows the one before, each row is in one."""

    def check(session: Session) -> Iterator[str | None]:
        row_id, content_hash, _ = chains.CHAINS[name]
        statement = (
            select(
                ChainLink.seq,
                ChainLink.row_id,
                ChainLink.content_hash,
                ChainLink.previous_hash,
                ChainLink.hash,
                content_hash,
            )
            .outerjoin(row_id.class_, row_id == ChainLink.row_id)
            .where(ChainLink.chain == name)
            .order_by(ChainLink.seq)
        )
        previous, expected = hashing.GENESIS, 1
        with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
            for row in rows:
                yield _link_problem(name, Link(*row), previous, expected)
                previous, expected = row[4], expected + 1
        if count := chains.count_unlinked(session, name):
            yield f"{count} rows of {name} are in no link"

    return check


def _link_problem(name: str, link: Link, previous: str, expected: int) -> str | None:
    if link.seq != expected:
        return f"link {expected} of {name} is missing"
    if link.now is None:
        return f"{link.row_id} of {name} was deleted"
    if link.content != link.now:
        return f"{link.row_id} of {name} was changed"
    if link.previous != previous or link.hash != hashing.chained(previous, link.now):
        return f"link {link.seq} of {name} ({link.row_id}) does not follow from the one before"
    return None


def event_order(session: Session) -> Iterator[str | None]:
    """Check that the numbers of events have no gap."""
    count, first, last = session.execute(
        select(func.count(EventLog.seq), func.min(EventLog.seq), func.max(EventLog.seq))
    ).one()
    whole = count == 0 or (first == 1 and last == count)
    yield None if whole else f"{count} events are numbered {first} to {last}"
