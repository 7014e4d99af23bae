"""What is compared every night: wallets with top-ups, confirmed payments with the books, payments that are stuck.

Each check gives one row for whatever it compared: None where both agree. Requirements S213, S221.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Subquery, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from core import clock
from core.chart import RESERVED
from core.entry_kinds import RECEIPTS
from core.states import Payment as Status
from domain.books import standings, wallet_proofs
from domain.cases import case_subjects
from domain.payments import reversals
from domain.watch.offences import said
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment

# A payment that is paid and not final for longer than this is looked into.
STUCK_AFTER_SECONDS = 3 * 24 * 3600
DIFFERENCE, STUCK = "NIGHTLY_DIFFERENCE", "STUCK_PAID"
_CHUNK = 1000
# Kinds that fund what is held for an order, or give back of it; all others release it.
_FUNDS = (*RECEIPTS, "refund", "late_failure", case_subjects.CREDIT, case_subjects.WRITE_OFF)


@dataclass(frozen=True)
class Difference:
    """One thing that does not agree. key: what makes it the same one tomorrow; payment: to look at."""

    key: str
    sentence: str
    payment: Payment | None = None
    kind: str = DIFFERENCE


Compare: TypeAlias = Callable[[Session], Iterator[Difference | None]]


def _wallets(session: Session) -> Iterator[Difference | None]:
    """Compare what each wallet holds with its confirmed top-ups and coupons, one by one and in sum."""
    for found in (wallet_proofs.credited(session), wallet_proofs.balances(session)):
        for sentence in found:
            yield _named(sentence)


def _named(sentence: str | None) -> Difference | None:
    # Each sentence of a proof begins with what it is about.
    return None if sentence is None else Difference(sentence.split(" ", 1)[0], f"{sentence}.")


def _revenue(session: Session) -> Iterator[Difference | None]:
    """Compare what each payment brought with what is booked of it, and each order's with what is held or earned."""
    for sentence in standings.booked(session):
        yield _named(sentence)
    yield from _holds(session)


def _confirmed() -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    """Sum what the payments of each order brought and what is still there of it.

    What was given back before it was taken back is a loss of ours, and comes out of no hold.
    """
    ended = (Status.FAILED.value, Status.CANCELLED.value)
    lost = (
        select(JournalEntry.payment_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(JournalEntry.kind == reversals.REASON, Posting.address == reversals.LOSSES.address)
        .group_by(JournalEntry.payment_id)
        .subquery()
    )
    kept = (
        Payment.received_minor
        - Payment.refunded_minor
        - Payment.credited_minor
        - Payment.reversed_minor
        + func.coalesce(lost.c.total, 0)
    )
    # Money that came after the end lies apart; what failed after it was final had been held.
    was_held = or_(
        Payment.status.not_in(ended), func.coalesce(Payment.failure_reason, "") == reversals.REASON
    )
    return (
        select(Payment.order_id, func.sum(kept).label("total"))
        .outerjoin(lost, lost.c.payment_id == Payment.id)
        .where(Payment.order_id.is_not(None), was_held)
        .group_by(Payment.order_id)
        .subquery()
    )


def _holds(session: Session) -> Iterator[Difference | None]:
    confirmed = _confirmed()
    reversed_ = aliased(JournalEntry)
    kind = func.coalesce(reversed_.kind, JournalEntry.kind)
    # What is reserved of a hold is held all the same.
    base = func.replace(Posting.address, RESERVED, "")
    holding = (
        select(
            base.label("address"),
            func.sum(-Posting.amount_minor).label("held"),
            func.sum(case((kind.not_in(_FUNDS), Posting.amount_minor), else_=0)).label("earned"),
            func.sum(case((kind == case_subjects.WRITE_OFF, -Posting.amount_minor), else_=0)).label(
                "given_up"
            ),
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .outerjoin(reversed_, reversed_.id == JournalEntry.reverses_id)
        .where(Posting.address.like("order:%:escrow_hold%"))
        .group_by(base)
        .subquery()
    )
    address = literal("order:").concat(Order.id).concat(":escrow_hold")
    statement = (
        select(Order, confirmed.c.total, holding.c.held, holding.c.earned, holding.c.given_up)
        .outerjoin(confirmed, confirmed.c.order_id == Order.id)
        .outerjoin(holding, holding.c.address == address)
        .execution_options(yield_per=_CHUNK)
    )
    with session.execute(statement) as rows:
        for order, total, held, earned, given_up in rows:
            came = int(total or 0) + int(given_up or 0)
            lies = int(held or 0) + int(earned or 0)
            if came == lies:
                yield None
            else:
                unit = order.asset
                sentence = (
                    f"{order.id}: its confirmed payments say {said(came, unit)}, the books hold"
                    f" {said(int(held or 0), unit)} and count {said(int(earned or 0), unit)} as earned."
                )
                yield Difference(order.id, sentence)


def _stuck(session: Session) -> Iterator[Difference | None]:
    """Look at what is paid and not final: nothing of it counts, and it is never hidden."""
    statement = select(Payment).where(Payment.status == Status.PROCESSING.value)
    latest = clock.after(-STUCK_AFTER_SECONDS)
    for payment in session.scalars(statement.order_by(Payment.created_at)):
        # What waits for us to capture it is shown with when its hold ends.
        if payment.updated_at > latest or payment.capturable_minor:
            yield None
        else:
            since = clock.rfc3339(payment.updated_at)
            amount = said(payment.amount_minor, payment.asset)
            sentence = f"{amount} has been paid but not final since {since}."
            yield Difference(payment.id, sentence, payment, STUCK)


@dataclass(frozen=True)
class Check:
    """One comparison of the night."""

    name: str
    label: str
    means: str
    compare: Compare


CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check(
            "wallets",
            "Wallets and top-ups",
            "What wallets hold equals the confirmed top-ups and coupons, less what was given back.",
            _wallets,
        ),
        Check(
            "revenue",
            "Confirmed payments and the books",
            "What confirmed payments brought equals what is held for their orders, earned or given back.",
            _revenue,
        ),
        Check(
            "stuck_paid",
            "Paid and not final",
            "Nothing is paid and not final for more than three days.",
            _stuck,
        ),
    )
}
