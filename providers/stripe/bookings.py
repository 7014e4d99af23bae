"""Stripe's balance transactions and payouts: what they say, in our words, and the lists they come from.

Source: https://docs.stripe.com/api/balance_transactions/object,
https://docs.stripe.com/reports/balance-transaction-types, https://docs.stripe.com/api/payouts/object
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import stripe

from core import clock
from core.errors import UnmappedProviderValue
from core.money import Money
from core.strictjson import Json
from providers.book_seam import Booking, BookingKind, FeePart, PayoutStatus, SaidPayout
from providers.deliveries import UnreadableDelivery
from providers.said import Oddity
from providers.stripe import sdk
from providers.stripe.amounts import is_whole
from providers.stripe.things import Thing, money, reference_of, thing, whole, word

PAGE = 100
K = BookingKind

# Every type of the documentation. A word that is not here is kept, told and booked nowhere.
KINDS: Mapping[str, BookingKind] = {
    "charge": K.ARRIVED,
    "payment": K.ARRIVED,
    # A debit that failed, at once or days after it was paid; its event takes it back in the books.
    "payment_failure_refund": K.ARRIVED,
    "payment_reversal": K.ARRIVED,
    "refund": K.REFUND,
    "payment_refund": K.REFUND,
    "refund_failure": K.REFUND,
    "stripe_fee": K.FEE,
    "tax_fee": K.FEE,
    "stripe_fx_fee": K.EXCHANGE_FEE,
    "payout": K.PAYOUT,
    "payout_cancel": K.PAYOUT_BACK,
    "payout_failure": K.PAYOUT_BACK,
    # What it is of, its category tells: see `_OF_CATEGORY`.
    "adjustment": K.ADJUSTMENT,
    **dict.fromkeys(
        (
            *("advance", "advance_funding", "anticipation_repayment", "application_fee"),
            *("application_fee_refund", "climate_order_purchase", "climate_order_refund"),
            *("connect_collection_transfer", "contribution", "fee_credit_funding"),
            *("inbound_transfer", "inbound_transfer_reversal", "issuing_authorization_hold"),
            *("issuing_authorization_release", "issuing_dispute"),
            *("issuing_dispute_provisional_credit", "issuing_dispute_provisional_credit_reversal"),
            *("issuing_transaction", "obligation_outbound", "obligation_reversal_inbound"),
            *("payment_network_reserve_hold", "payment_network_reserve_release"),
            *("payment_unreconciled", "payout_minimum_balance_hold"),
            *("payout_minimum_balance_release", "reserve_hold", "reserve_release"),
            *("reserve_transaction", "reserved_funds", "stripe_balance_payment_debit"),
            *("stripe_balance_payment_debit_reversal", "tax_fund", "topup", "topup_reversal"),
            *("transfer", "transfer_cancel", "transfer_failure", "transfer_refund"),
        ),
        K.ADJUSTMENT,
    ),
}
# Some types hold several things apart by their reporting category only.
# Source: https://docs.stripe.com/reports/reporting-categories ("A more detailed breakdown")
_OF_CATEGORY: Mapping[tuple[str, str], BookingKind] = {
    ("adjustment", "dispute"): K.DISPUTE,
    ("adjustment", "dispute_reversal"): K.DISPUTE,
    ("adjustment", "refund_failure"): K.REFUND,
    ("adjustment", "charge_failure"): K.ARRIVED,
    ("adjustment", "fee"): K.FEE,
    # What is let go of a hold that was captured in part; its charge was booked in full before.
    ("refund", "partial_capture_reversal"): K.ARRIVED,
    ("payment_refund", "partial_capture_reversal"): K.ARRIVED,
}
_DISPUTES = ("dp_", "du_")
_OF_PAYMENTS = frozenset({K.ARRIVED, K.REFUND, K.DISPUTE})
# The only thing by which a fee for exchanging is told from others in `fee_details`.
_EXCHANGE_WORDS = "currency conversion"


def read_booking(subject: Thing) -> Booking:
    """Read a balance transaction, with the object it is about when that was expanded.

    Raises: UnreadableDelivery, UnmappedProviderValue for a currency that is not ours
    """
    own, kind_word = word(subject.get("id")), word(subject.get("type"))
    if own is None or kind_word is None:
        raise UnreadableDelivery("the balance transaction has no id or no type")
    about, source = reference_of(subject.get("source")), thing(subject.get("source"))
    kind = _kind_of(kind_word, word(subject.get("reporting_category")) or "", about)
    amount, fee, net = (_exact(subject, field) for field in ("amount", "fee", "net"))
    if amount - fee != net:
        raise UnreadableDelivery("amount less fee is not what it calls net")
    available = subject.get("available_on")
    return Booking(
        reference=own,
        kind=kind,
        word=kind_word[:64],
        amount=amount,
        fee=fee,
        net=net,
        booked_at=_at(subject.get("created"), "created"),
        available_at=_at(available, "available_on") if available else None,
        about=about,
        presented=_presented(kind, source, amount, subject),
        rate=_rate(subject.get("exchange_rate")),
        fee_parts=tuple(_fee_parts(subject, fee)),
        names=_names(source, about),
        payment_id=word(thing(source.get("metadata")).get("payment_id")),
    )


def _kind_of(kind_word: str, category: str, about: str | None) -> BookingKind:
    if kind_word == "adjustment" and about and about.startswith(_DISPUTES):
        return K.DISPUTE
    found = _OF_CATEGORY.get((kind_word, category)) or KINDS.get(kind_word)
    return found or K.UNKNOWN


def _exact(subject: Thing, field: str) -> Money:
    """Read an amount of which the ledger can keep every part.

    Raises: UnreadableDelivery where Stripe counts finer than the currency has units.
    """
    found = money(subject, field)
    if not is_whole(whole(subject.get(field), field), found.asset):
        raise UnreadableDelivery(f"{field} is finer than {found.asset.code} has units")
    return found


def _at(value: Json, field: str) -> datetime:
    seconds = whole(value, field)
    if not 0 < seconds < 2**33:
        raise UnreadableDelivery(f"{field} is no time")
    return clock.from_unix(seconds)


def _presented(kind: BookingKind, source: Thing, amount: Money, subject: Thing) -> Money | None:
    """Give what moved in the payer's currency, when Stripe keeps the balance in another one.

    Raises: UnreadableDelivery when it was exchanged and the object does not say from what.
    """
    if kind not in _OF_PAYMENTS or not amount.minor:
        return None
    currency = word(source.get("currency"))
    if currency is None:
        if subject.get("exchange_rate") is not None:
            raise UnreadableDelivery("it was exchanged, and its source does not say from what")
        return None
    if currency.upper() == amount.asset.code:
        return None
    # Of a hold that was captured in part, only that part came.
    field = "amount_captured" if source.get("amount_captured") else "amount"
    moved = _exact(source, field)
    return moved if amount.minor > 0 else -moved


def _rate(value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return format(value, "f")


def _fee_parts(subject: Thing, fee: Money) -> Iterator[FeePart]:
    """Read the parts of a fee; parts that are not its sum are none."""
    listed = subject.get("fee_details")
    found = []
    for each in listed if isinstance(listed, list) else []:
        one = thing(each)
        said = one.get("description")
        is_exchange = isinstance(said, str) and _EXCHANGE_WORDS in said.lower()
        kind = "exchange" if is_exchange else (word(one.get("type")) or "unnamed")[:64]
        found.append(FeePart(kind, money(one, "amount"), is_exchange))
    if all(part.amount.asset == fee.asset for part in found) and found:
        total = sum(part.amount.minor for part in found)
        if total == fee.minor:
            yield from found


def _names(source: Thing, about: str | None) -> tuple[str, ...]:
    """Give what the payment behind a booking may be called: its intent, its charge, the object itself."""
    found = (
        reference_of(source.get("payment_intent")),
        reference_of(source.get("charge")),
        about,
    )
    return tuple(dict.fromkeys(name for name in found if name))


def read_payout(subject: Thing) -> SaidPayout:
    """Read a payout. Raises: UnreadableDelivery, UnmappedProviderValue"""
    own, status = word(subject.get("id")), word(subject.get("status"))
    if own is None or status is None:
        raise UnreadableDelivery("the payout has no id or no status")
    if status not in set(PayoutStatus):
        raise UnmappedProviderValue("stripe", "payout.status", status)
    arrives = subject.get("arrival_date")
    failure = word(subject.get("failure_code"))
    return SaidPayout(
        reference=own,
        status=PayoutStatus(status),
        amount=_exact(subject, "amount"),
        created_at=_at(subject.get("created"), "created"),
        arrives_at=_at(arrives, "arrival_date") if arrives else None,
        failure=failure[:64] if failure else None,
        is_listable=subject.get("reconciliation_status") == "completed",
    )


def list_bookings(
    api: stripe.StripeClient, *, since: datetime, until: datetime
) -> Iterator[Booking | Oddity]:
    """List balance transactions with their sources. Source: https://docs.stripe.com/api/balance_transactions/list"""
    yield from _bookings(api, {"created": _window(since, until)})


