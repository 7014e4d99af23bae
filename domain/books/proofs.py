"""What rows say, proved from the rows: guards, balances, entries, hash chains, the order of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import hashing
from domain import audit
from domain.books import chains, ledger
from models import guards
from models.audit import AuditRow, ChainLink
from models.events import EventLog
from models.ledger import JournalEntry, JournalSeal, Posting

_CHUNK = 1000


def guards_stand(session: Session) -> Iterator[str | None]:
    """Check that the database has every guard and none is switched off."""
    for name in guards.missing(session.connection()):
        yield f"the database lacks the guard {name}"


def trial_balance(session: Session) -> Iterator[str | None]:
    """Check that all postings of an asset add up to nothing."""
    statement = select(Posting.asset, func.sum(Posting.amount_minor)).group_by(Posting.asset)
    for asset_name, total in session.execute(statement):
        yield f"{asset_name} is out by {total} minor units" if total else None


def entries(session: Session) -> Iterator[str | None]:
    """Check each entry: sealed, counted, balanced per asset, and saying what its hash covers."""
    statement = select(JournalEntry).order_by(JournalEntry.id).execution_options(yield_per=_CHUNK)
    with session.scalars(statement) as rows:
        for chunk in rows.partitions():
            ids = [entry.id for entry in chunk]
            lines: dict[str, list[Posting]] = {entry_id: [] for entry_id in ids}
            found = select(Posting).where(Posting.entry_id.in_(ids)).order_by(Posting.line)
            for line in session.scalars(found):
                lines[line.entry_id].append(line)
            seals = select(JournalSeal).where(JournalSeal.entry_id.in_(ids))
            sealed = {seal.entry_id: seal for seal in session.scalars(seals)}
            for entry in chunk:
                yield _entry_problem(entry, lines[entry.id], sealed.get(entry.id))


def _entry_problem(
    entry: JournalEntry, lines: Sequence[Posting], seal: JournalSeal | None
) -> str | None:
    if seal is None:
        return f"{entry.id} has no seal"
    if seal.postings != len(lines) or len(lines) < 2:
        return f"{entry.id} has {len(lines)} postings, its seal says {seal.postings}"
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.asset] = sums.get(line.asset, 0) + line.amount_minor
    if any(sums.values()):
        return f"{entry.id} does not balance"
    said = [(line.pair, line.address, line.asset, line.amount_minor) for line in lines]
    if ledger.entry_hash(ledger.head_of(_columns(entry)), said) != entry.content_hash:
        return f"{entry.id} does not say what its hash covers"
    return None


def _columns(row: JournalEntry | AuditRow) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in type(row).__table__.columns}


def audit_rows(session: Session) -> Iterator[str | None]:
    """Check that each audit row says what its hash covers."""
    statement = select(AuditRow).order_by(AuditRow.at, AuditRow.id)
    with session.scalars(statement.execution_options(yield_per=_CHUNK)) as rows:
        for row in rows:
            same = audit.content_hash(_columns(row)) == row.content_hash
            yield None if same else f"{row.id} does not say what its hash covers"


def chain(name: str) -> Callable[[Session], Iterator[str | None]]:
    """Make the check of a chain: each link follows the one before, each row is in one."""

    def check(session: Session) -> Iterator[str | None]:
        row_id, content_hash, _ = chains.CHAINS[name]
        statement = (
            select(ChainLink, content_hash)
            .outerjoin(row_id.class_, row_id == ChainLink.row_id)
            .where(ChainLink.chain == name)
            .order_by(ChainLink.seq)
        )
        previous, expected = hashing.GENESIS, 1
        with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
            for link, content in rows:
                yield _link_problem(link, content, previous, expected)
                previous, expected = link.hash, expected + 1
        if count := chains.count_unlinked(session, name):
            yield f"{count} rows of {name} are in no link"

    return check


def _link_problem(link: ChainLink, content: str | None, previous: str, expected: int) -> str | None:
    if link.seq != expected:
        return f"link {expected} of {link.chain} is missing"
    if content is None:
        return f"{link.row_id} of {link.chain} was deleted"
    if link.content_hash != content:
        return f"{link.row_id} of {link.chain} was changed"
    if link.previous_hash != previous or link.hash != hashing.chained(previous, content):
        return (
            f"link {link.seq} of {link.chain} ({link.row_id}) does not follow from the one before"
        )
    return None


def event_order(session: Session) -> Iterator[str | None]:
    """Check that the numbers of events have no gap."""
    count, first, last = session.execute(
        select(func.count(EventLog.seq), func.min(EventLog.seq), func.max(EventLog.seq))
    ).one()
    whole = count == 0 or (first == 1 and last == count)
    yield None if whole else f"{count} events are numbered {first} to {last}"
