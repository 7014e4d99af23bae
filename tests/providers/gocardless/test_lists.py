"""What GoCardless lists: payments and refunds page by page, payouts and of what each is made, to the penny."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core import clock
from core.money import Money, asset
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from providers.list_seam import Listed, Listing
from providers.said import Oddity
from providers.seam import Rail
from providers.values import Thing, instant
from tests.providers.desk_http import Fault
from tests.providers.gocardless import bodies
from tests.providers.gocardless.bodies import PAYOUT, at, item, payout
from tests.providers.gocardless.desk import Desk
from tests.providers.gocardless.test_calls import NEW

BEGIN, END = instant(at(0)), instant(at(59))
assert BEGIN is not None
assert END is not None
SINCE, UNTIL = BEGIN, END


def pounds(minor: int) -> Money:
    return Money(minor, asset("GBP"))


def links(rail: Rail, count: int) -> list[str]:
    return [
        rail.create_link(replace(NEW, payment_id=f"pay_{n}"), key=f"op_{n}-1").reference
        for n in range(count)
    ]


def listed(rail: Rail, what: Listing) -> list[Listed]:
    found, after, is_over = list[Listed](), None, False
    while not is_over:
        page = rail.list_page(what, since=SINCE, until=UNTIL, after=after)
        found += page.items
        after, is_over = page.after, page.after is None
    return found


def test_every_request_is_listed_once_with_what_its_payment_says(desk: Desk, rail: Rail) -> None:
    names = links(rail, 5)
    desk.pays(names[1])
    desk.pays(names[2], "submitted")
    desk.page = 2
    found = {each.name: each for each in listed(rail, Listing.PAYMENTS)}
    assert list(found) == names[::-1]
    assert {each.made_at for each in found.values()} == {SINCE}
    paid = found[names[1]].reading
    assert (paid.references, paid.payment_id, paid.links) == (
        (names[1],),
        "pay_1",
        {"PM001": "payment"},
    )
    assert [each.fact.kind for each in paid.facts][2:] == ["succeeded", "charge_paid"]
    assert [each.fact.kind for each in found[names[2]].reading.facts][1:] == ["awaiting_bank"] * 2


def test_what_cannot_be_read_hides_nothing_after_it(desk: Desk, rail: Rail) -> None:
    names = links(rail, 3)
    desk.billing_requests[names[2]] |= {"status": "of_next_year"}
    desk.billing_requests[names[1]] |= {"status": None}
    found = [each.reading for each in listed(rail, Listing.PAYMENTS)]
    assert [[odd.kind for odd in each.oddities] for each in found] == [
        ["UNMAPPED_VALUE"],
        ["RECON_DIFFERENCE"],
        [],
    ]


def test_refunds_are_listed_under_their_payments(desk: Desk, rail: Rail) -> None:
    [name] = links(rail, 1)
    desk.pays(name)
    for number in range(3):
        rail.refund(name, pounds(100), key=f"k{number}", metadata={"refund_id": f"ref_{number}"})
    desk.page = 2
    found = listed(rail, Listing.REFUNDS)
    assert [each.name for each in found] == ["RF002", "RF001", "RF000"]
    assert {each.reading.references for each in found} == {("PM000",)}
    assert [each.reading.refunds[0].refund_id for each in found] == ["ref_2", "ref_1", "ref_0"]


def test_of_claims_there_is_no_list(desk: Desk, rail: Rail) -> None:
    assert listed(rail, Listing.DISPUTES) == []
    assert not desk.requests


ITEMS = [
    item("payment_paid_out", "2500.0", payment="PM1"),
    item("payment_paid_out", "1000.0", payment="PM2"),
    item("gocardless_fee", "-20.5", payment="PM1"),
    item("gocardless_fee", "-79.7", payment="PM2"),
    item("payment_charged_back", "-1000.0", payment="PM2"),
    item("payment_refunded", "-250.0", payment="PM1", refund="RF1"),
    item("payment_refunded", "-250.0", payment="PM1", refund="RF2"),
]


def paid_out(desk: Desk, *items: Thing, **more: object) -> None:
    desk.payouts[PAYOUT] = payout(**({"amount": 1_900} | more))  # type: ignore[arg-type]
    desk.payout_items[PAYOUT] = list(items or ITEMS)


def booked(rail: Rail) -> list[Booking]:
    found = list(rail.list_bookings(since=SINCE, until=UNTIL))
    assert not [each for each in found if isinstance(each, Oddity)]
    return [each for each in found if isinstance(each, Booking)]


def test_the_items_of_a_payout_add_up_to_it_with_its_fees_in_one(desk: Desk, rail: Rail) -> None:
    paid_out(desk)
    desk.page = 3
    found = booked(rail)
    assert [(each.reference, each.kind.value, each.net.minor) for each in found] == [
        (f"{PAYOUT}:payout", "payout", -1_900),
        (f"{PAYOUT}:payment_paid_out:PM1", "arrived", 2_500),
        (f"{PAYOUT}:payment_paid_out:PM2", "arrived", 1_000),
        (f"{PAYOUT}:payment_charged_back:PM2", "arrived", -1_000),
        (f"{PAYOUT}:payment_refunded:RF1", "refund", -250),
        (f"{PAYOUT}:payment_refunded:RF2", "refund", -250),
        (f"{PAYOUT}:fees", "fee", -100),
    ]
    assert sum(each.net.minor for each in found) == 0
    assert {each.booked_at for each in found} == {instant(at(30))}
    assert [each.names for each in found][1:6] == [("PM1",), ("PM2",), ("PM2",), ("PM1",), ("PM1",)]
    assert list(rail.bookings_of_payout(PAYOUT)) == found


def test_several_items_alike_keep_their_names_by_their_order(desk: Desk, rail: Rail) -> None:
    alike = [item("payment_paid_out", "950.0", payment="PM1")] * 2
    paid_out(desk, *alike)
    names = [each.reference for each in booked(rail)][1:]
    assert names == [f"{PAYOUT}:payment_paid_out:PM1", f"{PAYOUT}:payment_paid_out:PM1:2"]


def test_a_word_that_is_in_no_table_is_booked_as_one_and_shown_as_unknown(
    desk: Desk, rail: Rail
) -> None:
    paid_out(desk, item("of_next_year", "1900.0"))
    found = booked(rail)[1]
    assert (found.kind, found.word, found.net) == (
        BookingKind.UNKNOWN,
        "of_next_year",
        pounds(1_900),
    )


def test_items_that_do_not_add_up_are_shown(desk: Desk, rail: Rail) -> None:
    paid_out(desk, *ITEMS, amount=1_897)
    odd = [
        each for each in rail.list_bookings(since=SINCE, until=UNTIL) if isinstance(each, Oddity)
    ]
    assert [each.subject for each in odd] == [f"fees:{PAYOUT}"]


@pytest.mark.parametrize("amount", ["", "much", "NaN", "Infinity", None, 5, "10.5"])
def test_an_amount_that_is_none_is_shown_and_hides_no_other_payout(
    desk: Desk, rail: Rail, amount: object
) -> None:
    paid_out(desk)
    desk.payouts["PO2"] = payout("paid", "PO2", amount=100)
    bad = item("payment_paid_out", "0", payment="PM9") | {"amount": amount}
    desk.payout_items["PO2"] = [bad]  # type: ignore[list-item]
    found = list(rail.list_bookings(since=SINCE, until=UNTIL))
    assert [each.kind for each in found if isinstance(each, Oddity)] == ["RECON_DIFFERENCE"]
    assert len([each for each in found if isinstance(each, Booking)]) == 8


def test_items_that_are_not_given_any_more_are_said_to_be_missing(desk: Desk, rail: Rail) -> None:
    paid_out(desk)
    desk.fail("GET /payout_items", Fault(410, kind="resource_gone"))
    [found] = list(rail.list_bookings(since=SINCE, until=UNTIL))
    assert isinstance(found, Oddity)
    assert found.at_risk == pounds(1_900)


def test_payouts_are_listed_as_far_as_they_are(desk: Desk, rail: Rail) -> None:
    for name, status in (("PO1", "pending"), ("PO2", "paid"), ("PO3", "bounced")):
        desk.payouts[name] = payout(status, name)
        desk.payout_items[name] = [item("payment_paid_out", "2400.0", payment="PM1")]
    found = [
        each for each in rail.list_payouts(since=SINCE, until=UNTIL) if isinstance(each, SaidPayout)
    ]
    assert [(each.status, each.is_listable, each.failure) for each in found] == [
        (PayoutStatus.FAILED, True, "bounced"),
        (PayoutStatus.PAID, True, None),
        (PayoutStatus.PENDING, False, None),
    ]
    assert found[1].arrives_at == instant("2026-11-21T00:00:00Z")
    kinds = [(each.reference, each.net.minor) for each in booked(rail)]
    assert kinds[:3] == [
        ("PO3:payout", -2_400),
        ("PO3:payout_back", 2_400),
        ("PO3:payment_paid_out:PM1", 2_400),
    ]
    assert not [name for name, _ in kinds if name.startswith("PO1")]


def test_only_what_was_begun_in_the_window_is_asked_for(desk: Desk, rail: Rail) -> None:
    desk.payouts[PAYOUT] = payout()
    later = UNTIL + timedelta(days=1)
    assert list(rail.list_payouts(since=later, until=clock.now())) == []
    [asked] = desk.requests
    assert set(asked.query) == {"limit", "created_at[gte]", "created_at[lte]"}


def test_a_list_that_never_ends_is_none(desk: Desk, rail: Rail) -> None:
    desk.payouts[PAYOUT] = payout()
    page = {"payouts": [], "meta": {"cursors": {"after": "same"}, "limit": 1}}
    desk.fail("GET /payouts", *[Fault(200, body=bodies.written(page)) for _ in range(3)])
    with pytest.raises(Exception, match="does not end"):
        list(rail.list_payouts(since=SINCE, until=UNTIL))
