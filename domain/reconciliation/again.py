"""Looking again at what seemed to be missed: an event that was only on its way has come by then.

What is still missing after that is offered; what waits in our own inbox is not missed either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Difference as State
from core.errors import AppError, ProviderUnavailable, ProviderUnknown
from domain import database, queue
from domain.reconciliation import differences, hearing, news, runs
from domain.reconciliation.hearing import Heard
from domain.reconciliation.pages import NotYet, Page
from models.inbound import InboundEvent
from models.payments import Payment, ProviderReference
from models.reconciliation import ReconciliationDifference as Difference
from models.reconciliation import ReconciliationRun
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.seam import Rail

# So long an event may be on its way before it counts as missed.
ON_ITS_WAY = timedelta(seconds=30)
_AT_ONCE = 10


@dataclass(frozen=True)
class _Looked:
    """What became of one offer. heard: what applying it would do now, None when nothing any more; why_not:
    why nobody can tell yet.
    """

    row: Difference
    payment: Payment
    heard: Heard | None = None
    why_not: str | None = None


def look(run: ReconciliationRun) -> Page:
    """Look again at the next offers, once an event that was on its way must have come.

    Calls: the provider. Raises: NotYet, ProviderUnavailable. Transaction: opens its own.
    """
    with database.reading() as session:
        rows = _offers(session, run)
        newest = session.scalar(select(func.max(Difference.found_at)).where(*_own(run)))
        waiting = _waiting(session, run, rows)
        known = session.scalars(
            select(Payment).where(Payment.id.in_(row.payment_id for row in rows))
        )
        payments = {payment.id: payment for payment in known}
    if rows and newest is not None and newest + ON_ITS_WAY > clock.now():
        raise NotYet(newest + ON_ITS_WAY)
    rail = registry.configured(run.provider, livemode=run.livemode)
    looked = [
        _look(rail, run, row, payments[str(row.payment_id)], is_waiting=row.payment_id in waiting)
        for row in rows
    ]
    come = sum(each.heard is None and each.why_not is None for each in looked)
    return Page(
        cursor=rows[-1].id if len(rows) == _AT_ONCE else None,
        counts={"on_their_way": come},
        write=partial(_write, looked=looked),
    )


def _own(run: ReconciliationRun) -> tuple[ColumnElement[bool], ...]:
    return (Difference.run_id == run.id, Difference.state == State.OFFERED.value)


def _offers(session: Session, run: ReconciliationRun) -> list[Difference]:
    statement = (
        select(Difference)
        .where(*_own(run), Difference.id > (run.cursor or ""))
        .order_by(Difference.id)
        .limit(_AT_ONCE)
    )
    return list(session.scalars(statement))


def _waiting(session: Session, run: ReconciliationRun, rows: Sequence[Difference]) -> set[str]:
    """Find the payments of which an event waits in our inbox to be applied."""
    statement = (
        select(ProviderReference.payment_id)
        .join(InboundEvent, InboundEvent.object_reference == ProviderReference.reference)
        .where(
            ProviderReference.payment_id.in_([row.payment_id for row in rows]),
            ProviderReference.provider == run.provider,
            InboundEvent.provider == run.provider,
            InboundEvent.state.in_(queue.WAITING),
        )
    )
    return set(session.scalars(statement))


def _look(
    rail: Rail, run: ReconciliationRun, row: Difference, payment: Payment, *, is_waiting: bool
) -> _Looked:
    if is_waiting:
        return _Looked(row, payment, why_not="an event about it waits in our inbox")
    try:
        reading = rail.fetch(payment.provider_reference or str(row.provider_reference))
        heard = hearing.rehearse(payment.id, reading, why=news.why_of(run, rail.label))
    except (ProviderUnavailable, ProviderUnknown):
        raise
    except (AppError, UnreadableDelivery) as error:
        return _Looked(row, payment, why_not=runs.in_words(error))
    return _Looked(row, payment, heard=heard if heard.changed else None)


def _write(session: Session, run: ReconciliationRun, *, looked: Sequence[_Looked]) -> None:
    for each in looked:
        row = session.get_one(Difference, each.row.id)
        if each.heard is not None:
            row.effect, row.effect_hash = each.heard.text[:2000], each.heard.hash
            session.flush()
            continue
        own = delete(Difference).where(Difference.id == row.id)
        session.execute(own.execution_options(synchronize_session=False))
        if each.why_not:
            name = row.provider_reference or row.subject
            found = news.not_compared(name, each.payment, each.why_not, made_at=row.subject_at)
            differences.record(session, run, found)
