"""The second way of comparing: what we know in the window and the provider did not list is asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock
from core.errors import AppError, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from core.states import Refund as RefundState
from domain import database
from domain.control import settling
from domain.reconciliation import differences, matching, news, pages, runs, said
from domain.reconciliation.differences import Found
from domain.reconciliation.pages import Page, Seen
from models.disputes import Dispute
from models.payments import Payment
from models.reconciliation import ReconciliationObject, ReconciliationRun
from models.refunds import Refund
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.list_seam import Listed, Listing
from providers.said import Reading
from providers.seam import Rail

# What was made while the lists were being read may be missing from them.
YOUNG = timedelta(minutes=2)
ASKED_AT_ONCE = 20
_LOOKED_AT = 500
# So many questions in a row without an answer are no accident of one object.
_SILENCE = 5


@dataclass(frozen=True)
class Unlisted:
    """Something of ours that has a name at the provider and was not listed."""

    id: str
    reference: str
    payment: Payment
    made_at: datetime
    amount: Money


@dataclass
class _Answers:
    """What came of a page of questions."""

    seen: list[Seen] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    matched: list[matching.Matched] = field(default_factory=list)
    silent: int = 0


def ask(run: ReconciliationRun, what: Listing) -> Page:
    """Ask for a few objects that were not listed; only a refusal proves that the provider lacks one.

    Calls: the provider. Raises: ProviderUnavailable when it answers nothing at all, Paused.
    Transaction: opens its own.
    """
    rail = registry.configured(run.provider, livemode=run.livemode)
    with database.reading() as session:
        rows, cursor = _unlisted(session, run, what)
    answers = _Answers()
    for row in rows:
        _ask_one(rail, run, what, row, answers)
    return Page(cursor=cursor, done=len(rows), write=partial(_write, answers=answers))


def _write(session: Session, run: ReconciliationRun, *, answers: _Answers) -> None:
    pages.keep(session, run, answers.seen)
    if not run.heals:
        news.tell_oddities(session, run, answers.matched)
    for each in answers.found:
        differences.record(session, run, each)


def _ask_one(
    rail: Rail, run: ReconciliationRun, what: Listing, row: Unlisted, answers: _Answers
) -> None:
    asked_at = clock.now()
    try:
        reading = _fetch(rail, what, row)
        answers.silent = 0
    except ProviderRefused:
        answers.seen.append(_unseen(what, row, said.ABSENT, asked_at))
        return
    except (AppError, UnreadableDelivery) as error:
        _note_silence(what, row, error, answers)
        return
    item = Listed(row.reference, reading, row.made_at)
    with database.reading() as session:
        [match] = matching.match(session, run, [item])
    # It was asked for under a name of ours; what says that it is another's is compared, never applied.
    is_own = match.payment is not None and match.payment.id == row.payment.id
    match = matching.Matched(item, row.payment, is_own and match.is_news)
    answers.matched.append(match)
    answers.found += news.take(rail, run, _as_listed(what, reading), [match])
    seen_at = clock.now() if match.is_news and run.heals else asked_at
    answers.seen += _seen(what, row, reading, seen_at)


def _note_silence(what: Listing, row: Unlisted, error: Exception, answers: _Answers) -> None:
    if isinstance(error, settling.Paused):
        raise error
    answers.silent += isinstance(error, ProviderUnavailable | ProviderUnknown)
    if answers.silent >= _SILENCE:
        raise error
    why = runs.in_words(error)
    found = news.not_compared(row.reference, row.payment, why, made_at=row.made_at)
    answers.found.append(found)
    answers.seen.append(_unseen(what, row, said.UNREADABLE, clock.now()))


def _fetch(rail: Rail, what: Listing, row: Unlisted) -> Reading:
    if what == Listing.DISPUTES:
        return rail.fetch_dispute(row.reference)
    if what == Listing.REFUNDS:
        return rail.fetch(row.payment.provider_reference or row.reference)
    return rail.fetch(row.reference)


def _as_listed(what: Listing, reading: Reading) -> Listing:
    """A payment is asked for to learn of its refund; what is new may be of either."""
    return Listing.PAYMENTS if what == Listing.REFUNDS and not reading.refunds else what


def _seen(what: Listing, row: Unlisted, reading: Reading, seen_at: datetime) -> list[Seen]:
    item = Listed(row.reference, reading, row.made_at)
    seen = said.seen(what, item, row.payment, seen_at=seen_at)
    if any(each.reference == row.reference for each in seen):
        return seen
    return [*seen, _unseen(what, row, said.ABSENT, seen_at)]


def _unseen(what: Listing, row: Unlisted, state: str, seen_at: datetime) -> Seen:
    return Seen(
        kind=said.KIND_OF[what],
        reference=row.reference,
        state=state,
        made_at=row.made_at,
        seen_at=seen_at,
        payment_id=row.payment.id,
        asset=str(row.amount.asset),
        amount_minor=row.amount.minor,
    )


def _unlisted(
    session: Session, run: ReconciliationRun, what: Listing
) -> tuple[Sequence[Unlisted], str | None]:
    """List the next of ours that were not listed, and where to go on; None: there are no more."""
    rows = _QUERIES[what](session, run)
    wanted: list[Unlisted] = []
    last = None
    for row in rows:
        last = row.id
        # Rows of `data load` never were at any provider.
        if row.payment.meta.get("sample") is not True:
            wanted.append(row)
        if len(wanted) == ASKED_AT_ONCE:
            return wanted, last
    return wanted, last if len(rows) == _LOOKED_AT else None


def _in_window(
    run: ReconciliationRun, made_at: InstrumentedAttribute[datetime]
) -> list[ColumnElement[bool]]:
    return [
        Payment.provider == run.provider,
        Payment.livemode.is_(run.livemode),
        made_at >= run.window_from,
        made_at <= run.window_to,
        made_at < run.started_at - YOUNG,
    ]


def _payments(session: Session, run: ReconciliationRun) -> list[Unlisted]:
    listed = (
        select(ReconciliationObject.reference)
        .where(
            ReconciliationObject.run_id == run.id,
            ReconciliationObject.kind == said.PAYMENT,
            ReconciliationObject.payment_id == Payment.id,
        )
        .exists()
    )
    statement = (
        select(Payment)
        .where(
            *_in_window(run, Payment.created_at),
            Payment.provider_reference.is_not(None),
            Payment.id > (run.cursor or ""),
            ~listed,
        )
        .order_by(Payment.id)
        .limit(_LOOKED_AT)
    )
    return [
        Unlisted(
            row.id,
            str(row.provider_reference),
            row,
            row.created_at,
            Money(row.amount_minor, asset(row.asset)),
        )
        for row in session.scalars(statement)
    ]


def _refunds(session: Session, run: ReconciliationRun) -> list[Unlisted]:
    sent = (RefundState.PENDING.value, RefundState.SUCCEEDED.value, RefundState.FAILED.value)
    statement = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            *_in_window(run, Refund.created_at),
            Refund.provider_reference.is_not(None),
            Refund.state.in_(sent),
            Refund.id > (run.cursor or ""),
            ~_is_listed(run, said.REFUND, Refund.provider_reference),
        )
        .order_by(Refund.id)
        .limit(_LOOKED_AT)
    )
    return [
        Unlisted(
            row.id,
            str(row.provider_reference),
            payment,
            row.created_at,
            Money(row.amount_minor, asset(row.asset)),
        )
        for row, payment in session.execute(statement)
    ]


def _disputes(session: Session, run: ReconciliationRun) -> list[Unlisted]:
    statement = (
        select(Dispute, Payment)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(
            *_in_window(run, Dispute.opened_at),
            Dispute.id > (run.cursor or ""),
            ~_is_listed(run, said.DISPUTE, Dispute.provider_reference),
        )
        .order_by(Dispute.id)
        .limit(_LOOKED_AT)
    )
    return [
        Unlisted(
            row.id,
            row.provider_reference,
            payment,
            row.opened_at,
            Money(row.amount_minor, asset(row.asset)),
        )
        for row, payment in session.execute(statement)
    ]


def _is_listed(
    run: ReconciliationRun,
    kind: str,
    reference: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
) -> ColumnElement[bool]:
    return (
        select(ReconciliationObject.reference)
        .where(
            ReconciliationObject.run_id == run.id,
            ReconciliationObject.kind == kind,
            ReconciliationObject.reference == reference,
        )
        .exists()
    )


_QUERIES: dict[Listing, Callable[[Session, ReconciliationRun], list[Unlisted]]] = {
    Listing.PAYMENTS: _payments,
    Listing.REFUNDS: _refunds,
    Listing.DISPUTES: _disputes,
}
