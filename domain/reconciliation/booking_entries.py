"""What one booking of a provider does to the books: its fee, its exchange, a payout, an adjustment.

Events tell of amounts that arrive, go back or are disputed, and are booked by them; a booking adds only
what they do not tell. `clearing` then holds what the provider says it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core import clock
from core.hashing import Plain
from core.money import Money
from domain.books import accounts
from domain.books.accounts import Account
from domain.books.ledger import Movement
from providers.book_seam import OF_PAYMENTS, Booking, BookingKind

FEE, EXCHANGE, ADJUSTMENT = "fee", "exchange", "provider_adjustment"
PAYOUT, PAYOUT_BACK = "provider_payout", "provider_payout_failed"
# The kinds of entries that bookings make; proofs of payments count them apart from what arrived.
KINDS = (FEE, EXCHANGE, ADJUSTMENT, PAYOUT, PAYOUT_BACK)
# All of such a booking is a fee, and nothing else of it is posted.
_ALL_FEE = frozenset({BookingKind.FEE, BookingKind.EXCHANGE_FEE})


@dataclass(frozen=True)
class Wanted:
    """One entry that a booking asks for. kind: a word of `core.entry_kinds`."""

    kind: str
    movements: tuple[Movement, ...]
    details: Mapping[str, Plain]


def source_key(provider: str, reference: str, kind: str) -> str:
    """Name what one booking posts, once and for ever."""
    return f"booking:{provider}:{reference}:{kind}"


def is_of_payment(kind: str) -> bool:
    """Tell whether bookings of a kind belong to one payment; those of none of ours are posted nowhere."""
    return kind in OF_PAYMENTS


def wanted(provider: str, booking: Booking) -> Iterator[Wanted]:
    """List the entries that a booking asks for, in the order in which they are posted."""
    if booking.kind == BookingKind.UNKNOWN:
        return
    if fee := _fee(provider, booking):
        yield Wanted(FEE, fee, _said(booking) | _parts(booking))
    if booking.presented is not None:
        yield Wanted(
            EXCHANGE, _exchange(provider, booking), _said(booking) | _rate(provider, booking)
        )
    clearing = accounts.clearing(provider)
    if booking.kind == BookingKind.ADJUSTMENT and booking.amount.minor:
        other = accounts.adjustments(provider)
        yield Wanted(ADJUSTMENT, _between(clearing, other, booking.amount), _said(booking))
    if booking.kind in (BookingKind.PAYOUT, BookingKind.PAYOUT_BACK) and booking.amount.minor:
        kind = PAYOUT if booking.kind == BookingKind.PAYOUT else PAYOUT_BACK
        moved = _between(clearing, accounts.transit(provider), booking.amount)
        yield Wanted(kind, moved, _said(booking))


def _between(debit: Account, credit: Account, amount: Money) -> tuple[Movement, ...]:
    """Move an amount; one below nothing goes the other way."""
    if not amount.minor:
        return ()
    if amount.minor < 0:
        debit, credit, amount = credit, debit, -amount
    return (Movement(debit, credit, amount),)


def _fee(provider: str, booking: Booking) -> tuple[Movement, ...]:
    """Take a fee out of clearing; what exchanging cost is kept apart. A dispute books its fee itself."""
    if booking.kind == BookingKind.DISPUTE:
        return ()
    total = -booking.net if booking.kind in _ALL_FEE else booking.fee
    exchange = Money(0, total.asset)
    if booking.kind == BookingKind.EXCHANGE_FEE:
        exchange = total
    else:
        for part in booking.fee_parts:
            exchange = exchange + part.amount if part.is_exchange else exchange
    clearing = accounts.clearing(provider)
    return (
        *_between(accounts.rail_fees(provider), clearing, total - exchange),
        *_between(accounts.exchange_fees(provider), clearing, exchange),
    )


def _exchange(provider: str, booking: Booking) -> tuple[Movement, ...]:
    """Let one currency leave clearing and the other arrive, each against the provider's position."""
    position, clearing = accounts.exchanged(provider), accounts.clearing(provider)
    assert booking.presented is not None  # for the type checker; only such bookings come here
    return (
        *_between(position, clearing, booking.presented),
        *_between(clearing, position, booking.amount),
    )


def _said(booking: Booking) -> dict[str, Plain]:
    """Write what a booking says, its amounts in minor units, to the entry for ever."""
    return {
        "booking": booking.reference,
        "word": booking.word,
        "about": booking.about,
        "asset": str(booking.amount.asset),
        "gross": str(booking.amount.minor),
        "fee": str(booking.fee.minor),
        "net": str(booking.net.minor),
    }


def _parts(booking: Booking) -> dict[str, Plain]:
    """Write a fee's parts: the provider's word for each, in minor units of the booking's currency."""
    if not booking.fee_parts:
        return {}
    return {"parts": [[part.kind, str(part.amount.minor)] for part in booking.fee_parts]}


def _rate(provider: str, booking: Booking) -> dict[str, Plain]:
    assert booking.presented is not None  # for the type checker
    return {
        "rate": booking.rate,
        "rateSource": provider,
        "rateAt": clock.rfc3339(booking.booked_at),
        "from": str(booking.presented.asset),
        "to": str(booking.amount.asset),
    }
