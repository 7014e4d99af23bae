"""What wallets hold, proved from top-ups and coupons, their effects, and what was given back of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from core.states import Refund as RefundState
from domain.books import accounts
from domain.effects.effects import APPLIED
from domain.effects.kinds import EffectKind
from domain.refunds import wallet_debits
from models.effects import Effect
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.refunds import Refund

# Kinds that move what lies in a wallet without a top-up, coupon or refund behind it. What people post by hand
# is proved from what they agreed to; what is reserved and spent, by the reservation that it ends.
MOVED_OTHERWISE = ("manual", "reserve", "void", "spend")
# What each wallet holds of each asset, in minor units, by (address, asset).
Sums = Counter[tuple[str, str]]


def balances(session: Session) -> Iterator[str | None]:
    """Check that each wallet holds what was credited to it, less what was given back out of it."""
    said = _told(session)
    said.subtract(_given_back(session))
    found = _booked(session)
    for place in sorted(said.keys() | found.keys()):
        address, unit = place
        same = said[place] == found[place]
        wrong = f"{address} holds {found[place]} {unit}, its top-ups say {said[place]}"
        yield None if same else wrong


def credited(session: Session) -> Iterator[str | None]:
    """Check that all that each top-up and coupon brought is credited, or known to have failed, and no more.

    What came after the end of one is never credited by itself.
    """
    totals = (
        select(Effect.payment_id, func.sum(Effect.amount_minor).label("total"))
        .where(Effect.kind == EffectKind.WALLET_CREDIT.value)
        .group_by(Effect.payment_id)
        .subquery()
    )
    statement = (
        select(Payment, totals.c.total)
        .outerjoin(totals, totals.c.payment_id == Payment.id)
        .where(Payment.purpose.in_(wallet_debits.PURPOSES))
    )
    with session.execute(statement.execution_options(yield_per=1000)) as rows:
        for payment, total in rows:
            due = 0 if wallet_debits.is_late(payment) else payment.received_minor
            same = due == int(total or 0)
            wrong = f"{payment.id} brought {due}, its wallet was due {int(total or 0)}"
            yield None if same else wrong


def _place(user_id: str | None, unit: str) -> tuple[str, str]:
    return accounts.wallet(str(user_id)).address, unit


def _told(session: Session) -> Sums:
    """Sum what effects credited, and what people credited of money that came late."""
    applied = (
        select(Payment.buyer_id, Effect.asset, func.sum(Effect.amount_minor))
        .join(Payment, Payment.id == Effect.payment_id)
        .where(Effect.kind == EffectKind.WALLET_CREDIT.value, Effect.state == APPLIED)
        .group_by(Payment.buyer_id, Effect.asset)
    )
    found: Sums = Counter()
    for user_id, unit, total in session.execute(applied):
        found[_place(user_id, str(unit))] += int(total or 0)
    by_hand = (
        select(Payment.buyer_id, Payment.asset, func.sum(Payment.credited_minor))
        .where(Payment.purpose.in_(wallet_debits.PURPOSES), Payment.credited_minor > 0)
        .group_by(Payment.buyer_id, Payment.asset)
    )
    for user_id, unit, total in session.execute(by_hand):
        found[_place(user_id, unit)] += int(total or 0)
    return found


def _given_back(session: Session) -> Sums:
    statement = (
        select(Payment.buyer_id, Refund.asset, func.sum(Refund.amount_minor))
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Payment.purpose.in_(wallet_debits.PURPOSES),
            wallet_debits.was_credited(),
            Payment.buyer_id.is_not(None),
            Refund.state == RefundState.SUCCEEDED.value,
        )
        .group_by(Payment.buyer_id, Refund.asset)
    )
    rows = session.execute(statement)
    return Counter({_place(user_id, unit): int(total) for user_id, unit, total in rows})


def _booked(session: Session) -> Sums:
    reversed_ = aliased(JournalEntry)
    statement = (
        select(Posting.address, Posting.asset, func.sum(Posting.amount_minor))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .outerjoin(reversed_, reversed_.id == JournalEntry.reverses_id)
        .where(
            Posting.address >= "wallet:",
            Posting.address < "wallet;",
            JournalEntry.kind.not_in(MOVED_OTHERWISE),
            func.coalesce(reversed_.kind, "").not_in(MOVED_OTHERWISE),
        )
        .group_by(Posting.address, Posting.asset)
    )
    rows = session.execute(statement)
    return Counter({(address, unit): -int(total) for address, unit, total in rows})
