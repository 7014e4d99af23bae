"""What our merchant accounts tell: every page, every part of a long window, each row once, none hidden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from core.clock import rfc3339
from core.errors import ProviderUnavailable
from core.money import Money, asset
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from providers.list_seam import Listed, Listing
from providers.said import Oddity
from providers.seam import Rail
from providers.truelayer.transactions import spans
from tests.providers.truelayer.bodies import PAYMENT, REFUND, SOURCE
from tests.providers.truelayer.desk import Desk, Fault

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def row(kind: str, number: int, at: datetime = NOON, **more: object) -> dict[str, Any]:
    """Write a transaction as TrueLayer lists it."""
    said: dict[str, Any] = {
        "type": kind,
        "id": f"tx-{number}",
        "currency": "GBP",
        "amount_in_minor": 1_000 + number,
    }
    if kind in ("merchant_account_payment", "external_payment"):
        said |= {"status": "settled", "settled_at": rfc3339(at), "payment_source": SOURCE}
    else:
        said |= {"status": "executed", "created_at": rfc3339(at), "executed_at": rfc3339(at)}
    if kind == "merchant_account_payment":
        said["payment_id"] = f"{PAYMENT}-{number}"
    if kind == "refund":
        said |= {"refund_id": f"{REFUND}-{number}", "payment_id": PAYMENT}
    if kind == "payout":
        said |= {"payout_id": f"po-{number}", "context_code": "internal"}
    return said | more


def listed(rail: Rail, what: Listing, days: int = 1) -> list[Listed]:
    found, after, until = list[Listed](), None, NOON + DAY
    for _ in range(100):
        page = rail.list_page(what, since=until - DAY - days * DAY, until=until, after=after)
        found += page.items
        after = page.after
        if after is None:
            return found
    raise AssertionError("the list does not end")


def test_every_page_of_every_account_is_read_and_each_row_told_once(desk: Desk, rail: Rail) -> None:
    desk.page = 3
    desk.transactions = [row("merchant_account_payment", number) for number in range(8)]
    desk.transactions += [row("refund", number) for number in range(8, 10)]
    found = listed(rail, Listing.PAYMENTS)
    assert [each.name for each in found] == [f"{PAYMENT}-{number}" for number in range(8)]
    first = found[0].reading
    assert (first.references, first.asset_code) == ((f"{PAYMENT}-0",), "GBP")
    assert [(each.fact.kind, each.fact.amount_minor) for each in first.facts] == [
        ("succeeded", 1_000),
        ("charge_paid", 1_000),
    ]
    assert found[0].made_at is None, "when it was made is not said, only when it settled"
    assert [each.name for each in listed(rail, Listing.REFUNDS)] == [
        f"{REFUND}-8",
        f"{REFUND}-9",
    ]


def test_a_row_states_what_the_payment_itself_states(desk: Desk, rail: Rail) -> None:
    desk.transactions = [row("merchant_account_payment", 1, payment_id=PAYMENT)]
    desk.payments[PAYMENT] = {
        "id": PAYMENT,
        "status": "settled",
        "amount_in_minor": 1_001,
        "currency": "GBP",
        "settled_at": rfc3339(NOON),
    }
    assert listed(rail, Listing.PAYMENTS)[0].reading.facts == rail.fetch(PAYMENT).facts


def test_a_refund_is_listed_with_the_payment_it_is_of(desk: Desk, rail: Rail) -> None:
    desk.transactions = [row("refund", 1, status="pending", executed_at=None)]
    [each] = listed(rail, Listing.REFUNDS)
    assert (each.made_at, each.reading.references) == (NOON, (PAYMENT,))
    [said] = each.reading.refunds
    assert (said.reference, said.amount) == (f"{REFUND}-1", Money(1_001, asset("GBP")))
    assert said.keyed.fact.kind == "refund_pending"


def test_there_is_no_list_of_claims(desk: Desk, rail: Rail) -> None:
    page = rail.list_page(Listing.DISPUTES, since=NOON - DAY, until=NOON)
    assert (tuple(page.items), page.after) == ((), None)
    assert not desk.requests


def test_a_long_window_is_asked_for_in_parts_that_leave_no_gap(desk: Desk, rail: Rail) -> None:
    at = [NOON - DAY * number for number in range(0, 100, 9)]
    desk.transactions = [row("merchant_account_payment", n, each) for n, each in enumerate(at)]
    found = {each.name for each in listed(rail, Listing.PAYMENTS, days=100)}
    assert len(found) == len(at)
    asked = [each.query for each in desk.requests if each.path.endswith("/transactions")]
    for query in asked:
        begin, end = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        assert timedelta() < end - begin <= timedelta(days=31)


@pytest.mark.parametrize("days", [0, 1, 29, 30, 31, 59, 60, 365])
def test_parts_of_a_window_meet_and_cover_it(days: int) -> None:
    parts = spans(NOON - DAY * days, NOON)
    assert parts[0][0] < NOON - DAY * days
    assert parts[-1][1] > NOON
    assert all(before[1] == after[0] for before, after in pairwise(parts))


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"currency": "ZZZ"}, "UNMAPPED_VALUE"),
        ({"status": "on_the_moon"}, "UNMAPPED_VALUE"),
        ({"amount_in_minor": "ten"}, "RECON_DIFFERENCE"),
        ({"amount_in_minor": 1.5}, "RECON_DIFFERENCE"),
    ],
)
def test_a_row_that_cannot_be_read_hides_none_after_it(
    desk: Desk, rail: Rail, more: dict[str, object], kind: str
) -> None:
    desk.transactions = [
        row("merchant_account_payment", 1, NOON, **more),
        row("merchant_account_payment", 2),
    ]
    bad, good = listed(rail, Listing.PAYMENTS)
    assert [each.kind for each in bad.reading.oddities] == [kind]
    assert good.reading.facts
    assert not good.reading.oddities


def test_the_same_page_asked_for_again_tells_of_the_same_rows(desk: Desk, rail: Rail) -> None:
    desk.page = 2
    desk.transactions = [row("merchant_account_payment", number) for number in range(5)]
    begin, end, what = NOON - DAY, NOON + DAY, Listing.PAYMENTS
    first = rail.list_page(what, since=begin, until=end)
    again = [rail.list_page(what, since=begin, until=end, after=first.after) for _ in range(2)]
    names = [[each.name for each in page.items] for page in again]
    assert names[0] == names[1] == [f"{PAYMENT}-2", f"{PAYMENT}-3"]


def test_a_list_that_breaks_off_is_no_list(desk: Desk, rail: Rail) -> None:
    for fault in (Fault(500), Fault(), Fault(200, body=b"[")):
        desk.fail("GET /v3/merchant-accounts/", fault)
        with pytest.raises(ProviderUnavailable):
            listed(rail, Listing.PAYMENTS)


def booked(rail: Rail) -> list[Booking | Oddity]:
    return list(rail.list_bookings(since=NOON - DAY, until=NOON + DAY))


def test_what_moved_our_balance_is_booked_with_its_sign_newest_first(
    desk: Desk, rail: Rail
) -> None:
    desk.page = 2
    hour = timedelta(hours=1)
    desk.transactions = [
        row("merchant_account_payment", 1, NOON),
        row("refund", 2, NOON + hour),
        row("payout", 3, NOON + 2 * hour),
        row("payout", 4, NOON + 3 * hour, context_code="withdrawal"),
        row("external_payment", 5, NOON + 4 * hour),
        row("refund", 6, status="pending"),
        row("refund", 7, status="failed"),
    ]
    found = booked(rail)
    assert all(isinstance(each, Booking) for each in found)
    told = [(e.kind, e.amount.minor, e.net.minor, e.fee.minor) for e in found]  # type: ignore[union-attr]
    assert told == [
        (BookingKind.UNKNOWN, 1_005, 1_005, 0),
        (BookingKind.UNKNOWN, -1_004, -1_004, 0),
        (BookingKind.PAYOUT, -1_003, -1_003, 0),
        (BookingKind.REFUND, -1_002, -1_002, 0),
        (BookingKind.ARRIVED, 1_001, 1_001, 0),
    ]
    assert [each.names for each in found[3:]] == [(PAYMENT,), (f"{PAYMENT}-1",)]  # type: ignore[union-attr]
    assert len({each.reference for each in found}) == 5  # type: ignore[union-attr]


def test_a_word_that_no_table_has_is_shown(desk: Desk, rail: Rail) -> None:
    desk.transactions = [row("of_tomorrow", 1), row("merchant_account_payment", 2)]
    kinds = [type(each) for each in booked(rail)]
    assert sorted(kind.__name__ for kind in kinds) == ["Booking", "Oddity"]


def test_payouts_to_ourselves_are_told_with_how_far_they_are(desk: Desk, rail: Rail) -> None:
    states = ["pending", "authorized", "executed", "failed"]
    desk.transactions = [row("payout", n, status=state) for n, state in enumerate(states)]
    desk.transactions += [
        row("payout", 7, context_code="withdrawal"),
        row("payout", 8, context_code="x", beneficiary={"type": "business_account"}),
        row("payout", 9, status="lost"),
    ]
    found = list(rail.list_payouts(since=NOON - DAY, until=NOON + DAY))
    said = {e.reference: e.status for e in found if isinstance(e, SaidPayout)}
    assert said == {
        "po-0": PayoutStatus.PENDING,
        "po-1": PayoutStatus.IN_TRANSIT,
        "po-2": PayoutStatus.PAID,
        "po-3": PayoutStatus.FAILED,
        "po-8": PayoutStatus.PAID,
    }
    assert [e.kind for e in found if isinstance(e, Oddity)] == ["UNMAPPED_VALUE"]
    assert not list(rail.bookings_of_payout("po-2"))
