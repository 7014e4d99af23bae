"""The books: accounts, balanced entries posted once per source key, reversals; nothing is edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Conflict, NotFound
from core.hashing import Plain
from core.money import Money, asset
from domain import database, pending
from domain.books import balances, booking
from domain.books.accounts import Account
from models.ledger import JournalEntry, JournalSeal, LedgerAccount, Posting


@dataclass(frozen=True)
class Movement:
    """One amount leaving `credit` and arriving at `debit`; amount positive."""

    debit: Account
    credit: Account
    amount: Money


@dataclass(frozen=True)
class Ties:
    """What an entry belongs to; every entry can be traced from order, payment and provider."""

    order_id: str | None = None
    payment_id: str | None = None
    invoice_id: str | None = None
    provider: str | None = None
    provider_reference: str | None = None
    livemode: bool = False
    demo: bool = False


def _open_accounts(session: Session, movements: Sequence[Movement]) -> None:
    for movement in movements:
        for account in (movement.debit, movement.credit):
            row: dict[str, object] = {
                "address": account.address,
                "asset": str(movement.amount.asset),
                "kind": account.kind,
                "merchant_id": account.merchant_id,
                "created_at": clock.now(),
            }
            pending.later(session, LedgerAccount, row)


def _lines(movements: Sequence[Movement]) -> list[tuple[int, str, str, int]]:
    lines: list[tuple[int, str, str, int]] = []
    for pair, movement in enumerate(movements, start=1):
        amount = movement.amount
        if amount.minor <= 0:
            raise ValueError("a movement must be positive")
        lines.append((pair, movement.debit.address, str(amount.asset), amount.minor))
        lines.append((pair, movement.credit.address, str(amount.asset), -amount.minor))
    return lines


def entry_hash(head: Mapping[str, Plain], lines: Sequence[tuple[int, str, str, int]]) -> str:
    """Hash what an entry says: its head and its lines (pair, address, asset, signed minor units)."""
    return hashing.digest(
        {
            "head": dict(head),
            "lines": [[pair, address, unit, str(minor)] for pair, address, unit, minor in lines],
        }
    )


def head_of(entry: Mapping[str, object]) -> dict[str, Plain]:
    """Choose what of an entry's head its hash covers; what came to the table later, only where it is said."""
    names = ("id", "kind", "source_key", "source", "order_id", "payment_id", "invoice_id")
    more = ("provider", "provider_reference", "note", "reverses_id", "livemode", "demo")
    said: dict[str, Plain] = {name: entry[name] for name in names + more}  # type: ignore[misc]
    for name in ("effective_at", "posted_at"):
        at = entry[name]
        assert isinstance(at, datetime)  # for the type checker; the columns are not null
        said[name] = clock.rfc3339(at)
    later = ("period", "late_of", "resolves_id", "details")
    said |= {name: entry[name] for name in later if entry[name]}  # type: ignore[misc]
    if (due_on := entry["reversal_due_on"]) is not None:
        said["reversal_due_on"] = str(due_on)
    return said


