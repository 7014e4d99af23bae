"""What a provider pays out to our bank: how far it is, what it is made of, and the bank line that shows it.

Money leaves `clearing` when the provider books the payout on our balance, which it does before the bank
has it, and comes back when it books that too: the books follow its bookings, never its word `paid`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.money import Money, asset
from domain import database
from domain.cases import cases
from domain.cases.cases import Finding
from domain.reconciliation.books import Book
from domain.transitions import Why
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.book_seam import BookingKind, PayoutStatus, SaidPayout
from providers.said import Oddity

S = PayoutStatus
# What a payout may have been before; an older word that comes late changes nothing.
_AFTER: dict[PayoutStatus, tuple[PayoutStatus, ...]] = {
    S.PENDING: (),
    S.IN_TRANSIT: (S.PENDING,),
    S.PAID: (S.PENDING, S.IN_TRANSIT),
    S.FAILED: (S.PENDING, S.IN_TRANSIT, S.PAID),
    S.CANCELED: (S.PENDING, S.IN_TRANSIT),
}
RETURNED = (S.FAILED.value, S.CANCELED.value)


def hear(
    session: Session, book: Book, said: Sequence[SaidPayout | Oddity], *, why: Why
) -> list[SaidPayout]:
    """Keep what a provider says of its payouts. Gives those whose bookings are to be read now.

    Writes: provider_payouts, exception_cases. Emits: exception.opened. Transaction: caller's, writing.
    """
    spoken = {each.reference: each for each in said if isinstance(each, SaidPayout)}
    for each in said:
        if isinstance(each, Oddity):
            cases.open_case(session, Finding(each.kind, each.subject, each.sentence), why=why)
    in_order = [spoken[reference] for reference in sorted(spoken)]
    return [each for each in in_order if _hear_one(session, book, each, why)]


def _hear_one(session: Session, book: Book, said: SaidPayout, why: Why) -> bool:
    """Keep one payout or bring it on. Gives whether its bookings can be read and have not been."""
    now = clock.now()
    fresh = {
        "status": said.status.value,
        "arrives_at": said.arrives_at,
        "failure": said.failure,
        "updated_at": now,
    }
    row = fresh | {
        "id": ids.new("ppo"),
        "provider": book.provider,
        "livemode": book.livemode,
        "provider_reference": said.reference,
        "asset": str(said.amount.asset),
        "amount_minor": said.amount.minor,
        "created_at": said.created_at,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    insert = dialect.insert(ProviderPayout).values(row).on_conflict_do_nothing()
    is_new = session.scalar(insert.returning(ProviderPayout.id)) is not None
    own = _own(book, said.reference)
    moved = is_new
    if not is_new:
        earlier = [each.value for each in _AFTER[said.status]]
        step = update(ProviderPayout).where(*own, ProviderPayout.status.in_(earlier))
        moved = session.scalar(step.values(fresh).returning(ProviderPayout.id)) is not None
    if moved and said.status == S.FAILED:
        _tell_failed(session, book, said, why)
    listed = session.scalar(select(ProviderPayout.listed_at).where(*own))
    return said.is_listable and listed is None


def _own(book: Book, reference: str) -> tuple[ColumnElement[bool], ...]:
    return (
        ProviderPayout.provider == book.provider,
        ProviderPayout.livemode.is_(book.livemode),
        ProviderPayout.provider_reference == reference,
    )


def _tell_failed(session: Session, book: Book, said: SaidPayout, why: Why) -> None:
    amount = f"{said.amount.major()} {said.amount.asset.code}"
    because = f" ({said.failure.replace('_', ' ')})" if said.failure else ""
    sentence = (
        f"The payout {said.reference} of {amount} by {book.provider.capitalize()} to our bank"
        f" failed{because}. The money is back in our balance there; no other payout is made of it"
        " until the bank account is put right."
    )
    subject = f"{book.provider}:{said.reference}"
    finding = Finding("PAYOUT_FAILED", subject, sentence, at_risk=said.amount)
    cases.open_case(session, finding, why=why)


def assign(session: Session, book: Book, payout: str, references: Sequence[str]) -> None:
    """Note on bookings by which payout they were paid out; the payout's own is not of them.

    Writes: provider_bookings. Transaction: caller's, writing.
    """
    moved = update(ProviderBooking).where(
        ProviderBooking.provider == book.provider,
        ProviderBooking.livemode.is_(book.livemode),
        ProviderBooking.provider_reference.in_(references),
        # One that came back is paid out again by another payout, and is a part of that.
        ProviderBooking.kind != BookingKind.PAYOUT.value,
        ProviderBooking.payout_reference.is_(None),
    )
    session.execute(moved.values(payout_reference=payout))


def close_list(session: Session, book: Book, payout: str, *, why: Why) -> None:
    """Note that all bookings of a payout were read, and tell when they are not what it paid out.

    Writes: provider_payouts, exception_cases. Emits: exception.opened. Transaction: caller's, writing.
    """
    row = session.scalars(select(ProviderPayout).where(*_own(book, payout))).one()
    of = (ProviderBooking.provider == book.provider, ProviderBooking.payout_reference == payout)
    same_mode = ProviderBooking.livemode.is_(book.livemode)
    total, count, others = session.execute(
        select(
            func.coalesce(func.sum(ProviderBooking.net_minor), 0),
            func.count(),
            func.count().filter(
                ProviderBooking.payment_id.is_not(None), ProviderBooking.demo.is_(False)
            ),
        ).where(*of, same_mode)
    ).one()
    own = update(ProviderPayout).where(ProviderPayout.id == row.id)
    session.execute(own.values(listed_at=clock.now(), demo=bool(count) and not others))
    if int(total) == row.amount_minor:
        return
    unit = asset(row.asset)
    paid, made_of = Money(row.amount_minor, unit), Money(int(total), unit)
    sentence = (
        f"The payout {payout} is over {paid.major()} {unit.code}; the {count} bookings that"
        f" {book.provider.capitalize()} says it is made of come to {made_of.major()} {unit.code}."
    )
    finding = Finding(
        "RECON_DIFFERENCE",
        f"payout:{book.provider}:{payout}",
        sentence,
        expected=paid.major(),
        found=made_of.major(),
    )
    cases.open_case(session, finding, why=why)