def bookings_of_payout(api: stripe.StripeClient, reference: str) -> Iterator[Booking | Oddity]:
    """List what an automatic payout is made of. Source: https://docs.stripe.com/api/balance_transactions/list"""
    yield from _bookings(api, {"payout": reference})


def list_payouts(
    api: stripe.StripeClient, *, since: datetime, until: datetime
) -> Iterator[SaidPayout | Oddity]:
    """List payouts. Source: https://docs.stripe.com/api/payouts/list"""
    params: dict[str, Json] = {"created": _window(since, until), "limit": PAGE}
    yield from map(said_payout, sdk.through_exactly(api, "payouts", params))


def said_payout(subject: Thing) -> SaidPayout | Oddity:
    """Read a listed payout; what cannot be read must not hide the ones after it."""
    try:
        return read_payout(subject)
    except (UnreadableDelivery, UnmappedProviderValue) as error:
        return _odd(subject, "payout", error)


def said_booking(subject: Thing) -> Booking | Oddity:
    """Read a listed balance transaction; what cannot be read must not hide the ones after it."""
    try:
        return read_booking(subject)
    except (UnreadableDelivery, UnmappedProviderValue) as error:
        return _odd(subject, "balance transaction", error)


def _window(since: datetime, until: datetime) -> dict[str, Json]:
    return {"gte": int(since.timestamp()), "lte": int(until.timestamp())}


def _bookings(api: stripe.StripeClient, wanted: Mapping[str, Json]) -> Iterator[Booking | Oddity]:
    params: dict[str, Json] = {**wanted, "limit": PAGE, "expand": ["data.source"]}
    yield from map(said_booking, sdk.through_exactly(api, "balance_transactions", params))


def _odd(subject: Thing, what: str, error: Exception) -> Oddity:
    name = word(subject.get("id")) or "no id"
    if isinstance(error, UnmappedProviderValue):
        key = f"{error.provider_name}:{error.field}:{error.value}"
        return Oddity("UNMAPPED_VALUE", key, f"{error} It is in the {what} {name}.")
    said = f"Stripe lists a {what}, {name}, that cannot be read: {error}"
    return Oddity("RECON_DIFFERENCE", f"unreadable:{name}", said)
