"""Three truths of each refund side by side: ours, the provider's, the books'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import recon_kinds as kinds
from core.fold import REFUND_FAILED, REFUND_PENDING, REFUND_SUCCEEDED
from core.money import Money, asset
from core.states import Refund as State
from domain import database
from domain.reconciliation import book_sums, booked_words, differences, news, objects, said
from domain.reconciliation.book_sums import Booked
from domain.reconciliation.booked_words import Expected
from domain.reconciliation.comparing import MOVED
from domain.reconciliation.differences import Found
from domain.reconciliation.pages import Page
from models.payments import Payment
from models.reconciliation import ReconciliationObject, ReconciliationRun
from models.refunds import Refund

# What each word of the provider may be called here.
_SAME = {
    REFUND_PENDING: (State.PENDING, State.UNKNOWN),
    REFUND_SUCCEEDED: (State.SUCCEEDED,),
    REFUND_FAILED: (State.FAILED,),
}


@dataclass(frozen=True)
class _Known:
    """What is known here of a page of refunds, by the provider's reference."""

    refunds: Mapping[str, Refund]
    payments: Mapping[str, Payment]
    booked: Mapping[str, Booked]
    different: set[str]


def compare(run: ReconciliationRun) -> Page:
    """Compare the next refunds that were listed or asked for. Transaction: opens its own, reads only."""
    with database.reading() as session:
        page = objects.next_page(session, run, said.REFUND)
        known = _load(session, run, page.rows)
    counted, different = 0, 0
    found: list[Found] = []
    for row in page.rows:
        payment = known.payments.get(row.payment_id or "")
        if payment is None or row.state == said.LET_GO:
            continue
        own = list(_differences(row, payment, known))
        refund = known.refunds.get(row.reference)
        if own and (refund or payment).updated_at >= row.seen_at:
            own = [news.not_compared(row.reference, None, MOVED, made_at=row.made_at)]
        counted += 1
        different += bool(own) or row.reference in known.different
        found += own
    return Page(
        cursor=page.cursor,
        done=len(page.rows),
        counts={"refunds": counted, "equal": counted - different},
        write=partial(objects.write, found=found),
    )


def _load(session: Session, run: ReconciliationRun, rows: Sequence[ReconciliationObject]) -> _Known:
    names = [row.reference for row in rows]
    own = session.scalars(select(Refund).where(Refund.provider_reference.in_(names)))
    refunds = {str(refund.provider_reference): refund for refund in own}
    ids = {row.payment_id for row in rows if row.payment_id}
    payments = session.scalars(select(Payment).where(Payment.id.in_(ids)))
    assets = {name: refund.asset for name, refund in refunds.items()}
    booked = book_sums.of_references(session, run.provider, assets, kinds=book_sums.REFUNDED)
    return _Known(
        refunds,
        {payment.id: payment for payment in payments},
        booked,
        differences.known_of(session, run.id, names),
    )


def _differences(row: ReconciliationObject, payment: Payment, known: _Known) -> Iterator[Found]:
    refund = known.refunds.get(row.reference)
    amount = said.amount_of(row.amount_minor, row.asset)
    told = said.in_words(row.state, amount if row.state != said.ABSENT else None)
    if refund is None:
        # Of a payment of which nothing has arrived here, that is what differs.
        if row.reference not in known.different and payment.received_minor:
            yield Found(
                kind=kinds.REFUND_MISSING_HERE,
                subject=row.reference,
                subject_at=row.made_at,
                ours="unknown",
                theirs=told,
                at_risk=amount,
                payment=payment,
                reference=row.reference,
            )
        return
    own = Money(refund.amount_minor, asset(refund.asset))
    ours = said.in_words(refund.state, own)
    if row.reference not in known.different and (kind := _kind(row, refund)) is not None:
        yield Found(
            kind=kind,
            subject=row.reference,
            subject_at=refund.created_at,
            ours=ours,
            theirs=told,
            at_risk=own,
            payment=payment,
            reference=row.reference,
        )
    booked = known.booked.get(row.reference, Booked())
    expected = -refund.amount_minor if refund.state == State.SUCCEEDED else 0
    if booked.minor != expected or booked.in_other_asset:
        wanted = Expected(
            subject=refund.id,
            subject_at=refund.created_at,
            minor=expected,
            asset=refund.asset,
            ours=ours,
            theirs=told,
            payment=payment,
            reference=row.reference,
        )
        yield booked_words.difference(wanted, booked)


def _kind(row: ReconciliationObject, refund: Refund) -> str | None:
    if row.state == said.ABSENT:
        return kinds.REFUND_MISSING_THERE if refund.state != State.FAILED else None
    same = (row.asset, row.amount_minor) == (refund.asset, refund.amount_minor)
    return None if same and refund.state in _SAME.get(row.state, ()) else kinds.REFUND_DIFFERS
