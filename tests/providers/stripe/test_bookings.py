"""What Stripe's balance transactions and payouts say, whatever currency they are kept in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
import stripe

from core.money import Money, asset
from core.strictjson import Json
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from providers.said import Oddity
from providers.stripe import bookings
from tests.domain.fake_bookings import BOOKED, transaction

AT = datetime.fromtimestamp(BOOKED, UTC)


def read(kind: str, amount: int, *, fee: int = 0, **more: Json) -> Booking:
    said = bookings.said_booking(transaction(kind, amount, fee=fee, **more))
    assert isinstance(said, Booking), said
    return said


def odd(kind: str, amount: int, *, fee: int = 0, **more: Json) -> Oddity:
    said = bookings.said_booking(transaction(kind, amount, fee=fee, **more))
    assert isinstance(said, Oddity), said
    return said


def test_every_documented_type_is_in_the_table() -> None:
    words, _ = get_args(stripe.BalanceTransaction.__annotations__["type"])
    documented = set(get_args(words))
    assert len(documented) > 40
    assert documented <= set(bookings.KINDS)


@pytest.mark.parametrize(
    ("kind", "category", "source", "wanted"),
    [
        ("adjustment", "dispute", None, BookingKind.DISPUTE),
        ("adjustment", "dispute_reversal", None, BookingKind.DISPUTE),
        ("adjustment", "other_adjustment", {"id": "dp_1"}, BookingKind.DISPUTE),
        ("adjustment", "refund_failure", None, BookingKind.REFUND),
        ("adjustment", "charge_failure", None, BookingKind.ARRIVED),
        ("adjustment", "fee", None, BookingKind.FEE),
        ("adjustment", "other_adjustment", None, BookingKind.ADJUSTMENT),
        ("refund", "refund", None, BookingKind.REFUND),
        ("refund", "partial_capture_reversal", None, BookingKind.ARRIVED),
        ("of_tomorrow", "tomorrow", None, BookingKind.UNKNOWN),
    ],
)
def test_category_tells_apart_what_one_type_holds(
    kind: str, category: str, source: Json, wanted: BookingKind
) -> None:
    assert read(kind, -100, reporting_category=category, source=source).kind == wanted


@pytest.mark.parametrize(
    ("currency", "amount", "fee", "wanted"),
    [
        ("jpy", 5_000, 175, (5_000, 175, 4_825)),
        ("kwd", 12_340, 361, (12_340, 361, 11_979)),
        ("eur", 2_500, 103, (2_500, 103, 2_397)),
        # Stripe counts krónur and shillings in hundredths; the ledger has none.
        ("isk", 500_000, 17_500, (5_000, 175, 4_825)),
        ("ugx", -500_000, 0, (-5_000, 0, -5_000)),
    ],
)
def test_amounts_are_whole_units_of_the_ledger(
    currency: str, amount: int, fee: int, wanted: tuple[int, int, int]
) -> None:
    said = read("charge", amount, fee=fee, currency=currency)
    assert (said.amount.minor, said.fee.minor, said.net.minor) == wanted
    assert said.amount.asset == asset(currency)


def test_fee_that_is_finer_than_its_currency_is_not_rounded() -> None:
    said = odd("charge", 500_000, fee=17_550, currency="isk")
    assert (said.kind, "finer than ISK has units" in said.sentence) == ("RECON_DIFFERENCE", True)


def test_exchanged_charge_says_from_what_it_was() -> None:
    charge: dict[str, Json] = {"id": "ch_1", "object": "charge", "currency": "jpy", "amount": 9_000,
              "amount_captured": 6_000, "payment_intent": "pi_1"}  # fmt: skip
    said = read("charge", 4_020, currency="usd", source=charge)
    assert said.presented == Money(6_000, asset("JPY"))
    assert said.names == ("pi_1", "ch_1")
    refund: dict[str, Json] = {"id": "re_1", "currency": "jpy", "amount": 6_000, "charge": "ch_1"}
    assert read("refund", -4_020, currency="usd", source=refund).presented == Money(
        -6_000, asset("JPY")
    )


def test_exchange_without_its_source_is_not_guessed() -> None:
    said = odd("charge", 4_020, currency="usd", exchange_rate=1, source="ch_1")
    assert "does not say from what" in said.sentence


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"net": 1}, "RECON_DIFFERENCE"),
        ({"amount": "100"}, "RECON_DIFFERENCE"),
        ({"created": -1}, "RECON_DIFFERENCE"),
        ({"id": None}, "RECON_DIFFERENCE"),
        ({"currency": "xxx"}, "UNMAPPED_VALUE"),
        ({"currency": None}, "RECON_DIFFERENCE"),
    ],
)
def test_what_cannot_be_read_is_told(changes: dict[str, Json], kind: str) -> None:
    said = bookings.said_booking(transaction("charge", 100) | changes)
    assert isinstance(said, Oddity)
    assert said.kind == kind


def test_payout_says_how_far_it_is() -> None:
    record: dict[str, Json] = {"id": "po_1", "status": "failed", "amount": 900, "currency": "kwd",
              "created": BOOKED, "arrival_date": BOOKED + 60, "failure_code": "account_closed",
              "reconciliation_status": "completed"}  # fmt: skip
    said = bookings.said_payout(record)
    assert isinstance(said, SaidPayout)
    assert (said.status, said.failure, said.is_listable) == (
        PayoutStatus.FAILED, "account_closed", True,
    )  # fmt: skip
    assert (said.amount, said.created_at) == (Money(900, asset("KWD")), AT)
    strange = bookings.said_payout(record | {"status": "on_holiday"})
    assert isinstance(strange, Oddity)
    assert strange.kind == "UNMAPPED_VALUE"