def post(
    session: Session,
    kind: str,
    *,
    movements: Sequence[Movement],
    source_key: str,
    source: str,
    ties: Ties,
    note: str | None = None,
    reverses_id: str | None = None,
    resolves_id: str | None = None,
    details: Mapping[str, Plain] | None = None,
    reversal_due_on: date | None = None,
    effective_at: datetime | None = None,
) -> str:
    """Post one balanced entry and seal it; the database refuses it otherwise. Gives the entry's id.

    kind: a word of `core.entry_kinds`, which says what it must be tied to. source_key: the permanent key
    of the fact behind it; a second post under it fails. details: what else belongs to it for ever, such
    as a rate with its source and date. An entry that took effect in a closed period is booked in the
    open one and says of which it is late.
    Writes: ledger_accounts, journal_entries, postings, journal_seals, account_balances.
    Raises: sqlalchemy IntegrityError, at commit, when the source key was posted. Transaction: caller's.
    """
    _open_accounts(session, movements)
    at = clock.now()
    booked = booking.place(session, effective_at or at)
    entry_id = ids.new("jrn")
    lines = _lines(movements)
    head: dict[str, object] = {
        "id": entry_id,
        "kind": kind,
        "source_key": source_key,
        "source": source,
        "order_id": ties.order_id,
        "payment_id": ties.payment_id,
        "invoice_id": ties.invoice_id,
        "provider": ties.provider,
        "provider_reference": ties.provider_reference,
        "note": note,
        "reverses_id": reverses_id,
        "resolves_id": resolves_id,
        "details": dict(details or {}),
        "reversal_due_on": reversal_due_on,
        "period": booked.period,
        "late_of": booked.late_of,
        "livemode": ties.livemode,
        "demo": ties.demo,
        "effective_at": _whole_milliseconds(effective_at or at),
        "posted_at": _whole_milliseconds(at),
    }
    stored = head | {"content_hash": entry_hash(head_of(head), lines)}
    pending.later(session, JournalEntry, stored)
    for place, (pair, address, unit, minor) in enumerate(lines, start=1):
        line: dict[str, object] = {"entry_id": entry_id, "line": place, "pair": pair}
        line |= {"address": address, "asset": unit, "amount_minor": minor}
        pending.later(session, Posting, line)
    seal: dict[str, object] = {"entry_id": entry_id, "postings": len(lines), "sealed_at": at}
    pending.later(session, JournalSeal, seal)
    for movement in movements:
        balances.move(session, movement.debit, movement.credit, movement.amount)
    database.mark(session, "audit")
    return entry_id


def _whole_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def reverse(session: Session, entry_id: str, *, source: str, note: str) -> str:
    """Post the mirror of an entry; an entry is reversed at most once. Gives the new entry's id.

    Writes: as `post`. Raises: NotFound, Conflict when it is reversed already. Transaction: caller's.
    """
    entry = session.get(JournalEntry, entry_id)
    if entry is None:
        raise NotFound
    if session.scalar(select(JournalEntry.id).where(JournalEntry.reverses_id == entry_id)):
        raise Conflict("That entry is reversed already.")
    return post(
        session,
        "reversal",
        movements=mirror_of(session, entry_id),
        source_key=f"reversal:{entry_id}",
        source=source,
        ties=ties_of(entry),
        note=note,
        reverses_id=entry_id,
    )


def mirror_of(session: Session, entry_id: str) -> list[Movement]:
    """Give the movements that undo an entry."""
    accounts = _accounts_of(session, entry_id)
    return [
        Movement(debit=accounts[credit], credit=accounts[debit], amount=amount)
        for debit, credit, amount in movements_of(session, entry_id)
    ]


def ties_of(entry: JournalEntry) -> Ties:
    """Give what an entry belongs to, for another that follows from it."""
    return Ties(
        order_id=entry.order_id,
        payment_id=entry.payment_id,
        invoice_id=entry.invoice_id,
        provider=entry.provider,
        provider_reference=entry.provider_reference,
        livemode=entry.livemode,
        demo=entry.demo,
    )


def _accounts_of(session: Session, entry_id: str) -> dict[str, Account]:
    rows = session.scalars(
        select(LedgerAccount)
        .join(
            Posting,
            (Posting.address == LedgerAccount.address) & (Posting.asset == LedgerAccount.asset),
        )
        .where(Posting.entry_id == entry_id)
    )
    return {row.address: Account(row.address, row.kind, row.merchant_id) for row in rows}


def movements_of(session: Session, entry_id: str) -> list[tuple[str, str, Money]]:
    """Give an entry's movements as (debit address, credit address, amount)."""
    lines = session.scalars(
        select(Posting).where(Posting.entry_id == entry_id).order_by(Posting.line)
    ).all()
    return [
        (debit.address, credit.address, Money(debit.amount_minor, asset(debit.asset)))
        for debit, credit in zip(lines[::2], lines[1::2], strict=True)
    ]


def balance(session: Session, address: str, asset_name: str) -> int:
    """Sum an account: minor units of the asset, debits positive."""
    total = session.scalar(
        select(func.coalesce(func.sum(Posting.amount_minor), 0)).where(
            Posting.address == address, Posting.asset == asset_name
        )
    )
    return int(total or 0)
