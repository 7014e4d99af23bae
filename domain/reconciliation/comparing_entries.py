"""The books read the other way round: entries on a provider's account that nothing of ours stands behind."""

from __future__ import annotations

from functools import partial

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from core import entry_kinds
from core import recon_kinds as kinds
from core.entry_kinds import RECEIPTS
from core.money import Money, asset
from core.states import Refund as RefundState
from domain import database
from domain.books import accounts
from domain.reconciliation import book_sums, objects, said
from domain.reconciliation.differences import Found
from domain.reconciliation.pages import Page
from models.disputes import Dispute
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.reconciliation import ReconciliationRun
from models.refunds import Refund

_LOOKED_AT = 2000
_RECEIPTS = frozenset({*RECEIPTS, "coupon"})
_KINDS = _RECEIPTS | book_sums.REFUNDED | book_sums.DISPUTED


def compare(run: ReconciliationRun) -> Page:
    """Look for entries without a cause among the next ones of the window.

    Transaction: opens its own, reads only.
    """
    with database.reading() as session:
        last, number = _span(session, run)
        found = _orphans(session, run, last) if last else []
    return Page(
        cursor=last if number == _LOOKED_AT else None,
        counts={"entries": number, "orphans": len(found)},
        write=partial(objects.write, found=found),
    )


def _in_window(run: ReconciliationRun, after: str) -> list[object]:
    return [
        JournalEntry.provider == run.provider,
        JournalEntry.livemode.is_(run.livemode),
        JournalEntry.kind.in_(sorted(_KINDS)),
        # An entry is posted when its fact is heard, never before it took effect; ids sort by that time.
        JournalEntry.posted_at >= run.window_from,
        JournalEntry.effective_at <= run.window_to,
        JournalEntry.posted_at < run.started_at,
        JournalEntry.id > after,
    ]


def _span(session: Session, run: ReconciliationRun) -> tuple[str | None, int]:
    """Find the last of the next entries, and how many there are up to it."""
    some = (
        select(JournalEntry.id)
        .where(*_in_window(run, run.cursor or ""))  # type: ignore[arg-type]
        .order_by(JournalEntry.id)
        .limit(_LOOKED_AT)
        .subquery()
    )
    last, number = session.execute(select(func.max(some.c.id), func.count())).one()
    return last, int(number)


def _orphans(session: Session, run: ReconciliationRun, last: str) -> list[Found]:
    reversal = aliased(JournalEntry)
    is_undone = select(reversal.id).where(reversal.reverses_id == JournalEntry.id).exists()
    refund = (
        select(Refund.id)
        .where(
            Refund.provider_reference == JournalEntry.provider_reference,
            Refund.state == RefundState.SUCCEEDED.value,
        )
        .exists()
    )
    dispute = (
        select(Dispute.id)
        .where(Dispute.provider_reference == JournalEntry.provider_reference)
        .exists()
    )
    without_cause = or_(
        and_(
            JournalEntry.kind.in_(sorted(_RECEIPTS)),
            or_(Payment.id.is_(None), Payment.received_minor == 0),
        ),
        and_(JournalEntry.kind.in_(sorted(book_sums.REFUNDED)), ~refund),
        and_(JournalEntry.kind.in_(sorted(book_sums.DISPUTED)), ~dispute),
    )
    statement = (
        select(JournalEntry, Payment)
        .outerjoin(Payment, Payment.id == JournalEntry.payment_id)
        .where(*_in_window(run, run.cursor or ""), JournalEntry.id <= last)  # type: ignore[arg-type]
        .where(~is_undone, without_cause)
        .order_by(JournalEntry.id)
    )
    return [_found(session, run, entry, payment) for entry, payment in session.execute(statement)]


def _found(
    session: Session, run: ReconciliationRun, entry: JournalEntry, payment: Payment | None
) -> Found:
    places = [
        accounts.clearing(run.provider),
        accounts.suspense(run.provider),
        accounts.promotions(run.provider),
    ]
    moved = session.execute(
        select(Posting.asset, func.sum(Posting.amount_minor))
        .where(
            Posting.entry_id == entry.id,
            Posting.address.in_([place.address for place in places]),
        )
        .group_by(Posting.asset)
    ).first()
    amount = Money(abs(int(moved[1])), asset(moved[0])) if moved else None
    label = entry_kinds.label_of(entry.kind)
    return Found(
        kind=kinds.ORPHAN_ENTRY,
        subject=entry.id,
        subject_at=entry.posted_at,
        ours="nothing stands behind it",
        books=f"{label}, {said.money(amount)}" if amount else label,
        at_risk=amount,
        payment=payment,
        reference=entry.provider_reference,
    )
