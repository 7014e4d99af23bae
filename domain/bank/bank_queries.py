"""Reading the bank desk for people: statements, lines by state, account and text, and where each belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core.bank_references import key_of
from core.errors import NotFound
from domain.orders.order_queries import minors_of
from domain.payments.payments import Page
from models.statements import BankLine, BankStatement


@dataclass(frozen=True)
class LineFilter:
    """Which lines. Empty means all; q: a reference, however it is written, an id or an amount."""

    state: Sequence[str] = ()
    statement_id: str | None = None
    account: Sequence[str] = ()
    since: date | None = None
    until: date | None = None
    q: str | None = None


@dataclass(frozen=True)
class StatementFilter:
    """Which statements; since, until: days of which they say something."""

    account: Sequence[str] = ()
    since: date | None = None
    until: date | None = None


def list_statements(
    session: Session, wanted: StatementFilter, *, page: Page
) -> Sequence[BankStatement]:
    """List a page of statements and one more, the last imported first. Transaction: caller's, reads only."""
    found: list[ColumnElement[bool]] = []
    if wanted.account:
        found.append(BankStatement.account.in_(wanted.account))
    if wanted.since:
        found.append(BankStatement.to_on >= wanted.since)
    if wanted.until:
        found.append(BankStatement.from_on <= wanted.until)
    if page.before:
        found.append(tuple_(BankStatement.imported_at, BankStatement.id) < page.before)
    newest = BankStatement.imported_at.desc(), BankStatement.id.desc()
    statement = select(BankStatement).where(*found).order_by(*newest)
    return session.scalars(statement.limit(page.limit + 1)).all()


def get_statement(session: Session, statement_id: str) -> BankStatement:
    """Fetch a statement.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    found = session.get(BankStatement, statement_id)
    if found is None:
        raise NotFound
    return found


def list_lines(session: Session, wanted: LineFilter, *, page: Page) -> Sequence[BankLine]:
    """List a page of lines and one more, the last that came first. Transaction: caller's, reads only."""
    found = _conditions(wanted)
    if page.before:
        found.append(tuple_(BankLine.created_at, BankLine.id) < page.before)
    newest = BankLine.created_at.desc(), BankLine.id.desc()
    statement = select(BankLine).where(*found).order_by(*newest)
    return session.scalars(statement.limit(page.limit + 1)).all()


def count_states(session: Session) -> dict[str, int]:
    """Count all lines by state. Transaction: caller's, reads only."""
    statement = select(BankLine.state, func.count()).group_by(BankLine.state)
    return {state: int(count) for state, count in session.execute(statement)}


def _conditions(wanted: LineFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state:
        found.append(BankLine.state.in_(wanted.state))
    if wanted.statement_id:
        found.append(BankLine.statement_id == wanted.statement_id)
    if wanted.account:
        found.append(BankLine.account.in_(wanted.account))
    if wanted.since:
        found.append(BankLine.booked_on >= wanted.since)
    if wanted.until:
        found.append(BankLine.booked_on <= wanted.until)
    if wanted.q and wanted.q.strip():
        found.append(_named(wanted.q.strip()))
    return found


def _named(text: str) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = [
        column == text
        for column in (BankLine.id, BankLine.payment_id, BankLine.payout_id, BankLine.refund_id)
    ]
    if key := key_of(text):
        found.append(BankLine.reference_key.contains(key))
    if minors := minors_of(text.lstrip("-")):
        found.append(BankLine.amount_minor.in_([*minors, *(-minor for minor in minors)]))
    return or_(*found)
