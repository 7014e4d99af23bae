"""Three truths of each dispute side by side: ours, the provider's, the books'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import recon_kinds as kinds
from core.money import Money, asset
from domain import database
from domain.reconciliation import book_sums, booked_words, differences, news, objects, said
from domain.reconciliation.book_sums import Booked
from domain.reconciliation.booked_words import Expected
from domain.reconciliation.comparing import MOVED
from domain.reconciliation.differences import Found
from domain.reconciliation.pages import Page
from models.disputes import Dispute
from models.payments import Payment
from models.reconciliation import ReconciliationObject, ReconciliationRun


@dataclass(frozen=True)
class _Known:
    """What is known here of a page of disputes, by the provider's reference."""

    disputes: Mapping[str, Dispute]
    payments: Mapping[str, Payment]
    booked: Mapping[str, Booked]
    different: set[str]


def compare(run: ReconciliationRun) -> Page:
    """Compare the next disputes that were listed or asked for. Transaction: opens its own, reads only."""
    with database.reading() as session:
        page = objects.next_page(session, run, said.DISPUTE)
        known = _load(session, run, page.rows)
    counted, different = 0, 0
    found: list[Found] = []
    for row in page.rows:
        payment = known.payments.get(row.payment_id or "")
        if payment is None:
            continue
        own = list(_differences(row, payment, known))
        dispute = known.disputes.get(row.reference)
        if own and (dispute or payment).updated_at >= row.seen_at:
            own = [news.not_compared(row.reference, None, MOVED, made_at=row.made_at)]
        counted += 1
        different += bool(own) or row.reference in known.different
        found += own
    return Page(
        cursor=page.cursor,
        done=len(page.rows),
        counts={"disputes": counted, "equal": counted - different},
        write=partial(objects.write, found=found),
    )


def _load(session: Session, run: ReconciliationRun, rows: Sequence[ReconciliationObject]) -> _Known:
    names = [row.reference for row in rows]
    own = session.scalars(select(Dispute).where(Dispute.provider_reference.in_(names)))
    disputes = {dispute.provider_reference: dispute for dispute in own}
    ids = {row.payment_id for row in rows if row.payment_id}
    payments = session.scalars(select(Payment).where(Payment.id.in_(ids)))
    assets = {name: dispute.asset for name, dispute in disputes.items()}
    booked = book_sums.of_references(session, run.provider, assets, kinds=book_sums.DISPUTED)
    return _Known(
        disputes,
        {payment.id: payment for payment in payments},
        booked,
        differences.known_of(session, run.id, names),
    )


def _differences(row: ReconciliationObject, payment: Payment, known: _Known) -> Iterator[Found]:
    dispute = known.disputes.get(row.reference)
    amount = said.amount_of(row.amount_minor, row.asset)
    told = said.in_words(row.state, amount if row.state != said.ABSENT else None)
    own = Money(dispute.amount_minor, asset(dispute.asset)) if dispute else None
    ours = said.in_words(dispute.status, own) if dispute else "unknown"
    kind = _kind(row, dispute)
    if row.reference not in known.different and kind is not None:
        yield Found(
            kind=kind,
            subject=row.reference,
            subject_at=row.made_at,
            ours=ours,
            theirs=told,
            at_risk=own or amount,
            payment=payment,
            reference=row.reference,
        )
    if dispute is None:
        return
    booked = known.booked.get(row.reference, Booked())
    expected = dispute.reinstated_minor - dispute.withdrawn_minor
    if booked.minor != expected or booked.in_other_asset:
        wanted = Expected(
            subject=dispute.id,
            subject_at=dispute.opened_at,
            minor=expected,
            asset=dispute.asset,
            ours=ours,
            theirs=told,
            payment=payment,
            reference=row.reference,
        )
        yield booked_words.difference(wanted, booked)


def _kind(row: ReconciliationObject, dispute: Dispute | None) -> str | None:
    if dispute is None:
        return kinds.DISPUTE_MISSING_HERE
    if row.state == said.ABSENT:
        return kinds.DISPUTE_MISSING_THERE
    same = (row.state, row.asset, row.amount_minor)
    return (
        None
        if same == (dispute.status, dispute.asset, dispute.amount_minor)
        else kinds.DISPUTE_DIFFERS
    )
