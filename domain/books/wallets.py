"""Wallets: what people paid in and may spend, read from the books; who may look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Subquery, func, select, tuple_
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.money import Money, asset
from core.states import Payment as Status
from domain.actors import Actor
from domain.books import accounts
from domain.payments.payments import LONGEST_PAGE, Page
from domain.refunds import wallet_debits
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.people import User


@dataclass(frozen=True)
class Balance:
    """What a wallet holds of one asset. held: asked back and not over yet; pending: asked of a payer or
    coupon, nothing there yet; paid: on its way and not final. Only the balance can be spent.
    """

    balance: Money
    held: Money
    pending: Money
    paid: Money


@dataclass(frozen=True)
class Entry:
    """One movement of a wallet. after: the balance of its asset once it was posted."""

    id: str
    kind: str
    amount: Money
    is_credit: bool
    after: Money
    payment_id: str | None
    purpose: str | None
    rail: str | None
    note: str | None
    at: datetime


def get_owner(session: Session, user_id: str, *, actor: Actor) -> User:
    """Fetch the person whose wallet an actor may see: their own, staff all, a merchant who has paid it.

    Raises: NotFound, the same for a foreign id.
    """
    user = session.get(User, user_id)
    is_own = actor.kind == "user" and actor.id == user_id
    if user is None or not (is_own or actor.is_staff or _has_paid(session, user_id, actor)):
        raise NotFound
    return user


def _has_paid(session: Session, user_id: str, actor: Actor) -> bool:
    if actor.merchant_id is None:
        return False
    statement = select(Payment.id).where(
        Payment.buyer_id == user_id,
        Payment.merchant_id == actor.merchant_id,
        Payment.received_minor > 0,
        *_of_mode(actor),
    )
    return session.scalar(statement.limit(1)) is not None


def _of_mode(actor: Actor) -> list[ColumnElement[bool]]:
    return [] if actor.livemode is None else [Payment.livemode.is_(actor.livemode)]


def _is_narrowed(user_id: str, actor: Actor) -> bool:
    """Tell whether somebody sees only their own share of a wallet: a merchant, of another person's."""
    return not actor.is_staff and actor.id != user_id


def _own_payments(user_id: str, actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions of a wallet's payments that an actor may know of."""
    found = [Payment.buyer_id == user_id, *_of_mode(actor)]
    if _is_narrowed(user_id, actor):
        found.append(Payment.merchant_id == (actor.merchant_id or ""))
    return found


def _lines(user_id: str, actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions of a wallet's lines that an actor may know of."""
    found: list[ColumnElement[bool]] = [Posting.address == accounts.wallet(user_id).address]
    if actor.livemode is not None:
        found.append(JournalEntry.livemode.is_(actor.livemode))
    if _is_narrowed(user_id, actor):
        own = select(Payment.id).where(*_own_payments(user_id, actor))
        found.append(JournalEntry.payment_id.in_(own))
    return found


def balances(session: Session, user_id: str, *, actor: Actor) -> list[Balance]:
    """Say what a wallet holds, per asset, with what is on its way into it; as far as the actor may know.

    Transaction: caller's, reads only.
    """
    total = func.sum(Posting.amount_minor)
    statement = select(Posting.asset, total).join(JournalEntry, JournalEntry.id == Posting.entry_id)
    rows = session.execute(statement.where(*_lines(user_id, actor)).group_by(Posting.asset))
    booked = {name: -int(minor) for name, minor in rows}
    coming = _coming(session, user_id, actor)
    held = wallet_debits.held(session, _own_payments(user_id, actor))
    return [
        Balance(
            balance=Money(booked.get(name, 0), asset(name)),
            held=Money(held.get(name, 0), asset(name)),
            pending=Money(coming.get((name, Status.PENDING), 0), asset(name)),
            paid=Money(coming.get((name, Status.PROCESSING), 0), asset(name)),
        )
        for name in sorted(booked.keys() | {name for name, _ in coming})
    ]


def _coming(session: Session, user_id: str, actor: Actor) -> dict[tuple[str, str], int]:
    statement = (
        select(Payment.asset, Payment.status, func.sum(Payment.amount_minor))
        .where(
            *_own_payments(user_id, actor),
            Payment.purpose.in_(wallet_debits.PURPOSES),
            Payment.status.in_((Status.PENDING.value, Status.PROCESSING.value)),
        )
        .group_by(Payment.asset, Payment.status)
    )
    return {(name, status): int(minor) for name, status, minor in session.execute(statement)}


def list_entries(
    session: Session, user_id: str, *, actor: Actor, page: Page
) -> tuple[list[Entry], tuple[datetime, str] | None]:
    """List a wallet's movements, newest first, each with the balance after it, and where to go on.

    Transaction: caller's, reads only.
    """
    running = _running(user_id, actor)
    statement, lines = select(running), running.c
    if page.before:
        statement = statement.where(tuple_(lines.at, lines.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (lines.at.desc(), lines.id.desc())
    rows = session.execute(statement.order_by(*newest).limit(limit + 1)).all()
    found = [
        Entry(
            row.id,
            row.kind,
            Money(abs(row.minor), asset(row.asset)),
            row.minor < 0,
            Money(-int(row.after), asset(row.asset)),
            row.payment_id,
            row.purpose,
            row.rail,
            row.note,
            row.at,
        )
        for row in rows[:limit]
    ]
    return found, (found[-1].at, found[-1].id) if len(rows) > limit else None


def _running(user_id: str, actor: Actor) -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    after = func.sum(Posting.amount_minor).over(
        partition_by=Posting.asset,
        order_by=(JournalEntry.posted_at, JournalEntry.id, Posting.line),
    )
    return (
        select(
            JournalEntry.id.label("id"),
            JournalEntry.kind.label("kind"),
            JournalEntry.payment_id.label("payment_id"),
            JournalEntry.note.label("note"),
            JournalEntry.posted_at.label("at"),
            Payment.purpose.label("purpose"),
            Payment.rail.label("rail"),
            Posting.asset.label("asset"),
            Posting.amount_minor.label("minor"),
            after.label("after"),
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .outerjoin(Payment, Payment.id == JournalEntry.payment_id)
        .where(*_lines(user_id, actor))
        .subquery()
    )
