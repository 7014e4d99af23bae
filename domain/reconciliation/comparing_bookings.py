"""What a provider booked and paid out beside what our books say of it, and what the bank has shown of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from core import recon_kinds as kinds
from core.money import Money, asset
from domain import database
from domain.books import accounts
from domain.reconciliation import booking_entries, booking_proofs, objects, said
from domain.reconciliation.differences import Found
from domain.reconciliation.pages import Page
from domain.reconciliation.payouts import RETURNED
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.reconciliation import ProviderBooking, ProviderPayout, ReconciliationRun

PAGE = 500
# So long after the day that it was expected a payout is missed at the bank.
BANK_DAYS = timedelta(days=3)
_BY_HAND = "manual"
# What entries of one booking moved on clearing: asset → minor units.
Sums = Mapping[str, int]


def compare(run: ReconciliationRun) -> Page:
    """Compare the next bookings of the window with their entries. Transaction: opens its own, reads only."""
    with database.reading() as session:
        rows = _bookings(session, run)
        booked = _booked(session, run, rows)
        ids = {row.payment_id for row in rows if row.payment_id}
        known = session.scalars(select(Payment).where(Payment.id.in_(ids)))
        payments = {payment.id: payment for payment in known}
    found = []
    for row in rows:
        own = booked.get(row.provider_reference, {})
        found += list(_difference(row, payments.get(row.payment_id or ""), own))
    return Page(
        cursor=rows[-1].id if len(rows) == PAGE else None,
        done=len(rows),
        counts={"bookings": len(rows), "equal": len(rows) - len(found)},
        write=partial(objects.write, found=found),
    )


def _bookings(session: Session, run: ReconciliationRun) -> list[ProviderBooking]:
    statement = (
        select(ProviderBooking)
        .where(
            ProviderBooking.provider == run.provider,
            ProviderBooking.livemode.is_(run.livemode),
            ProviderBooking.booked_at.between(run.window_from, run.window_to),
            ProviderBooking.seen_at < run.started_at,
            ProviderBooking.id > (run.cursor or ""),
        )
        .order_by(ProviderBooking.id)
        .limit(PAGE)
    )
    return list(session.scalars(statement))


def _booked(
    session: Session, run: ReconciliationRun, rows: Sequence[ProviderBooking]
) -> Mapping[str, Sums]:
    """Sum what stands on clearing under each booking's name, what people put right by hand included."""
    undone = aliased(JournalEntry)
    kind = func.coalesce(undone.kind, JournalEntry.kind)
    statement = (
        select(JournalEntry.provider_reference, Posting.asset, func.sum(Posting.amount_minor))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .outerjoin(undone, undone.id == JournalEntry.reverses_id)
        .where(
            JournalEntry.provider_reference.in_([row.provider_reference for row in rows]),
            kind.in_((*booking_entries.KINDS, _BY_HAND)),
            Posting.address == accounts.clearing(run.provider).address,
            JournalEntry.livemode.is_(run.livemode),
        )
        .group_by(JournalEntry.provider_reference, Posting.asset)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for reference, unit, total in session.execute(statement):
        if total:
            found[str(reference)][unit] = int(total)
    return found


def _difference(row: ProviderBooking, payment: Payment | None, booked: Sums) -> Iterator[Found]:
    unit = asset(row.asset)
    net = Money(row.net_minor, unit)
    asked: dict[str, int] = defaultdict(int)
    for sums in booking_proofs.asked(row).values():
        for name, minor in sums.items():
            asked[name] += minor
    wanted = {name: minor for name, minor in asked.items() if minor}
    found = partial(
        Found,
        subject=row.provider_reference,
        subject_at=row.booked_at,
        theirs=f"{row.word.replace('_', ' ')}, {said.money(net)} net",
        payment=payment,
        reference=row.provider_reference,
    )
    if booking_entries.is_of_payment(row.kind) and row.payment_id is None:
        yield found(kind=kinds.BOOKING_UNOWNED, ours="unknown", books="nothing", at_risk=net)
        return
    if wanted == booked:
        return
    gap = abs(wanted.get(row.asset, 0) - booked.get(row.asset, 0))
    yield found(
        kind=_kind(row, booked),
        ours=_fee(row),
        books=_sums(booked),
        at_risk=Money(gap, unit) if gap else net,
    )


def _kind(row: ProviderBooking, booked: Sums) -> str:
    if not booked:
        return kinds.BOOKING_NOT_POSTED
    is_payout = row.kind in ("payout", "payout_back")
    return kinds.PAYOUT_DIFFERS if is_payout else kinds.FEE_DIFFERS


def _fee(row: ProviderBooking) -> str:
    fee = Money(row.fee_minor, asset(row.asset))
    return f"taken in with {said.money(fee)} fee"


def _sums(booked: Sums) -> str:
    if not booked:
        return "nothing"
    return ", ".join(said.money(Money(minor, asset(name))) for name, minor in booked.items())


def compare_payouts(run: ReconciliationRun) -> Page:
    """Look for payouts of the window that no bank line shows, or shows otherwise.

    Transaction: opens its own, reads only.
    """
    statement = (
        select(ProviderPayout)
        .where(
            ProviderPayout.provider == run.provider,
            ProviderPayout.livemode.is_(run.livemode),
            ProviderPayout.created_at.between(run.window_from, run.window_to),
            ProviderPayout.id > (run.cursor or ""),
        )
        .order_by(ProviderPayout.id)
        .limit(PAGE)
    )
    with database.reading() as session:
        rows = list(session.scalars(statement))
    found = [each for row in rows for each in _payout_difference(run, row)]
    return Page(
        cursor=rows[-1].id if len(rows) == PAGE else None,
        done=len(rows),
        counts={"payouts": len(rows), "equal": len(rows) - len(found)},
        write=partial(objects.write, found=found),
    )


def _payout_difference(run: ReconciliationRun, row: ProviderPayout) -> Iterator[Found]:
    amount = Money(row.amount_minor, asset(row.asset))
    found = partial(
        Found,
        subject=f"{row.provider}:{row.provider_reference}",
        subject_at=row.created_at,
        theirs=f"{row.status.replace('_', ' ')}, {said.money(amount)}",
        reference=row.provider_reference,
    )
    if row.status in RETURNED:
        return
    if row.matched_at is not None:
        shown = Money(row.matched_minor or 0, amount.asset)
        if shown != amount:
            ours = f"the bank line shows {said.money(shown)}"
            yield found(kind=kinds.PAYOUT_DIFFERS, ours=ours, at_risk=amount - shown)
        return
    expected = row.arrives_at or row.created_at
    if expected + BANK_DAYS < run.started_at:
        yield found(
            kind=kinds.PAYOUT_UNMATCHED,
            ours="no bank line shows it",
            books=f"{said.money(amount)} on its way",
            at_risk=amount,
        )
