"""Rules of accounts: of the chart, holding what their postings say, and never less than nothing where a limit is.

Each rule is one statement, so that it sees the books as of one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Subquery, and_, case, false, func, literal, not_, or_, select
from sqlalchemy.orm import Session

from core import chart
from core.chart import RESERVED
from domain.books import balances
from domain.refunds import wallet_debits
from domain.watch.offences import MOST, Offence, Rule, recent_addresses, said
from models.ledger import AccountBalance, LedgerAccount, Posting
from models.payments import Payment

_LIMIT = MOST + 1
_GROWS_BY_DEBIT = ("asset", "expense")


def _sums(since: datetime | None) -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    """Sum the postings of accounts whose balance is kept."""
    own = [balances.kept_addresses(Posting.address)]
    if since is not None:
        own.append(Posting.address.in_(recent_addresses(since)))
    return (
        select(Posting.address, Posting.asset, func.sum(Posting.amount_minor).label("total"))
        .where(*own)
        .group_by(Posting.address, Posting.asset)
        .subquery()
    )


def _sign() -> ColumnElement[int]:
    return case((LedgerAccount.kind.in_(_GROWS_BY_DEBIT), 1), else_=-1)


def _kept(session: Session, since: datetime | None) -> Iterator[Offence]:
    sums = _sums(since)
    own = [balances.kept_addresses(LedgerAccount.address)]
    if since is not None:
        own.append(LedgerAccount.address.in_(recent_addresses(since)))
    booked = func.coalesce(sums.c.total, 0) * _sign()
    held = func.coalesce(AccountBalance.balance_minor, 0)
    statement = (
        select(LedgerAccount, booked, held)
        .outerjoin(
            sums,
            and_(sums.c.address == LedgerAccount.address, sums.c.asset == LedgerAccount.asset),
        )
        .outerjoin(
            AccountBalance,
            and_(
                AccountBalance.address == LedgerAccount.address,
                AccountBalance.asset == LedgerAccount.asset,
            ),
        )
        .where(*own, booked != held)
    )
    for row, total, kept in session.execute(statement.limit(_LIMIT)):
        if balances.is_kept(row.address):
            wrong = f"keeps {said(kept, row.asset)}, its postings say {said(int(total), row.asset)}"
            yield of_account(session, f"{row.address} {wrong}.", row)


def _negative(*, holds: bool) -> Callable[[Session, datetime | None], Iterator[Offence]]:
    """Find accounts of which more was taken than there was. holds: those of orders, or the others."""

    def find(session: Session, since: datetime | None) -> Iterator[Offence]:
        sums = _sums(since)
        is_hold = LedgerAccount.address.like("order:%")
        statement = (
            select(LedgerAccount, sums.c.total)
            .join(
                sums,
                and_(sums.c.address == LedgerAccount.address, sums.c.asset == LedgerAccount.asset),
            )
            .where(is_hold if holds else not_(is_hold), sums.c.total * _sign() < 0)
        )
        for row, total in session.execute(statement.limit(_LIMIT)):
            over = said(abs(int(total)), row.asset)
            yield of_account(session, f"{over} more was taken of {row.address} than it held.", row)

    return find


def of_account(session: Session, sentence: str, row: LedgerAccount) -> Offence:
    """Point an offence at an account: held for its order, its merchant, or its provider.

    A wallet is held at the merchant through whom all of it was paid in, if it is one.
    """
    pattern = chart.find(row.address)
    plain = row.address.removesuffix(RESERVED)
    parts = (pattern.parts_of(plain) if pattern else None) or {}
    merchant_id = row.merchant_id
    if pattern is chart.WALLET:
        merchant_id = _only_merchant(session, parts["user"])
    return Offence(
        sentence,
        "account",
        row.address,
        order_id=parts.get("order"),
        merchant_id=merchant_id,
        provider=parts.get("provider"),
    )


def _only_merchant(session: Session, user_id: str) -> str | None:
    own = (Payment.buyer_id == user_id, Payment.purpose.in_(wallet_debits.PURPOSES))
    found = session.scalars(select(Payment.merchant_id).where(*own).distinct().limit(2)).all()
    return found[0] if len(found) == 1 else None


def _is_charted() -> ColumnElement[bool]:
    """Write, as far as a statement can, that an account is of the chart; `chart.find` tells for certain."""
    known: list[ColumnElement[bool]] = [false()]
    for pattern in chart.CHART:
        like = "".join("%" if no % 2 else part for no, part in enumerate(_parts(pattern.template)))
        is_like = or_(LedgerAccount.address.like(like), LedgerAccount.address.like(like + RESERVED))
        known.append(and_(is_like, LedgerAccount.kind == literal(pattern.kind.value)))
    return or_(*known)


def _parts(template: str) -> list[str]:
    """Split a template into its words and, between them, the names of what is filled in."""
    return template.replace("{", "\0").replace("}", "\0").split("\0")


def _charted(session: Session, since: datetime | None) -> Iterator[Offence]:
    statement = select(LedgerAccount).where(not_(_is_charted()))
    if since is not None:
        statement = statement.where(LedgerAccount.address.in_(recent_addresses(since)))
    for row in session.scalars(statement.limit(_LIMIT)):
        pattern = chart.find(row.address)
        wrong = (
            "is no account of the chart"
            if pattern is None
            else f"is booked as {row.kind}, the chart says {pattern.kind}"
        )
        yield of_account(session, f"{row.address} {wrong}.", row)


RULES = (
    Rule(
        "kept_balances",
        "Kept balances are what their postings say",
        "Where a limit is enforced, the balance beside the postings is their sum.",
        _kept,
    ),
    Rule(
        "holds_not_overdrawn",
        "Released and refunded is never more than was funded",
        "What is held for an order never falls below nothing.",
        _negative(holds=True),
    ),
    Rule(
        "accounts_not_overdrawn",
        "Nothing is taken of an account that is not there",
        "Wallets, payables and reserved parts never fall below nothing.",
        _negative(holds=False),
    ),
    Rule(
        "accounts_charted",
        "Every account is of the chart",
        "Money lies only in accounts that the chart knows, each of the kind it says.",
        _charted,
    ),
)
