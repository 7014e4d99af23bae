"""What could be behind bank lines: payouts, payments and refunds that are open, found for many lines at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain import calendar
from domain.bank.seen import Seen
from domain.database import is_one_of
from domain.reconciliation.payouts import RETURNED
from models.payments import Payment
from models.reconciliation import ProviderPayout
from models.refunds import Refund
from models.statements import BankLine
from providers import registry

PAYMENT, PAYOUT, REFUND = "payment", "payout", "refund"
# How far from the day it was expected a line is still likely to be of something.
NEAR_DAYS = 7
MOST_FOUND = 1000
# Money of this rail is seen on our account by itself; of others only in their providers' payouts.
BANK_RAIL = "bank"
_REFUNDS_OVER = ("failed", "cancelled")
Row = TypeVar("Row", Payment, ProviderPayout, Refund)


@dataclass(frozen=True)
class Thing:
    """Something that could be behind a line. names: by which texts may call it; left_minor: what of it no
    line shows yet; is_near: whether its amount and day alone are reason enough.
    """

    kind: str
    id: str
    name: str
    asset: str
    whole_minor: int
    left_minor: int
    expected_on: date
    livemode: bool
    label: str
    names: Mapping[str, str] = field(default_factory=dict)
    is_near: bool = False


def of(session: Session, lines: Sequence[Seen]) -> list[Thing]:
    """List what could be behind any of some lines. Transaction: caller's, reads only."""
    coming = [line for line in lines if line.amount.minor > 0]
    going = [line for line in lines if line.amount.minor < 0]
    found = [*_payouts(session, coming), *_payments(session, coming)] if coming else []
    return found + (_refunds(session, going) if going else [])


def _named(
    session: Session,
    rows: Select[Row],
    columns: Sequence[InstrumentedAttribute[str] | InstrumentedAttribute[str | None]],
    lines: Iterable[Seen],
) -> Iterator[Row]:
    """Read the rows that any word of the lines names."""
    words = {token for line in lines for token in line.tokens()}
    # One column at a time, so that each finds its rows by its own index.
    for column in columns:
        yield from session.scalars(rows.where(is_one_of(column, words)).limit(MOST_FOUND))


def _span(lines: Sequence[Seen]) -> tuple[date, date]:
    days = [line.booked_on for line in lines]
    return min(days), max(days)


def _payouts(session: Session, lines: Sequence[Seen]) -> list[Thing]:
    first, last = _span(lines)
    about = timedelta(days=NEAR_DAYS)
    begin, end = calendar.begin_of(first - 4 * about), calendar.begin_of(last + about)
    waiting = select(ProviderPayout).where(
        ProviderPayout.matched_at.is_(None), ProviderPayout.status.not_in(RETURNED)
    )
    near = waiting.where(ProviderPayout.created_at.between(begin, end))
    newest = ProviderPayout.created_at.desc(), ProviderPayout.id
    found = list(session.scalars(near.order_by(*newest).limit(MOST_FOUND)))
    found += _named(session, waiting, [ProviderPayout.provider_reference, ProviderPayout.id], lines)
    return [
        Thing(
            kind=PAYOUT,
            id=row.id,
            name=row.provider_reference,
            asset=row.asset,
            whole_minor=row.amount_minor,
            left_minor=row.amount_minor,
            expected_on=calendar.day_of(row.arrives_at or row.created_at),
            livemode=row.livemode,
            label=_label(row.provider),
            names={row.provider_reference: "the payout's own reference", row.id: "the payout's id"},
            is_near=True,
        )
        for row in {row.id: row for row in found}.values()
    ]


def _label(provider: str) -> str:
    return registry.get(provider).label if provider in registry.names() else ""


def _payments(session: Session, lines: Sequence[Seen]) -> list[Thing]:
    incoming = select(Payment).where(Payment.direction == "in", Payment.amount_minor > 0)
    columns = (
        *(Payment.bank_reference, Payment.provider_reference),
        *(Payment.reference, Payment.id),
    )
    rows = list(_named(session, incoming, columns, lines))
    rows += session.scalars(_by_amount(lines))
    unique = {row.id: row for row in rows}
    seen_of = shown(session, BankLine.payment_id, list(unique))
    return [_payment(row, seen_of.get(row.id, 0)) for row in unique.values()]


def _by_amount(lines: Sequence[Seen]) -> Select[Payment]:
    first, last = _span(lines)
    about = timedelta(days=NEAR_DAYS)
    begin, end = calendar.begin_of(first - 4 * about), calendar.begin_of(last + about)
    return (
        select(Payment)
        .where(
            Payment.rail == BANK_RAIL,
            Payment.direction == "in",
            Payment.amount_minor.in_({line.amount.minor for line in lines}),
            Payment.created_at.between(begin, end),
        )
        .order_by(Payment.created_at.desc(), Payment.id)
        .limit(MOST_FOUND)
    )


def _payment(row: Payment, shown: int) -> Thing:
    names = {row.id: "the payment's id"}
    if row.reference:
        names[row.reference] = "the payment's reference"
    if row.provider_reference:
        names[row.provider_reference] = "the provider's reference of the payment"
    if row.bank_reference:
        names[row.bank_reference] = "our own bank reference"
    return Thing(
        kind=PAYMENT,
        id=row.id,
        name=row.bank_reference or row.id,
        asset=row.asset,
        whole_minor=row.amount_minor,
        left_minor=row.amount_minor - shown,
        expected_on=calendar.day_of(row.created_at),
        livemode=row.livemode,
        label="",
        names=names,
        is_near=row.rail == BANK_RAIL,
    )


def shown(
    session: Session, column: InstrumentedAttribute[str | None], ids: Sequence[str]
) -> dict[str, int]:
    """Add up what matched lines show of payments or refunds, without signs. Transaction: caller's, reads only."""
    statement = (
        select(column, func.sum(func.abs(BankLine.amount_minor)))
        .where(column.in_(ids))
        .group_by(column)
    )
    return {str(key): int(total) for key, total in session.execute(statement)}


def _refunds(session: Session, lines: Sequence[Seen]) -> list[Thing]:
    first, last = _span(lines)
    about = timedelta(days=NEAR_DAYS)
    begin, end = calendar.begin_of(first - 4 * about), calendar.begin_of(last + about)
    near = (
        (Refund.rail == BANK_RAIL)
        & Refund.amount_minor.in_({-line.amount.minor for line in lines})
        & Refund.created_at.between(begin, end)
    )
    given = select(Refund).where(Refund.state.not_in(_REFUNDS_OVER))
    rows = list(session.scalars(given.where(near).order_by(Refund.id).limit(MOST_FOUND)))
    rows += _named(session, given, [Refund.id, Refund.provider_reference], lines)
    unique = {row.id: row for row in rows}
    seen_of = shown(session, BankLine.refund_id, list(unique))
    return [_refund(row, seen_of.get(row.id, 0)) for row in unique.values()]


def _refund(row: Refund, seen_minor: int) -> Thing:
    names = {row.id: "the refund's id"}
    if row.provider_reference:
        names[row.provider_reference] = "the provider's reference of the refund"
    return Thing(
        kind=REFUND,
        id=row.id,
        name=row.provider_reference or row.id,
        asset=row.asset,
        whole_minor=row.amount_minor,
        left_minor=row.amount_minor - seen_minor,
        expected_on=calendar.day_of(row.created_at),
        livemode=row.livemode,
        label="",
        names=names,
        is_near=row.rail == BANK_RAIL,
    )
