"""Rules of wallets: credited what was confirmed, once, and holding what they were credited.

Each rule is one statement, so that it sees effects, payments and postings as of one instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Subquery, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from core.states import Refund as RefundState
from domain.books import wallet_proofs
from domain.effects.effects import APPLIED
from domain.effects.kinds import EffectKind
from domain.refunds import wallet_debits
from domain.watch.offences import MOST, Offence, Rule, of_payment, recent_payments, said
from models.effects import Effect
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.refunds import Refund

_LIMIT = MOST + 1
_OTHERWISE = wallet_proofs.MOVED_OTHERWISE


def _credited(session: Session, since: datetime | None) -> Iterator[Offence]:
    wanted = EffectKind.WALLET_CREDIT.value
    told = select(Effect.payment_id.label("payment_id"), Effect.amount_minor.label("minor")).where(
        Effect.kind == wanted, Effect.state == APPLIED, Effect.amount_minor.is_not(None)
    )
    posted = (
        select(JournalEntry.payment_id, Posting.amount_minor)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(JournalEntry.kind == "wallet_credit", Posting.address.like("wallet:%"))
    )
    if since is not None:
        told = told.where(Effect.payment_id.in_(recent_payments(since)))
        posted = posted.where(JournalEntry.payment_id.in_(recent_payments(since)))
    both = union_all(told, posted).subquery()
    total = func.sum(both.c.minor)
    out = select(both.c.payment_id, total.label("out")).group_by(both.c.payment_id)
    wrong = out.having(total != 0).subquery()
    statement = select(Payment, wrong.c.out).join(wrong, wrong.c.payment_id == Payment.id)
    for payment, minor in session.execute(statement.limit(_LIMIT)):
        amount = said(abs(int(minor)), payment.asset)
        more = "less" if minor > 0 else "more"
        yield of_payment(
            payment, f"{amount} {more} was credited for {payment.id} than its effects say."
        )


def _wallet_parts() -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    """Choose all that says what a wallet holds, and what is booked there with the other sign."""
    of_wallets = Payment.purpose.in_(wallet_debits.PURPOSES)
    address = literal("wallet:").concat(Payment.buyer_id).concat(":balance").label("address")
    credited = (
        select(
            address,
            Effect.asset.label("asset"),
            Effect.amount_minor.label("minor"),
            Payment.merchant_id.label("merchant_id"),
        )
        .join(Payment, Payment.id == Effect.payment_id)
        .where(Effect.kind == EffectKind.WALLET_CREDIT.value, Effect.state == APPLIED)
    )
    by_hand = select(address, Payment.asset, Payment.credited_minor, Payment.merchant_id).where(
        of_wallets, Payment.credited_minor > 0
    )
    back = (
        select(address, Refund.asset, -Refund.amount_minor, Payment.merchant_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            of_wallets,
            wallet_debits.was_credited(),
            Payment.buyer_id.is_not(None),
            Refund.state == RefundState.SUCCEEDED.value,
        )
    )
    reversed_ = aliased(JournalEntry)
    booked = (
        select(Posting.address, Posting.asset, Posting.amount_minor, null())
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .outerjoin(reversed_, reversed_.id == JournalEntry.reverses_id)
        .where(
            Posting.address.like("wallet:%:balance"),
            JournalEntry.kind.not_in(_OTHERWISE),
            func.coalesce(reversed_.kind, "").not_in(_OTHERWISE),
        )
    )
    return union_all(credited, by_hand, back, booked).subquery()


def _wallets(session: Session, _: datetime | None) -> Iterator[Offence]:
    parts = _wallet_parts()
    total = func.sum(parts.c.minor)
    statement = (
        select(
            parts.c.address,
            parts.c.asset,
            total,
            func.min(parts.c.merchant_id),
            func.max(parts.c.merchant_id),
        )
        .group_by(parts.c.address, parts.c.asset)
        .having(total != 0)
    )
    for address, unit, minor, first, last in session.execute(statement.limit(_LIMIT)):
        more = "less" if minor > 0 else "more"
        yield Offence(
            f"{address} holds {said(abs(int(minor)), unit)} {more} than its top-ups say.",
            "account",
            address,
            merchant_id=first if first == last else None,
        )


RULES = (
    Rule(
        "wallet_credits",
        "Wallet credits equal confirmed top-ups",
        "What was credited to wallets for a payment is what its effects say, once.",
        _credited,
    ),
    Rule(
        "wallet_balances",
        "Wallets hold what they were credited",
        "Each wallet holds its confirmed top-ups and coupons, less what was given back of them.",
        _wallets,
        has_recent=False,
    ),
)
