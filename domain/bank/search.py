"""Searching for a bank payment that was not found: tolerant of how a reference was typed, wider when nothing is near.

What is ours and what statements say is read here; what a bank's provider lists is asked for without a
transaction, by `asking_banks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Function, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.bank_references import HEAD, key_of
from core.errors import invalid
from core.money import Money, asset, parse
from domain import calendar
from domain.actors import Actor
from domain.orders.order_queries import minors_of, orders_with_reference
from domain.payments import payment_queries
from models.payments import Payment
from models.statements import BankLine

OURS, STATEMENT, PROVIDER = "ours", "statement", "provider"
SOURCES = (OURS, STATEMENT, PROVIDER)
DAYS, MOST_DAYS = 7, 90
# What is tried, one after the other, as long as nothing is found.
_WIDER = (14, 30, MOST_DAYS)
MOST_FOUND, _SHORTEST_KEY = 50, 4


@dataclass(frozen=True)
class Asked:
    """What is looked for. since, until: the days about which; window_days: how far around them at first."""

    reference: str = ""
    amount: str = ""
    currency: str = ""
    since: date | None = None
    until: date | None = None
    window_days: int = DAYS
    sources: Sequence[str] = ()

    def days(self) -> tuple[date, date]:
        """Give the days about which it is looked for; today, where none is said."""
        since = self.since or self.until or calendar.today()
        return since, max(since, self.until or calendar.today())

    def minors(self) -> list[int]:
        """Give the amounts that may be meant, in minor units: one where the currency is known."""
        if not self.currency:
            return minors_of(self.amount)
        number = self.amount.split()[:1]
        try:
            return [parse(number[0].replace(",", ""), asset(self.currency)).minor] if number else []
        except ValueError:
            return []

    def wants(self, source: str) -> bool:
        """Tell whether a source is to be searched."""
        return not self.sources or source in self.sources


@dataclass(frozen=True)
class Found:
    """One thing that may be the payment. score: 0 to 100; why: in words; line_id: of a statement's line."""

    source: str
    payment_id: str | None
    provider: str | None
    provider_reference: str | None
    bank_reference: str | None
    amount: Money | None
    status: str
    at: datetime
    score: int
    why: str
    line_id: str | None = None


@dataclass(frozen=True)
class Result:
    """What was found, likeliest first, within so many days; widened: further than was asked for."""

    items: Sequence[Found]
    days: int
    widened: bool


def check(asked: Asked) -> Asked:
    """Check that there is something to look for.

    Raises: InvalidInput
    """
    if asked.currency:
        try:
            asset(asked.currency)
        except ValueError as error:
            raise invalid("currency", "That is no currency that is known.") from error
    if asked.amount and not asked.minors():
        raise invalid("amount", "Write an amount such as 125.00.")
    if asked.reference and len(key_of(asked.reference)) < _SHORTEST_KEY:
        raise invalid("reference", f"Give at least {_SHORTEST_KEY} letters or digits of it.")
    if not asked.reference and not asked.amount:
        raise invalid("reference", "Give a reference or an amount to look for.")
    if asked.since and asked.until and asked.since > asked.until:
        raise invalid("from", "The first day comes before the last.")
    if not 1 <= asked.window_days <= MOST_DAYS:
        raise invalid("windowDays", f"A window has 1 to {MOST_DAYS} days.")
    return asked


