"""The books: accounts, balanced entries posted once per source key, reversals; nothing is edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Conflict, NotFound
from core.hashing import Plain
from core.money import Money, asset
from domain import database, pending
from models.ledger import JournalEntry, JournalSeal, LedgerAccount, Posting


@dataclass(frozen=True)
class Account:
    """An address with what it is. kind: asset, liability, income, expense or equity."""

    address: str
    kind: str
    merchant_id: str | None = None


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


def clearing(provider: str) -> Account:
    """Name what a provider holds for us until it pays out."""
    return Account(f"provider:{provider}:clearing", "asset")


def suspense(provider: str) -> Account:
    """Name what people vouched a provider holds for us, until it says so itself."""
    return Account(f"suspense:manual:{provider}", "asset")


def buyer_funds(buyer_id: str | None, payment_id: str) -> Account:
    """Name what a buyer has paid in; without a known buyer it hangs on the payment."""
    return Account(
        f"buyer:{buyer_id}:funds" if buyer_id else f"payer:{payment_id}:funds", "liability"
    )


def wallet(user_id: str) -> Account:
    """Name what a person may spend: theirs, owed by us."""
    return Account(f"wallet:{user_id}:balance", "liability")


def promotions(provider: str) -> Account:
    """Name what coupons cost us: money that nobody paid in."""
    return Account(f"promotions:{provider}", "expense")


def escrow_hold(order_id: str, merchant_id: str) -> Account:
    """Name what is held for an order until it is released or refunded."""
    return Account(f"order:{order_id}:escrow_hold", "liability", merchant_id)


def unapplied(payment_id: str) -> Account:
    """Name money that came for a payment that had already ended."""
    return Account(f"payment:{payment_id}:unapplied", "liability")


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
    """Choose what of an entry's head its hash covers."""
    names = ("id", "kind", "source_key", "source", "order_id", "payment_id", "invoice_id")
    more = ("provider", "provider_reference", "note", "reverses_id", "livemode", "demo")
    said: dict[str, Plain] = {name: entry[name] for name in names + more}  # type: ignore[misc]
    for name in ("effective_at", "posted_at"):
        at = entry[name]
        assert isinstance(at, datetime)  # for the type checker; the columns are not null
        said[name] = clock.rfc3339(at)
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
    effective_at: datetime | None = None,
) -> str:
    """Post one balanced entry and seal it; the database refuses it otherwise. Gives the entry's id.

    source_key: the permanent key of the fact behind it; a second post under it fails.
    Writes: ledger_accounts, journal_entries, postings, journal_seals.
    Raises: sqlalchemy IntegrityError, at commit, when the source key was posted. Transaction: caller's.
    """
    _open_accounts(session, movements)
    at = clock.now()
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
    accounts = _accounts_of(session, entry_id)
    movements = [
        Movement(debit=accounts[credit], credit=accounts[debit], amount=amount)
        for debit, credit, amount in movements_of(session, entry_id)
    ]
    ties = Ties(
        order_id=entry.order_id,
        payment_id=entry.payment_id,
        invoice_id=entry.invoice_id,
        provider=entry.provider,
        provider_reference=entry.provider_reference,
        livemode=entry.livemode,
        demo=entry.demo,
    )
    return post(
        session,
        "reversal",
        movements=movements,
        source_key=f"reversal:{entry_id}",
        source=source,
        ties=ties,
        note=note,
        reverses_id=entry_id,
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
