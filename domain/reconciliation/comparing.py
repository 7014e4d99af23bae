"""Three truths of each payment side by side: ours, the provider's, the books'. A few hundred at a time, with a
handful of queries for all of them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import recon_kinds as kinds
from core.money import Money, asset
from core.purposes import CHECKS
from core.states import OPEN_PAYMENT
from core.states import Payment as Status
from domain import database
from domain.reconciliation import book_sums, booked_words, differences, news, objects, said
from domain.reconciliation.book_sums import Booked
from domain.reconciliation.booked_words import Expected
from domain.reconciliation.differences import Found
from domain.reconciliation.news import ours_of
from domain.reconciliation.pages import Page
from models.payments import Payment
from models.reconciliation import ReconciliationObject, ReconciliationRun

PAGE = 500
MOVED = "it moved while it was being compared"
_ARRIVED = (Status.COMPLETED, Status.RELEASED, Status.REFUNDED)
# The farthest that any of a payment's objects is says how far its provider is with it.
_FARTHEST = (said.ABSENT, said.UNREADABLE, said.ENDED, said.OPEN, said.HELD, said.MONEY)


@dataclass(frozen=True)
class Theirs:
    """What a provider holds of one payment, all of its objects taken together."""

    group: str
    state: str
    asset: str | None
    amount_minor: int | None
    reference: str
    seen_at: datetime


def compare(run: ReconciliationRun) -> Page:
    """Compare the next payments that were listed or asked for. Transaction: opens its own, reads only."""
    with database.reading() as session:
        ids = _next(session, run)
        rows = session.scalars(select(Payment).where(Payment.id.in_(ids)).order_by(Payment.id))
        payments = list(rows)
        theirs = _theirs(session, run, [row.id for row in payments])
        booked = book_sums.of_payments(session, run.provider, payments)
        known = differences.known_of(session, run.id, ids)
    found = {}
    for row in payments:
        sides, own = theirs[row.id], booked.get(row.id, Booked())
        # What is offered or applied already is told by its own row.
        beside = [] if row.id in known else _beside(row, sides)
        found[row.id] = [*beside, *_with_books(row, sides, own)]
    different = known | {payment_id for payment_id, each in found.items() if each}
    return Page(
        cursor=ids[-1] if len(ids) == PAGE else None,
        done=len(payments),
        counts={"payments": len(payments), "equal": len(payments) - len(different)},
        write=partial(
            objects.write, found=[each for several in found.values() for each in several]
        ),
    )


def _next(session: Session, run: ReconciliationRun) -> list[str]:
    listed = (
        select(ReconciliationObject.payment_id)
        .where(
            ReconciliationObject.run_id == run.id,
            ReconciliationObject.kind == said.PAYMENT,
            ReconciliationObject.payment_id > (run.cursor or ""),
        )
        .distinct()
        .order_by(ReconciliationObject.payment_id)
        .limit(PAGE)
    )
    return [str(payment_id) for payment_id in session.scalars(listed)]


def _theirs(
    session: Session, run: ReconciliationRun, payment_ids: Sequence[str]
) -> Mapping[str, Theirs]:
    statement = select(ReconciliationObject).where(
        ReconciliationObject.run_id == run.id,
        ReconciliationObject.kind == said.PAYMENT,
        ReconciliationObject.payment_id.in_(payment_ids),
    )
    several: dict[str, list[ReconciliationObject]] = defaultdict(list)
    for row in session.scalars(statement):
        several[str(row.payment_id)].append(row)
    return {payment_id: _together(rows) for payment_id, rows in several.items()}


def _together(rows: Sequence[ReconciliationObject]) -> Theirs:
    top = max(rows, key=lambda row: (_FARTHEST.index(said.group_of(row.state)), row.reference))
    seen_at = min(row.seen_at for row in rows)
    group = said.group_of(top.state)
    return Theirs(group, top.state, top.asset, top.amount_minor, top.reference, seen_at)


def _beside(payment: Payment, theirs: Theirs) -> list[Found]:
    """Compare with what was read; what has moved since then is left to the next run."""
    found = list(_with_theirs(payment, theirs))
    if not found or payment.updated_at < theirs.seen_at:
        return found
    name = payment.provider_reference or payment.id
    return [news.not_compared(name, payment, MOVED, made_at=payment.created_at)]


def _with_theirs(payment: Payment, theirs: Theirs) -> Iterator[Found]:
    if theirs.group == said.UNREADABLE:
        return
    own = asset(payment.asset)
    amount = said.amount_of(theirs.amount_minor, theirs.asset)
    found = partial(
        Found,
        subject=payment.id,
        subject_at=payment.created_at,
        ours=ours_of(payment),
        payment=payment,
        reference=payment.provider_reference,
    )
    if theirs.group == said.ABSENT:
        if payment.status in _ARRIVED or payment.status in OPEN_PAYMENT:
            risk = Money(payment.received_minor or payment.amount_minor, own)
            yield found(kind=kinds.MISSING_THERE, theirs="unknown", at_risk=risk)
        return
    told = said.in_words(theirs.state, amount, rail=payment.rail)
    if theirs.asset is not None and theirs.asset != payment.asset:
        told = f"{told} in {theirs.asset.partition('/')[0]}" if amount is None else told
        risk = Money(payment.received_minor or payment.amount_minor, own)
        yield found(kind=kinds.CURRENCY_DIFFERS, theirs=told, at_risk=risk)
    elif theirs.group == said.MONEY and payment.received_minor:
        if theirs.amount_minor != payment.received_minor:
            gap = abs((theirs.amount_minor or 0) - payment.received_minor)
            yield found(kind=kinds.AMOUNT_DIFFERS, theirs=told, at_risk=Money(gap, own))
    elif _stands_otherwise(payment, theirs):
        minor = payment.received_minor or theirs.amount_minor or payment.capturable_minor
        at_risk = Money(minor, own) if minor else None
        yield found(kind=kinds.STATUS_DIFFERS, theirs=told, at_risk=at_risk)


def _stands_otherwise(payment: Payment, theirs: Theirs) -> bool:
    """Tell whether two states cannot both be true, once everything that they said is known here."""
    if payment.purpose in CHECKS and not payment.received_minor:
        # A check takes nothing, whatever became of its hold.
        return theirs.group == said.MONEY and bool(theirs.amount_minor)
    if payment.received_minor - payment.reversed_minor > 0:
        return theirs.group != said.MONEY
    if theirs.group == said.MONEY:
        return bool(theirs.amount_minor) and not payment.reversed_minor
    if payment.status in OPEN_PAYMENT:
        is_held = bool(payment.capturable_minor)
        return theirs.group == said.ENDED or is_held != (theirs.group == said.HELD)
    # What has ended here and is open there is ended there by the janitor, as long as it is due.
    is_over = payment.status in (Status.FAILED, Status.CANCELLED)
    return is_over and theirs.group in (said.OPEN, said.HELD) and payment.check_due_at is None


def _with_books(payment: Payment, theirs: Theirs, booked: Booked) -> Iterator[Found]:
    expected = payment.received_minor - payment.reversed_minor
    if payment.received_minor == 0 and (booked.minor or booked.entries):
        # What nothing of ours stands behind is found among the entries themselves.
        return
    if booked.minor == expected and not booked.in_other_asset:
        return
    amount = said.amount_of(theirs.amount_minor, theirs.asset)
    wanted = Expected(
        subject=payment.id,
        subject_at=payment.created_at,
        minor=expected,
        asset=payment.asset,
        ours=ours_of(payment),
        theirs=said.in_words(theirs.state, amount, rail=payment.rail),
        payment=payment,
        reference=payment.provider_reference,
    )
    yield booked_words.difference(wanted, booked)
