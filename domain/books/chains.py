"""Hash chains over the audit log and the journal: committed rows are linked in batches, after commit.

Whoever links looks only at what can have come since it last found everything linked. Rows appear when they
are committed, which may be later than they say: so it looks back to where the oldest transaction that was
open then had begun, and from time to time further.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, exists, func, insert, select, text
from sqlalchemy.orm import Session

from core import clock, hashing
from domain import crash, database
from models.audit import AuditRow, ChainLink
from models.ledger import JournalEntry

BATCH = 1000
LOCK = 0x6C696E6B
# No transaction of ours stays open this long, so nothing older than this can still appear.
LATEST_COMMIT = timedelta(minutes=10)
# A row may say a time before its transaction began: clocks differ, and a transaction begins with its first
# statement. What says an even earlier one is found by the long look.
EARLIEST_SAYING = timedelta(seconds=5)
LONG_LOOK = timedelta(minutes=5)
CHAINS = {
    "audit": (AuditRow.id, AuditRow.content_hash, AuditRow.at),
    "journal": (JournalEntry.id, JournalEntry.content_hash, JournalEntry.posted_at),
}
_OLDEST_OPEN = text(
    """select min(xact_start), coalesce(bool_or(state = 'disabled' or (state is null
      and coalesce(backend_type, 'client backend') = 'client backend')), false)
    from pg_stat_activity where datname = current_database()"""
)


@dataclass
class _Look:
    """One look at a chain of a database. until: everything that says an earlier time was there to be seen."""

    until: datetime
    far_at: datetime


# The last look of this process at each chain that found everything linked, and was committed.
_looks: WeakKeyDictionary[Engine, dict[str, _Look]] = WeakKeyDictionary()


def _head(session: Session, chain: str) -> tuple[int, str, str | None]:
    statement = select(ChainLink).where(ChainLink.chain == chain).order_by(ChainLink.seq.desc())
    link = session.scalars(statement.limit(1)).first()
    return (link.seq, link.hash, link.row_id) if link else (0, hashing.GENESIS, None)


def link_batch(session: Session, chain: str, *, everything: bool = False) -> int:
    """Link the oldest rows that have no link. Gives how many.

    everything: look at the whole table, not only at what can have come since it was last looked.
    Writes: chain_links. Transaction: caller's, alone in it by an advisory lock.
    """
    row_id, content_hash, at = CHAINS[chain]
    if not database.is_sqlite():
        session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    seq, previous, last_id = _head(session, chain)
    linked = exists().where(ChainLink.chain == chain, ChainLink.row_id == row_id)
    statement = select(row_id, content_hash).where(~linked)
    if not everything:
        since = _since(session, chain, last_id)
        statement = statement if since is None else statement.where(at > since)
    links: list[dict[str, object]] = []
    for found_id, content in session.execute(statement.order_by(at, row_id).limit(BATCH)):
        seq += 1
        following = hashing.chained(previous, content)
        links.append(
            {
                "chain": chain,
                "seq": seq,
                "row_id": found_id,
                "content_hash": content,
                "previous_hash": previous,
                "hash": following,
            }
        )
        previous = following
    if links:
        session.execute(insert(ChainLink), links)
    return len(links)


def _last_look(chain: str) -> _Look | None:
    """Give the last look at a chain that still tells where to begin; None: it is time to look far back."""
    last = _looks.get(database.engine(), {}).get(chain)
    now = clock.now()
    is_due = last is None or now - last.far_at >= LONG_LOOK or now < last.until
    return None if is_due else last


def _since(session: Session, chain: str, last_id: str | None) -> datetime | None:
    """Say from when on rows may be unlinked; None: from the beginning."""
    last = _last_look(chain)
    if last is not None:
        return last.until - EARLIEST_SAYING
    row_id, _, at = CHAINS[chain]
    newest = None if last_id is None else session.scalar(select(at).where(row_id == last_id))
    return None if newest is None else newest - LATEST_COMMIT


def _look(session: Session, chain: str) -> _Look:
    """Say what a look that begins now will have seen. Transaction: caller's, writing."""
    last, now = _last_look(chain), clock.now()
    far_at = now if last is None else last.far_at
    if database.is_sqlite():
        return _Look(now, far_at)  # one writes at a time, and now it is us
    begun, is_hidden = session.execute(_OLDEST_OPEN).one()
    if is_hidden:
        # Somebody else's transactions, whose beginning we may not know.
        return _Look(now - LATEST_COMMIT, far_at)
    return _Look(now if begun is None else min(now, begun), far_at)


def link_all(*, everything: bool = False) -> int:
    """Link whatever is committed and unlinked, both chains. Gives how many rows.

    Transaction: opens its own, one per batch.
    """
    total = 0
    for chain in CHAINS:
        while True:
            with database.transaction() as session:
                look = _look(session, chain)
                count = link_batch(session, chain, everything=everything)
                if count:
                    crash.point("chain.before_commit")
            total += count
            if count < BATCH:
                _looks.setdefault(database.engine(), {})[chain] = look
                break
    return total


def head_of(session: Session, chain: str) -> tuple[int, str]:
    """Give a chain's length and newest hash."""
    seq, newest, _ = _head(session, chain)
    return seq, newest


def find_link(session: Session, chain: str, row_id: str) -> ChainLink | None:
    """Find the link of one row of a chain; None: the chain has not reached it yet."""
    statement = select(ChainLink).where(ChainLink.chain == chain, ChainLink.row_id == row_id)
    return session.scalars(statement).first()


def count_unlinked(session: Session, chain: str) -> int:
    """Count the rows of a chain that should have a link by now; newer ones are linked in a moment."""
    row_id, _, at = CHAINS[chain]
    linked = exists().where(ChainLink.chain == chain, ChainLink.row_id == row_id)
    late = select(func.count()).select_from(row_id.class_)
    return session.scalar(late.where(~linked, at < clock.now() - LATEST_COMMIT)) or 0
