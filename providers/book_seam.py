"""What a provider itself books on our balance with it, and what it pays out of that to our bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from core.money import Money
from providers.said import Oddity


class BookingKind(StrEnum):
    """What one booking is about, in our words.

    arrived, refund, dispute: of a payment; events tell of its amount, the booking of its fee and
    exchange. fee, exchange_fee: all of it is a fee. payout: to our bank; payout_back: one that came back.
    adjustment: the provider's own act. unknown: its word is in no table of ours.
    """

    ARRIVED = "arrived"
    REFUND = "refund"
    DISPUTE = "dispute"
    FEE = "fee"
    EXCHANGE_FEE = "exchange_fee"
    PAYOUT = "payout"
    PAYOUT_BACK = "payout_back"
    ADJUSTMENT = "adjustment"
    UNKNOWN = "unknown"


# Kinds that belong to one payment; who else's they are is not ours to book.
OF_PAYMENTS = frozenset({BookingKind.ARRIVED, BookingKind.REFUND, BookingKind.DISPUTE})


@dataclass(frozen=True)
class FeePart:
    """One part of a booking's fee. kind: the provider's word; is_exchange: charged for the exchange."""

    kind: str
    amount: Money
    is_exchange: bool = False


@dataclass(frozen=True)
class Booking:
    """One booking of a provider; amount less fee is net, all in the currency it keeps the balance in.

    reference: its name there, for ever; word: the provider's own type; about: the object it is about;
    presented: what the payer's side says, when that is another currency, with its sign; rate: as the
    provider writes it; names, payment_id: what the payment may be called, as in `Reading`.
    """

    reference: str
    kind: BookingKind
    word: str
    amount: Money
    fee: Money
    net: Money
    booked_at: datetime
    available_at: datetime | None = None
    about: str | None = None
    presented: Money | None = None
    rate: str | None = None
    fee_parts: Sequence[FeePart] = ()
    names: Sequence[str] = ()
    payment_id: str | None = None


class PayoutStatus(StrEnum):
    """How far a payout is; one that was paid may fail days later."""

    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True)
class SaidPayout:
    """What a provider says of one payout to our bank.

    is_listable: whether it can say of which bookings the payout is made, and all of them are known.
    failure: its word for why the bank sent it back.
    """

    reference: str
    status: PayoutStatus
    amount: Money
    created_at: datetime
    arrives_at: datetime | None = None
    failure: str | None = None
    is_listable: bool = False


class BookKeeper(Protocol):
    """The account that one provider keeps for us. Raises, from every call: as `Rail` says.

    Lists are read page by page while they are gone through: no transaction may be open while the next
    item is asked for. What cannot be read comes as an oddity and does not hide what follows.
    """

    def list_bookings(self, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        """List what was booked in a window, both ends included, newest first. Calls: the provider."""
        ...

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        """List payouts begun in a window, both ends included, newest first. Calls: the provider."""
        ...

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:
        """List the bookings that a payout is made of, its own among them. Calls: the provider."""
        ...
