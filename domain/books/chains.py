"""Hash chains over the audit log and the journal: committed rows are linked in batches, after commit."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, func, insert, select, text
from sqlalchemy.orm import Session

from core import clock, hashing
from domain import crash, database
from models.audit import AuditRow, ChainLink
from models.ledger import JournalEntry

BATCH = 1000
LOCK = 0x6C696E6B
# No transaction of ours stays open this long, so nothing older than this can still appear.
LATEST_COMMIT = timedelta(minutes=10)
CHAINS = {
    "audit": (AuditRow.id, AuditRow.content_hash, AuditRow.at),
    "journal": (JournalEntry.id, JournalEntry.content_hash, JournalEntry.posted_at),
}


def _head(session: Session, chain: str) -> tuple[int, str, str | None]:
    statement = select(ChainLink).where(ChainLink.chain == chain).order_by(ChainLink.seq.desc())
    link = session.scalars(statement.limit(1)).first()
    return (link.seq, link.hash, link.row_id) if link else (0, hashing.GENESIS, None)


def link_batch(session: Session, chain: str, *, everything: bool = False) -> int:
    """Link the oldest rows that have no link. Gives how many.

    everything: look at the whole table, not only at what can have come since the head.
    Writes: chain_links. Transaction: caller's, alone in it by an advisory lock.
    """
    row_id, content_hash, at = CHAINS[chain]
    if not database.is_sqlite():
        session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    seq, previous, last_id = _head(session, chain)
    linked = exists().where(ChainLink.chain == chain, ChainLink.row_id == row_id)
    statement = select(row_id, content_hash).where(~linked)
    if last_id is not None and not everything:
        since = session.scalar(select(at).where(row_id == last_id))
        if since is not None:
            statement = statement.where(at > since - LATEST_COMMIT)
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


def link_all(*, everything: bool = False) -> int:
    """Link whatever is committed and unlinked, both chains. Gives how many rows.

    Transaction: opens its own, one per batch.
    """
    total = 0
    for chain in CHAINS:
        while True:
            with database.transaction() as session:
                count = link_batch(session, chain, everything=everything)
                if count:
                    crash.point("chain.before_commit")
            total += count
            if count < BATCH:
                break
    return total


def head_of(session: Session, chain: str) -> tuple[int, str]:
    """Give a chain's length and newest hash."""
    seq, newest, _ = _head(session, chain)
    return seq, newest


def count_unlinked(session: Session, chain: str) -> int:
    """Count the rows of a chain that should have a link by now; newer ones are linked in a moment."""
    row_id, _, at = CHAINS[chain]
    linked = exists().where(ChainLink.chain == chain, ChainLink.row_id == row_id)
    late = select(func.count()).select_from(row_id.class_)
    return session.scalar(late.where(~linked, at < clock.now() - LATEST_COMMIT)) or 0
