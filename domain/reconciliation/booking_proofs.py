"""Bookings proved: each has exactly the entries that it asks for, and clearing differs by nothing unnamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from core import chart
from core.money import Money, asset
from domain.bank.payout_lines import KIND as MATCHED
from domain.books import accounts
from domain.reconciliation import booking_entries, clearing
from domain.reconciliation.books import Book
from models.ledger import JournalEntry, Posting
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.book_seam import OF_PAYMENTS, Booking, BookingKind

_CHUNK = 500
# Kind of entry → asset → what it moved on clearing, in minor units.
Moved = dict[str, dict[str, int]]


def posted(session: Session) -> Iterator[str | None]:
    """Check that each booking has the entries that it asks for and no others, over its own amounts."""
    statement = select(ProviderBooking).order_by(ProviderBooking.id)
    with session.scalars(statement.execution_options(yield_per=_CHUNK)) as rows:
        for chunk in rows.partitions():
            found = _moved(session, chunk)
            for row in chunk:
                said = found.get((row.provider, row.provider_reference), {})
                yield None if said == asked(row) else _second_look(session, row)
    orphans = select(JournalEntry.id).where(
        JournalEntry.kind.in_(booking_entries.KINDS), ~exists().where(_is_of_booking())
    )
    for entry_id in session.scalars(orphans.order_by(JournalEntry.id)):
        yield f"{entry_id} says that a provider booked it, no booking does"


def _second_look(session: Session, row: ProviderBooking) -> str | None:
    """Say what is wrong with a booking, unless it was posted while its page was being read."""
    session.refresh(row)
    said = _moved(session, [row]).get((row.provider, row.provider_reference), {})
    return None if said == asked(row) else f"{row.id} asks for {asked(row)}, posted is {said}"


def _is_of_booking() -> ColumnElement[bool]:
    return and_(
        ProviderBooking.provider == JournalEntry.provider,
        ProviderBooking.provider_reference == JournalEntry.provider_reference,
        ProviderBooking.livemode == JournalEntry.livemode,
    )


def _moved(session: Session, rows: Sequence[ProviderBooking]) -> dict[tuple[str, str], Moved]:
    keys = [
        booking_entries.source_key(row.provider, row.provider_reference, kind)
        for row in rows
        for kind in booking_entries.KINDS
    ]
    own = (JournalEntry.provider, JournalEntry.provider_reference, JournalEntry.kind, Posting.asset)
    statement = (
        select(*own, func.sum(Posting.amount_minor))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(JournalEntry.source_key.in_(keys), Posting.address.like("provider:%:clearing"))
        .group_by(*own)
    )
    found: dict[tuple[str, str], Moved] = {}
    for provider, name, kind, unit, total in session.execute(statement):
        found.setdefault((str(provider), str(name)), {}).setdefault(kind, {})[unit] = int(total)
    return found


def asked(row: ProviderBooking) -> Moved:
    """Say what a booking's entries must move on clearing, by the same rule that posted them."""
    if row.kind in OF_PAYMENTS and row.payment_id is None:
        return {}
    asked: Moved = {}
    place = accounts.clearing(row.provider).address
    for entry in booking_entries.wanted(row.provider, _booking(row)):
        own = asked.setdefault(entry.kind, {})
        for move in entry.movements:
            unit, minor = str(move.amount.asset), move.amount.minor
            if move.debit.address == place:
                own[unit] = own.get(unit, 0) + minor
            if move.credit.address == place:
                own[unit] = own.get(unit, 0) - minor
    return asked


def _booking(row: ProviderBooking) -> Booking:
    unit = asset(row.asset)
    presented = None
    if row.presented_asset is not None and row.presented_minor is not None:
        presented = Money(row.presented_minor, asset(row.presented_asset))
    return Booking(
        reference=row.provider_reference,
        kind=BookingKind(row.kind),
        word=row.word,
        amount=Money(row.amount_minor, unit),
        fee=Money(row.fee_minor, unit),
        net=Money(row.net_minor, unit),
        booked_at=row.booked_at,
        presented=presented,
    )


def cleared(session: Session) -> Iterator[str | None]:
    """Check that clearing differs from what each provider booked by nothing that has no name."""
    for provider, livemode in _books(session):
        for one in clearing.standings(session, Book(provider, livemode)):
            if one.unexplained:
                kind = "live" if livemode else "test"
                yield (
                    f"{provider} ({kind}) clearing differs from its bookings by {one.difference}"
                    f" {one.asset}, {one.unexplained} of it without a reason"
                )
            else:
                yield None


def _books(session: Session) -> list[tuple[str, bool]]:
    """List the providers and modes whose clearing was ever posted to, or that booked anything."""
    heads = select(Posting.address, JournalEntry.livemode).join(
        JournalEntry, JournalEntry.id == Posting.entry_id
    )
    on_clearing = heads.where(Posting.address.like("provider:%:clearing")).distinct()
    found = set()
    for address, livemode in session.execute(on_clearing):
        parts = chart.CLEARING.parts_of(address)
        if parts is not None:
            found.add((parts["provider"], bool(livemode)))
    booked = select(ProviderBooking.provider, ProviderBooking.livemode).distinct()
    found.update((provider, bool(livemode)) for provider, livemode in session.execute(booked))
    return sorted(found)


def matched(session: Session) -> Iterator[str | None]:
    """Check that each payout that was found at our bank was booked there, as much as the line showed."""
    found = select(ProviderPayout).where(ProviderPayout.matched_at.is_not(None))
    for payout in session.scalars(found.order_by(ProviderPayout.id)):
        moved = session.scalar(
            select(func.sum(Posting.amount_minor))
            .join(JournalEntry, JournalEntry.id == Posting.entry_id)
            .where(
                JournalEntry.id == payout.entry_id,
                JournalEntry.kind == MATCHED,
                Posting.address == f"cash:{payout.bank_account}",
            )
        )
        same = int(moved or 0) == payout.matched_minor
        yield (
            None
            if same
            else f"{payout.id} was found with {payout.matched_minor}, booked {int(moved or 0)}"
        )
