"""Taking in what a provider books itself: kept once, tied to what it is about, posted once.

Nothing of it decides over a payment: a fee that is not known yet never holds settlement up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.money import Money, asset
from domain import audit, database, pending
from domain.books import ledger
from domain.cases import cases
from domain.cases.cases import Finding
from domain.inbox import workset
from domain.reconciliation import booking_entries
from domain.reconciliation.books import Book
from domain.transitions import Why
from models.payments import Payment
from models.reconciliation import ProviderBooking
from providers.book_seam import OF_PAYMENTS, Booking, BookingKind
from providers.said import Oddity, Reading

Said = Booking | Oddity


@dataclass
class Taken:
    """What was taken in. entries: how many were posted; untied: of payments that are none of ours."""

    new: int = 0
    known: int = 0
    entries: int = 0
    untied: int = 0
    told: int = 0
    references: list[str] = field(default_factory=list)

    def add(self, other: Taken) -> None:
        """Count what another batch took in; its names are not kept, however many there are."""
        self.new += other.new
        self.known += other.known
        self.entries += other.entries
        self.untied += other.untied
        self.told += other.told

    def wire(self) -> dict[str, int]:
        """Write the counts as audit rows and outcomes hold them."""
        counted = ("new", "known", "entries", "untied", "told")
        return {name: int(getattr(self, name)) for name in counted}


@dataclass(frozen=True)
class _Batch:
    """What one call of `take_in` hands through: where it works, for whom, and what came of it."""

    session: Session
    book: Book
    taken: Taken
    why: Why


def take_in(session: Session, book: Book, said: Sequence[Said], *, why: Why) -> Taken:
    """Keep bookings that are not known yet, tie them and post what each asks for, once for ever.

    One that is known is looked at again: whether its payment has appeared since, or its word has a
    meaning by now, and that its amounts are still the same. What cannot be read becomes a case.
    Writes: provider_bookings, journal, exception_cases, audit_log. Emits: exception.opened.
    Transaction: caller's, writing.
    """
    taken = Taken()
    batch = _Batch(session, book, taken, why)
    for each in said:
        if isinstance(each, Oddity):
            finding = Finding(each.kind, each.subject, each.sentence, at_risk=each.at_risk)
            taken.told += cases.open_case(session, finding, why=why) is not None
    # In one order for all who take in, so that two of them never wait for each other.
    bookings = sorted(
        {each.reference: each for each in said if isinstance(each, Booking)}.values(),
        key=lambda each: each.reference,
    )
    known = _known(session, book, [each.reference for each in bookings])
    taken.references += [each.reference for each in bookings]
    kept = _keep(batch, [each for each in bookings if each.reference not in known])
    for each in bookings:
        if each.reference not in kept:
            _take_again(batch, each, known.get(each.reference))
    if taken.new or taken.entries:
        _write_down(batch)
    return taken


def _known(
    session: Session, book: Book, references: Sequence[str]
) -> Mapping[str, ProviderBooking]:
    statement = select(ProviderBooking).where(
        ProviderBooking.provider == book.provider,
        ProviderBooking.livemode.is_(book.livemode),
        ProviderBooking.provider_reference.in_(references),
    )
    fresh = statement.execution_options(populate_existing=True)
    return {row.provider_reference: row for row in session.scalars(fresh)}


def _keep(batch: _Batch, said: Sequence[Booking]) -> set[str]:
    """Keep bookings that nobody else has kept meanwhile, and post them. Gives their names."""
    if not said:
        return set()
    payments = {each.reference: _payment_of(batch.session, batch.book, each) for each in said}
    rows = [
        _row(batch.book, each, payments[each.reference]) | {"id": ids.new("pbk")} for each in said
    ]
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(ProviderBooking).values(rows).on_conflict_do_nothing()
    kept = statement.returning(ProviderBooking.provider_reference, ProviderBooking.id)
    inserted = dict(batch.session.execute(kept).all())
    for each in said:
        if each.reference in inserted:
            _take_new(batch, inserted[each.reference], each, payments[each.reference])
    return set(inserted)


def _take_new(batch: _Batch, booking_id: str, said: Booking, payment: Payment | None) -> None:
    batch.taken.new += 1
    if said.kind == BookingKind.UNKNOWN:
        batch.taken.told += _tell_unknown(batch, said)
    elif said.kind == BookingKind.ADJUSTMENT:
        batch.taken.told += _tell_adjustment(batch, said)
    _post(batch, booking_id, said, payment)


def _row(book: Book, said: Booking, payment: Payment | None) -> dict[str, object]:
    presented = said.presented
    return {
        "provider": book.provider,
        "livemode": book.livemode,
        "provider_reference": said.reference,
        "kind": said.kind.value,
        "word": said.word,
        "reference": said.about,
        "payment_id": payment.id if payment else None,
        "asset": str(said.amount.asset),
        "amount_minor": said.amount.minor,
        "fee_minor": said.fee.minor,
        "net_minor": said.net.minor,
        "presented_asset": str(presented.asset) if presented else None,
        "presented_minor": presented.minor if presented else None,
        "rate": said.rate,
        "booked_at": said.booked_at,
        "available_at": said.available_at,
        "demo": bool(payment and payment.demo),
        "seen_at": clock.now(),
    }


def _payment_of(session: Session, book: Book, said: Booking) -> Payment | None:
    """Find the payment that a booking is of, by the same rule as events; it is not locked."""
    if not said.names and said.payment_id is None:
        return None
    reading = Reading(references=said.names, payment_id=said.payment_id)
    meant = workset.condition(book.provider, reading, livemode=book.livemode)
    found = session.scalars(select(Payment).where(meant).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _post(batch: _Batch, booking_id: str, said: Booking, payment: Payment | None) -> None:
    """Post what a booking asks for; what belongs to a payment that is none of ours waits for it."""
    session, book, taken = batch.session, batch.book, batch.taken
    if said.kind in OF_PAYMENTS and payment is None:
        taken.untied += 1
        return
    ties = ledger.Ties(
        order_id=payment.order_id if payment else None,
        payment_id=payment.id if payment else None,
        provider=book.provider,
        provider_reference=said.reference,
        livemode=book.livemode,
        demo=payment.demo if payment else _is_demo(session, book, said),
    )
    for entry in booking_entries.wanted(book.provider, said):
        entry_id = ledger.post(
            session,
            entry.kind,
            movements=entry.movements,
            source_key=booking_entries.source_key(book.provider, said.reference, entry.kind),
            source=batch.why.source,
            ties=ties,
            details=entry.details,
            effective_at=said.booked_at,
        )
        taken.entries += 1
        if entry.kind == booking_entries.FEE:
            new = {"fee_entry_id": entry_id}
            pending.later_update(session, ProviderBooking, held={"id": booking_id}, new=new)


def _is_demo(session: Session, book: Book, said: Booking) -> bool:
    """Tell whether what belongs to no payment is of the demo: nothing else was ever booked beside it."""
    if book.livemode:
        return False
    own = (
        ProviderBooking.provider == book.provider,
        ProviderBooking.livemode.is_(False),
        ProviderBooking.asset == str(said.amount.asset),
        ProviderBooking.payment_id.is_not(None),
    )
    other = select(ProviderBooking.id).where(*own, ProviderBooking.demo.is_(False)).limit(1)
    any_demo = select(ProviderBooking.id).where(*own, ProviderBooking.demo.is_(True)).limit(1)
    return session.scalar(other) is None and session.scalar(any_demo) is not None


def _take_again(batch: _Batch, said: Booking, row: ProviderBooking | None) -> None:
    """Look at a booking that is kept: post what could not be posted before, and tell what has changed."""
    session, book, taken = batch.session, batch.book, batch.taken
    taken.known += 1
    row = row or _known(session, book, [said.reference])[said.reference]
    if _shown(row) != _shown_of(said):
        taken.told += _tell_changed(batch, said, row)
        return
    is_waiting = row.kind in OF_PAYMENTS and row.payment_id is None
    if row.kind == BookingKind.UNKNOWN and said.kind != BookingKind.UNKNOWN:
        was = (ProviderBooking.kind == BookingKind.UNKNOWN.value,)
    elif is_waiting and said.kind == row.kind:
        was = (ProviderBooking.payment_id.is_(None),)
    else:
        return
    payment = _payment_of(session, book, said)
    if payment is None and is_waiting:
        taken.untied += 1
        return
    values = {
        "kind": said.kind.value,
        "payment_id": payment.id if payment else None,
        "demo": bool(payment and payment.demo),
    }
    # Whoever comes first posts; the other finds that nothing waits any more.
    claimed = update(ProviderBooking).where(ProviderBooking.id == row.id, *was).values(values)
    if session.scalar(claimed.returning(ProviderBooking.id)) is not None:
        _post(batch, row.id, said, payment)


def _shown(row: ProviderBooking) -> tuple[object, ...]:
    amounts = (row.asset, row.amount_minor, row.fee_minor, row.net_minor)
    return (*amounts, row.presented_asset, row.presented_minor)


def _shown_of(said: Booking) -> tuple[object, ...]:
    amounts = (said.amount.minor, said.fee.minor, said.net.minor)
    presented = (
        (str(said.presented.asset), said.presented.minor) if said.presented else (None, None)
    )
    return (str(said.amount.asset), *amounts, *presented)


def _money(amount: Money) -> str:
    return f"{amount.major()} {amount.asset.code}"


def _tell_unknown(batch: _Batch, said: Booking) -> int:
    sentence = (
        f"{batch.book.provider.capitalize()} booked {_money(said.net)} as {said.word!r}, a word that our"
        f" table does not know ({said.reference}). It is kept and posted nowhere."
    )
    subject = f"{batch.book.provider}:balance_transaction.type:{said.word}"
    finding = Finding("UNMAPPED_VALUE", subject, sentence, found=said.word, at_risk=said.net)
    return int(cases.open_case(batch.session, finding, why=batch.why) is not None)


def _tell_adjustment(batch: _Batch, said: Booking) -> int:
    """Let a person see what a provider changed by itself; no payment of ours explains it."""
    sentence = (
        f"{batch.book.provider.capitalize()} changed our balance by {_money(said.net)} itself"
        f" ({said.word.replace('_', ' ')}, {said.reference}). It is booked as its adjustment."
    )
    subject = f"adjustment:{batch.book.provider}:{said.reference}"
    finding = Finding("RECON_DIFFERENCE", subject, sentence, found=_money(said.net))
    return int(cases.open_case(batch.session, finding, why=batch.why) is not None)


def _tell_changed(batch: _Batch, said: Booking, row: ProviderBooking) -> int:
    before = Money(row.net_minor, asset(row.asset))
    sentence = (
        f"{batch.book.provider.capitalize()} tells {said.reference} otherwise than before:"
        f" {_money(before)} net then, {_money(said.net)} now. What was posted stays as it is."
    )
    finding = Finding(
        "RECON_DIFFERENCE",
        f"booking:{batch.book.provider}:{said.reference}",
        sentence,
        expected=_money(before),
        found=_money(said.net),
    )
    return int(cases.open_case(batch.session, finding, why=batch.why) is not None)


def _write_down(batch: _Batch) -> None:
    audit.write(
        batch.session,
        "bookings.take_in",
        actor=batch.why.actor,
        object_kind="provider",
        object_id=batch.book.provider,
        source=batch.why.source,
        reason=batch.why.reason,
        after=dict(batch.taken.wire()),
    )
