"""Rules of the journal itself: it balances, and it is as it was chained and signed.

Each rule is one statement, so that it sees the books as of one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from domain.books import chains
from domain.watch import checkpoints
from domain.watch.offences import MOST, Offence, Rule, recent_entries, said
from models.audit import ChainLink
from models.ledger import JournalEntry, JournalSeal, Posting
from models.payments import Payment
from models.watch import Checkpoint

_LIMIT = MOST + 1


def _currencies(session: Session, _: datetime | None) -> Iterator[Offence]:
    total = func.sum(Posting.amount_minor)
    statement = select(Posting.asset, total).group_by(Posting.asset).having(total != 0)
    for unit, minor in session.execute(statement.limit(_LIMIT)):
        sentence = f"All postings of {unit.split('/')[0]} together are out by {said(minor, unit)}."
        yield Offence(sentence, "asset", unit)


def _entries(session: Session, since: datetime | None) -> Iterator[Offence]:
    per_asset = select(
        Posting.entry_id,
        func.sum(Posting.amount_minor).label("total"),
        func.count().label("lines"),
    ).group_by(Posting.entry_id, Posting.asset)
    wanted = []
    if since is not None:
        per_asset = per_asset.where(Posting.entry_id.in_(recent_entries(since)))
        wanted.append(JournalEntry.posted_at > since)
    each = per_asset.subquery()
    whole = (
        select(
            each.c.entry_id,
            func.max(func.abs(each.c.total)).label("out"),
            func.sum(each.c.lines).label("lines"),
        )
        .group_by(each.c.entry_id)
        .subquery()
    )
    is_wrong = or_(
        JournalSeal.entry_id.is_(None),
        whole.c.entry_id.is_(None),
        whole.c.out != 0,
        whole.c.lines != JournalSeal.postings,
    )
    statement = (
        select(
            JournalEntry.id,
            JournalEntry.order_id,
            JournalEntry.provider,
            Payment.merchant_id,
            whole.c.out,
            whole.c.lines,
            JournalSeal.postings,
        )
        .outerjoin(whole, whole.c.entry_id == JournalEntry.id)
        .outerjoin(JournalSeal, JournalSeal.entry_id == JournalEntry.id)
        .outerjoin(Payment, Payment.id == JournalEntry.payment_id)
        .where(is_wrong, *wanted)
    )
    for entry_id, order_id, provider, merchant_id, out, lines, sealed in session.execute(
        statement.limit(_LIMIT)
    ):
        wrong = "does not balance" if out else f"has {lines or 0} lines, sealed {sealed}"
        yield Offence(f"{entry_id} {wrong}.", "entry", entry_id, order_id, merchant_id, provider)


def _chained(name: str) -> Callable[[Session, datetime | None], Iterator[Offence]]:
    def find(session: Session, _: datetime | None) -> Iterator[Offence]:
        row_id, content, _at = chains.CHAINS[name]
        statement = (
            select(ChainLink.seq, ChainLink.row_id, func.coalesce(content, ""))
            .outerjoin(row_id.class_, row_id == ChainLink.row_id)
            .where(
                ChainLink.chain == name,
                or_(content.is_(None), content != ChainLink.content_hash),
            )
        )
        for seq, found_id, now in session.execute(statement.limit(_LIMIT)):
            wrong = "is not what was chained" if now else "was deleted"
            yield Offence(f"{found_id}, row {seq} of the {name} chain, {wrong}.", name, found_id)

    return find


def _signed(session: Session, _: datetime | None) -> Iterator[Offence]:
    same = and_(ChainLink.chain == Checkpoint.chain, ChainLink.seq == Checkpoint.seq)
    is_wrong = or_(ChainLink.hash.is_(None), ChainLink.hash != Checkpoint.hash)
    found = func.coalesce(ChainLink.hash, "")
    statement = select(Checkpoint.chain, Checkpoint.seq, found).outerjoin(ChainLink, same)
    statement = statement.where(is_wrong).order_by(Checkpoint.chain, Checkpoint.seq)
    for chain, seq, now in session.execute(statement.limit(_LIMIT)):
        wrong = "has another hash than was signed" if now else "is gone"
        yield Offence(f"Row {seq} of the {chain} chain {wrong}.", "checkpoint", f"{chain}:{seq}")
    keeper = checkpoints.find_keeper()
    for chain in chains.CHAINS if keeper else ():
        last = keeper.newest(chain) if keeper else None
        if last is not None and not checkpoints.stands(session, last):
            sentence = (
                f"Row {last.seq} of the {chain} chain is not what the file of checkpoints says."
            )
            yield Offence(sentence, "checkpoint", f"{chain}:{last.seq}")


RULES = (
    Rule(
        "currencies_balance",
        "Debits equal credits in every currency",
        "All postings of a currency add up to nothing.",
        _currencies,
        has_recent=False,
    ),
    Rule(
        "entries_balance",
        "Every entry balances and is sealed",
        "The lines of each journal entry add up to nothing, and are as many as were sealed.",
        _entries,
    ),
    Rule(
        "journal_as_chained",
        "The journal is as it was chained",
        "Each entry that was linked into the hash chain is there and has the hash it was linked with.",
        _chained("journal"),
        has_recent=False,
    ),
    Rule(
        "audit_as_chained",
        "The audit log is as it was chained",
        "Each audit row that was linked into the hash chain is there and has the hash it was linked with.",
        _chained("audit"),
        has_recent=False,
    ),
    Rule(
        "chains_as_signed",
        "The chains are as they were signed",
        "At each checkpoint a chain has the hash that was signed and kept outside the database.",
        _signed,
    ),
)
