"""What TrueLayer books on our merchant accounts, and what it pays out of them to our own bank account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from core.errors import UnmappedProviderValue
from core.money import Money
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from providers.deliveries import UnreadableDelivery
from providers.rows import unread
from providers.said import Oddity
from providers.truelayer import reading, transactions
from providers.truelayer.accounts import Accounts
from providers.truelayer.api import Api
from providers.truelayer.transactions import (
    EXTERNAL,
    PAYMENT,
    PAYOUT,
    REFUND,
    REVERSAL,
    moved_at,
)
from providers.values import Thing, instant, thing, word

# What moved our balance: other states are of what has not moved it yet, or never did.
_BOOKED = frozenset({"settled", "executed"})
_SIGNS: Mapping[str, int] = {PAYMENT: 1, EXTERNAL: 1, REFUND: -1, PAYOUT: -1, REVERSAL: -1}
# Source: https://docs.truelayer.com/docs/payout-and-refund-statuses
_PAYOUTS: Mapping[str, PayoutStatus] = {
    "pending": PayoutStatus.PENDING,
    "authorized": PayoutStatus.IN_TRANSIT,
    "executed": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
}
_Said = TypeVar("_Said", Booking, SaidPayout)


def list_bookings(
    api: Api, accounts: Accounts, *, since: datetime, until: datetime
) -> Iterator[Booking | Oddity]:
    """List what moved our balance; TrueLayer takes its fees by invoice, so none of it is a fee.

    Source: https://docs.truelayer.com/reference/merchant-account-get-transactions
    """
    for one in transactions.every(api, accounts, since=since, until=until):
        if one.get("status") in _BOOKED:
            yield _read(one, _booking)


def list_payouts(
    api: Api, accounts: Accounts, *, since: datetime, until: datetime
) -> Iterator[SaidPayout | Oddity]:
    """List payouts to our own bank account; of which payments one is made TrueLayer does not say."""
    for one in transactions.every(api, accounts, since=since, until=until):
        if one.get("type") == PAYOUT and _is_own(one):
            yield _read(one, _payout)


def _is_own(one: Thing) -> bool:
    """Tell a payout to ourselves from one that leaves our hands.

    Source: https://github.com/TrueLayer/truelayer-java (transactions/Payout.java, ContextCode)
    """
    to = word(thing(one.get("beneficiary")).get("type"))
    return to == "business_account" or one.get("context_code") == "internal"


def _name(one: Thing) -> str:
    return word(one.get("id"), longest=255) or "no id"


def _read(one: Thing, reader: Callable[[Thing], _Said]) -> _Said | Oddity:
    """Read one row; what cannot be read is shown, and hides nothing after it."""
    try:
        return reader(one)
    except (UnmappedProviderValue, UnreadableDelivery) as error:
        return unread(error, label="TrueLayer", what="transaction", name=_name(one))


def _kind(one: Thing, kind: str) -> BookingKind:
    if kind in (PAYMENT, REVERSAL):
        return BookingKind.ARRIVED
    if kind == REFUND:
        return BookingKind.REFUND
    if kind == PAYOUT and _is_own(one):
        return BookingKind.PAYOUT
    # Money that came without a payment of ours, or that went to somebody else: a person looks at it.
    return BookingKind.UNKNOWN


def _booking(one: Thing) -> Booking:
    kind, at = word(one.get("type"), longest=64), moved_at(one)
    own = word(one.get("id"), longest=255)
    if kind is None or at is None or own is None:
        raise UnreadableDelivery("the transaction has no id, no type or no time")
    if kind not in _SIGNS:
        raise UnmappedProviderValue(reading.NAME, "transaction.type", kind)
    said = reading.money(one)
    amount = Money(said.minor * _SIGNS[kind], said.asset)
    payment = word(one.get("payment_id"), longest=255)
    about = word(one.get(f"{kind}_id"), longest=255) or payment
    return Booking(
        reference=f"{kind}:{own}",
        kind=_kind(one, kind),
        word=kind,
        amount=amount,
        fee=Money(0, said.asset),
        net=amount,
        booked_at=at,
        available_at=at,
        about=about,
        names=(payment,) if payment else (),
    )


def _payout(one: Thing) -> SaidPayout:
    status = word(one.get("status"))
    reference = word(one.get("payout_id"), longest=255) or word(one.get("id"), longest=255)
    made_at = instant(one.get("created_at"))
    if status is None or reference is None or made_at is None:
        raise UnreadableDelivery("the payout has no id, no status or no time")
    if status not in _PAYOUTS:
        raise UnmappedProviderValue(reading.NAME, "payout.status", status)
    return SaidPayout(
        reference=reference,
        status=_PAYOUTS[status],
        amount=reading.money(one),
        created_at=made_at,
        arrives_at=instant(one.get("executed_at")),
        failure=word(one.get("failure_reason"), longest=64),
    )