def search(session: Session, asked: Asked, *, actor: Actor) -> Result:
    """Look among our payments and the lines of statements, wider and wider until something is found.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    check(asked)
    tried, found = asked.window_days, list[Found]()
    for days in (asked.window_days, *(each for each in _WIDER if each > asked.window_days)):
        tried = days
        found = list(_within(session, asked, days, actor))
        if found:
            break
    return Result(ranked(found), tried, tried > asked.window_days)


def ranked(found: Sequence[Found]) -> list[Found]:
    """Sort what was found: the likeliest first, of alike ones the newest."""
    return sorted(found, key=lambda each: (-each.score, -each.at.timestamp(), each.why))[
        :MOST_FOUND
    ]


def window(asked: Asked, days: int) -> tuple[datetime, datetime]:
    """Give the instants between which it is looked: from, inclusive, and to, exclusive."""
    since, until = asked.days()
    about = timedelta(days=days)
    return calendar.begin_of(since - about), calendar.begin_of(until + about + timedelta(days=1))


def _within(session: Session, asked: Asked, days: int, actor: Actor) -> Iterator[Found]:
    begin, end = window(asked, days)
    if asked.wants(OURS):
        yield from _ours(session, asked, (begin, end), actor)
    if asked.wants(STATEMENT):
        yield from _lines(session, asked, days)


def _ours(
    session: Session, asked: Asked, span: tuple[datetime, datetime], actor: Actor
) -> Iterator[Found]:
    minors = asked.minors()
    wanted = _called(session, asked.reference, actor) if asked.reference else []
    if minors:
        wanted.append(Payment.amount_minor.in_(minors))
    inside = (Payment.created_at >= span[0], Payment.created_at < span[1])
    mode = () if actor.livemode is None else (Payment.livemode.is_(actor.livemode),)
    newest = Payment.created_at.desc(), Payment.id.desc()
    statement = select(Payment).where(Payment.amount_minor > 0, or_(*wanted), *inside, *mode)
    for row in session.scalars(statement.order_by(*newest).limit(2 * MOST_FOUND)):
        if asked.currency and asset(row.asset) != asset(asked.currency):
            continue
        names = (row.bank_reference, row.provider_reference, row.reference, row.id, row.order_id)
        score, why = weigh(asked, names, row.amount_minor)
        yield Found(
            source=OURS,
            payment_id=row.id,
            provider=row.provider,
            provider_reference=row.provider_reference,
            bank_reference=row.bank_reference,
            amount=Money(row.amount_minor, asset(row.asset)),
            status=row.status,
            at=row.created_at,
            score=score,
            why=why,
        )


def _called(session: Session, text: str, actor: Actor) -> list[ColumnElement[bool]]:
    """Choose payments by any of their names; bank references also as they are mistyped and cut."""
    text, key = text.strip(), key_of(text)
    found: list[ColumnElement[bool]] = [
        payment_queries.matching(session, text, actor=actor),
        Payment.bank_reference.in_({text, text.upper(), key, HEAD + key}),
        Payment.order_id.in_(orders_with_reference(text)),
    ]
    alike = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    mistyped = alike(_key_in_sql(Payment.bank_reference), key) > 0
    found.append(Payment.bank_reference.is_not(None) & mistyped)
    return found


def _key_in_sql(column: InstrumentedAttribute[str | None]) -> Function[str]:
    """Say `key_of` in SQL, for the signs that references carry."""
    said = func.upper(column)
    for sign in " /-?:().,'+&":
        said = func.replace(said, sign, "")
    for sign, instead in (("O", "0"), ("I", "1"), ("L", "1")):
        said = func.replace(said, sign, instead)
    return said


def weigh(asked: Asked, names: Sequence[str | None], amount_minor: int | None) -> tuple[int, str]:
    """Score something by its names and its amount, and say why.

    A name that is exactly the one looked for counts most, then one that only looks like it.
    """
    score, reasons = 0, list[str]()
    given = [name for name in names if name]
    key = key_of(asked.reference)
    if key and any(name == asked.reference.strip() for name in given):
        score, reasons = 70, ["the same reference"]
    elif key and any(key_of(name) == key for name in given):
        score, reasons = 65, ["the same reference, written another way"]
    elif key and any(key in key_of(name) for name in given):
        score, reasons = 50, ["part of its reference"]
    elif key:
        reasons = ["another reference"]
    minors = asked.minors()
    if minors and amount_minor is not None and abs(amount_minor) in minors:
        score, reasons = score + 30, [*reasons, "the same amount"]
    elif minors:
        reasons.append("another amount")
    elif key and score:
        score += 20
    return max(score, 10), ", ".join(reasons)


def _lines(session: Session, asked: Asked, days: int) -> Iterator[Found]:
    since, until = asked.days()
    about = timedelta(days=days)
    inside = BankLine.booked_on.between(since - about, until + about)
    minors, key = asked.minors(), key_of(asked.reference)
    branches = []
    if key:
        branches.append(select(BankLine.id).where(inside, BankLine.reference_key.contains(key)))
    if minors:
        signed = [*minors, *(-minor for minor in minors)]
        branches.append(select(BankLine.id).where(inside, BankLine.amount_minor.in_(signed)))
    chosen = union_all(*branches).subquery()
    statement = select(BankLine).where(BankLine.id.in_(select(chosen.c.id)))
    newest = BankLine.booked_on.desc(), BankLine.id.desc()
    for row in session.scalars(statement.order_by(*newest).limit(2 * MOST_FOUND)):
        unit = asset(row.asset)
        if asked.currency and unit != asset(asked.currency):
            continue
        names = (row.reference, row.end_to_end_id, row.bank_reference)
        score, why = weigh(asked, names, row.amount_minor)
        yield Found(
            source=STATEMENT,
            payment_id=row.payment_id,
            provider=None,
            provider_reference=row.end_to_end_id,
            bank_reference=row.reference or row.bank_reference,
            amount=Money(row.amount_minor, unit),
            status=row.state,
            at=calendar.begin_of(row.booked_on),
            score=score,
            why=why,
            line_id=row.id,
        )
