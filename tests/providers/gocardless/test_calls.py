"""What we ask of GoCardless: once for a key, over two calls, and told truly whether it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest

from core import clock
from core.errors import AppError, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from providers.deliveries import UnreadableDelivery
from providers.new_payment import NewPayment
from providers.seam import Rail
from tests.providers.desk_http import Fault
from tests.providers.gocardless import bodies
from tests.providers.gocardless.desk import Desk, open_desk

NEW = NewPayment(
    payment_id="pay_1",
    operation_id="op_1",
    order_id="ord_1",
    amount=Money(2_500, asset("GBP")),
    description="Order 1",
    manual_capture=False,
    return_url="https://pay.example/pay/back/gocardless?a=1&b=2",
    type="order",
    demo=True,
)
TEN = Money(1_000, asset("GBP"))
REQUESTS, FLOWS = "POST /billing_requests", "POST /billing_request_flows"
LONG_AGO = clock.from_unix(0)
AMID = (
    Fault(after=True),
    Fault(500, after=True),
    Fault(503, after=True),
    Fault(502, body=b"<html>"),
    Fault(200, body=b"{", after=True),
    Fault(200, body=b'{"billing_requests":7,"billing_request_flows":7}', after=True),
    Fault(200, body=b"{}", after=True),
    Fault(409, kind="idempotent_creation_in_progress"),
    Fault(302, body=b"", headers={"Location": "/elsewhere"}),
    Fault(408),
    Fault(200, body=b"{" + b" " * 2**21 + b"}", after=True),
)


def link(rail: Rail, number: int = 1) -> str:
    return rail.create_link(
        replace(NEW, payment_id=f"pay_{number}"), key=f"op_{number}-1"
    ).reference


def test_a_link_is_asked_for_in_two_calls_with_what_is_needed_and_no_more(
    desk: Desk, rail: Rail
) -> None:
    made = rail.create_link(NEW, key="op_1-1")
    first, second = desk.requests
    tags = {"payment_id": "pay_1", "operation_id": "op_1", "order_id": "ord_1"}
    asked = {"description": "Order 1", "amount": 2_500, "currency": "GBP", "metadata": tags}
    assert first.json == {"billing_requests": {"payment_request": asked, "metadata": tags}}
    assert second.json == {
        "billing_request_flows": {
            "redirect_uri": NEW.return_url,
            "exit_uri": NEW.return_url,
            "links": {"billing_request": "BRQ000"},
        }
    }
    keys = [each.headers["idempotency-key"] for each in desk.requests]
    assert keys == ["op_1-1", "op_1-1-page-1"]
    assert (made.reference, made.client_secret, made.is_whole) == ("BRQ000", None, True)
    assert [each.fact.kind for each in made.reading.facts] == ["created"]


def test_the_payers_page_lies_on_theirs_and_lapses_when_they_say(desk: Desk, rail: Rail) -> None:
    made = rail.create_link(NEW, key="op_1-1")
    parts = urlsplit(str(made.hosted_url))
    assert f"{parts.scheme}://{parts.netloc}" in rail.hosts
    assert clock.rfc3339(made.expires_at) == desk.flows["BRF000"]["expires_at"]
    for address in ("https://evil.example/flow", "", None, rail.hosts[0] + ".evil.example/flow"):
        body = bodies.written({"billing_request_flows": {"authorisation_url": address}})
        desk.fail(FLOWS, Fault(201, body=body))
        with pytest.raises(UnreadableDelivery):
            rail.create_link(NEW, key=f"k{address}")


@pytest.mark.parametrize("fault", AMID)
@pytest.mark.parametrize("call", [REQUESTS, FLOWS])
def test_a_lost_answer_at_either_call_is_asked_for_again_and_makes_one_payment(
    desk: Desk, rail: Rail, call: str, fault: Fault
) -> None:
    desk.fail(f"{call}", replace(fault))
    made = rail.create_link(NEW, key="op_1-1")
    assert (made.reference, list(desk.billing_requests)) == ("BRQ000", ["BRQ000"])
    assert made.hosted_url
    sent = [each for each in desk.requests if f"{each.method} {each.path}" == REQUESTS]
    assert len({each.body for each in sent}) == 1
    assert len({each.headers["idempotency-key"] for each in sent}) == 1


@pytest.mark.parametrize("call", [REQUESTS, FLOWS])
@pytest.mark.parametrize(
    "second", [Fault(after=True), Fault(429, retry_after="7"), Fault(401), Fault(500)]
)
def test_answers_lost_twice_leave_us_not_knowing_and_the_same_call_goes_on(
    desk: Desk, rail: Rail, call: str, second: Fault
) -> None:
    desk.fail(call, Fault(after=True), replace(second))
    with pytest.raises(ProviderUnknown):
        rail.create_link(NEW, key="op_1-1")
    assert list(desk.billing_requests) == ["BRQ000"]
    made = rail.create_link(NEW, key="op_1-1")
    assert made.hosted_url
    assert list(desk.billing_requests) == ["BRQ000"]


@pytest.mark.parametrize("fault", [Fault(429, retry_after="7"), Fault(401), Fault(403)])
def test_what_stops_between_the_two_calls_is_never_called_undone(
    desk: Desk, rail: Rail, fault: Fault
) -> None:
    desk.fail(FLOWS, replace(fault))
    with pytest.raises(ProviderUnknown):
        rail.create_link(NEW, key="op_1-1")
    found = rail.find("pay_1", since=LONG_AGO, method="link")
    assert found is not None
    assert (found.reference, found.is_whole, found.hosted_url) == ("BRQ000", False, None)
    assert rail.create_link(NEW, key="op_1-1").hosted_url
    assert len(desk.billing_requests) == 1


def test_a_page_whose_address_was_lost_is_made_again_under_a_key_of_its_own(
    desk: Desk, rail: Rail
) -> None:
    for number in range(3):
        desk.fail(FLOWS, Fault(after=True))
        assert rail.create_link(NEW, key="op_1-1").hosted_url
        assert len(desk.flows) == number + 2
    assert len(desk.billing_requests) == 1
    assert len({key for key in desk.keys if "flows" in key}) == 4


def test_what_was_paid_meanwhile_needs_no_page(desk: Desk, rail: Rail) -> None:
    desk.fail(FLOWS, Fault(500), Fault(500))
    with pytest.raises(ProviderUnknown):
        rail.create_link(NEW, key="op_1-1")
    desk.pays("BRQ000")
    made = rail.create_link(NEW, key="op_1-1")
    assert (made.is_whole, made.hosted_url) == (True, None)
    assert [each.fact.kind for each in made.reading.facts] == ["created", "awaiting_bank"]


@pytest.mark.parametrize("status", ["fulfilling", "fulfilled", "cancelled"])
def test_a_page_that_is_refused_because_somebody_has_agreed_fails_nothing(
    desk: Desk, rail: Rail, status: str
) -> None:
    rail.create_link(NEW, key="op_1-1")
    desk.keys = {key: made for key, made in desk.keys.items() if "flows" not in key}
    listed = desk.billing_requests["BRQ000"]
    said = bodies.written({"billing_requests": listed})
    desk.fail("GET /billing_requests", Fault(200, body=said))
    desk.billing_requests["BRQ000"] = listed | {"status": status}
    made = rail.create_link(NEW, key="op_1-1")
    assert (made.is_whole, made.hosted_url) == (True, None)
    desk.billing_requests["BRQ000"] = listed
    desk.fail(FLOWS, Fault(422, kind="validation_failed"))
    with pytest.raises(ProviderRefused):
        rail.create_link(NEW, key="op_1-1")


def test_a_key_that_made_something_else_is_never_taken_for_ours(desk: Desk, rail: Rail) -> None:
    rail.create_link(NEW, key="op_1-1")
    with pytest.raises(ProviderUnknown):
        rail.create_link(replace(NEW, payment_id="pay_2"), key="op_1-1")
    desk.fail("GET /billing_requests", Fault(500), Fault(500))
    with pytest.raises(ProviderUnknown):
        rail.create_link(NEW, key="op_1-1")
    assert len(desk.billing_requests) == 1


def test_what_certainly_did_nothing_is_unavailable_and_says_when_to_come_back(
    desk: Desk, rail: Rail
) -> None:
    for text, seconds in (("7", 7), ("86400", 600), ("soon", 5), (None, 5)):
        desk.fail(REQUESTS, Fault(429, retry_after=text))
        with pytest.raises(ProviderUnavailable) as refused:
            rail.create_link(NEW, key="k")
        assert refused.value.retry_after == seconds
    assert not desk.billing_requests


def test_the_end_of_a_rate_limit_is_read_from_the_time_of_day_that_they_say(
    desk: Desk, rail: Rail
) -> None:
    until = format_datetime(clock.after(40), usegmt=True)
    for text, low, high in (
        (until, 30, 40),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 600, 600),
        ("Thu, 01 Jan 2009 00:00:00 GMT", 1, 1),
        ("whenever", 5, 5),
    ):
        desk.fail(REQUESTS, Fault(429, headers={"RateLimit-Reset": text}))
        with pytest.raises(ProviderUnavailable) as refused:
            rail.create_link(NEW, key="k")
        assert low <= int(str(refused.value.retry_after)) <= high


def test_nobody_at_home_is_unavailable() -> None:
    with open_desk() as (_, rail):
        pass
    for call in (lambda: rail.create_link(NEW, key="k"), lambda: rail.fetch("BRQ000")):
        with pytest.raises(ProviderUnavailable):
            call()


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_final_and_names_the_request_for_their_support(
    desk: Desk, rail: Rail, status: int
) -> None:
    desk.fail(REQUESTS, Fault(status, kind="validation_failed"))
    with pytest.raises(ProviderRefused) as refused:
        rail.create_link(NEW, key="k")
    said = refused.value.provider
    assert said is not None
    assert (said.reference, said.code) == ("request-1", "validation_failed")
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b'{"error":"no"}', b'{"error":{"errors":[7,{"reason":7}]}}']
)
def test_a_refusal_in_words_of_nobody_is_final_all_the_same(
    desk: Desk, rail: Rail, body: bytes
) -> None:
    for status, kind in ((422, ProviderRefused), (409, ProviderUnknown)):
        desk.fail(REQUESTS, *[Fault(status, body=body) for _ in range(2)])
        with pytest.raises(kind):
            rail.create_link(NEW, key="k")
        desk.faults.clear()


def test_a_question_whose_answer_is_lost_is_unavailable_never_unknown(
    desk: Desk, rail: Rail
) -> None:
    for fault in (Fault(), Fault(500), Fault(200, body=b"[]"), Fault(409), Fault(301)):
        desk.fail("GET /billing_requests", fault)
        before = len(desk.requests)
        with pytest.raises(ProviderUnavailable):
            rail.fetch("BRQ000")
        assert len(desk.requests) == before + 1, "the library asks once only"
    with pytest.raises(ProviderRefused):
        rail.fetch("BRQ000")


@pytest.mark.parametrize("name", ["../payments", "", "a/b", "a?b", "é", "x" * 65, "PM/../x", "RF?"])
def test_a_name_that_is_no_name_never_becomes_a_path(desk: Desk, rail: Rail, name: str) -> None:
    called: list[Callable[[], object]] = [
        lambda: rail.fetch(name),
        lambda: rail.cancel(name, key="k"),
        lambda: rail.refund(name, TEN, key="k", metadata={}),
        lambda: list(rail.bookings_of_payout(name)),
    ]
    for call in called:
        with pytest.raises(ProviderRefused):
            call()
    assert not desk.requests


def test_a_lost_creation_is_found_by_our_id_among_all_pages(desk: Desk, rail: Rail) -> None:
    for number in range(7):
        link(rail, number)
    desk.page = 2
    found = rail.find("pay_3", since=LONG_AGO, method="link")
    assert found is not None
    assert (found.reference, found.is_whole) == ("BRQ003", False)
    assert rail.find("pay_9", since=LONG_AGO, method="link") is None
    assert rail.find("pay_3", since=clock.now(), method="link") is None, "made before that"
    desk.pays("BRQ003")
    again = rail.find("pay_3", since=LONG_AGO, method="link")
    assert again is not None
    assert again.is_whole


def test_a_request_is_asked_for_with_its_events_then_with_its_payment(
    desk: Desk, rail: Rail
) -> None:
    name = link(rail)
    denied = bodies.event("billing_requests.bank_authorisation_denied")
    desk.events = [denied | {"links": {"billing_request": name}}]
    said = rail.fetch(name)
    assert [each.fact.kind for each in said.facts] == ["created", "attempt_failed"]
    desk.pays(name)
    said = rail.fetch(name)
    assert (said.payment_id, said.links) == ("pay_1", {"PM000": "payment"})
    assert [each.fact.kind for each in said.facts] == [
        *("created", "awaiting_bank", "succeeded", "charge_paid")
    ]
    by_payment = rail.fetch("PM000")
    assert {each.key for each in by_payment.facts} < {each.key for each in said.facts}
    assert by_payment.payment_id is None


def test_an_open_request_is_cancelled_once_and_no_other(desk: Desk, rail: Rail) -> None:
    name = link(rail)
    said = rail.cancel(name, key="op_2-1")
    assert [each.fact.kind for each in said.facts] == ["created", "cancelled"]
    with pytest.raises(ProviderRefused):
        rail.cancel(name, key="op_3-1")
    desk.pays(link(rail, 2))
    for late in ("BRQ001", "PM001"):
        with pytest.raises(ProviderRefused):
            rail.cancel(late, key="op_4-1")


def test_nobody_is_asked_to_pay_without_a_way_back(desk: Desk, rail: Rail) -> None:
    with pytest.raises(ProviderRefused):
        rail.create_link(replace(NEW, return_url=None), key="k")
    assert not desk.requests


def test_a_token_that_is_not_accepted_did_nothing() -> None:
    other = "sandbox_a-token-of-somebody-else"
    with open_desk(GOCARDLESS_ACCESS_TOKEN=other) as (desk, rail):
        with pytest.raises(ProviderUnavailable):
            rail.create_link(NEW, key="k")
        assert len(desk.requests) == 1


def test_what_this_rail_has_not_is_refused(rail: Rail) -> None:
    for call in (
        lambda: rail.create_intent(NEW, key="k"),
        lambda: rail.create_checkout(NEW, key="k"),
        lambda: rail.create_setup(NEW, key="k"),
        lambda: rail.capture("BRQ000", TEN, key="k"),
        lambda: rail.fetch_dispute("d"),
    ):
        with pytest.raises(ProviderRefused):
            call()


def test_no_proxy_and_no_redirect_takes_our_token_elsewhere(
    desk: Desk, rail: Rail, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert link(rail) == "BRQ000"
    desk.fail("GET /billing_requests", Fault(302, body=b"", headers={"Location": "/payments"}))
    with pytest.raises(ProviderUnavailable):
        rail.fetch("BRQ000")
    assert not desk.paths("GET /payments")


def test_no_secret_is_in_any_words_of_ours(rail: Rail, desk: Desk) -> None:
    desk.fail(REQUESTS, Fault(after=True), Fault(after=True))
    words = [repr(rail), str(rail)]
    try:
        rail.create_link(NEW, key="k")
    except AppError as error:
        words += [str(error), repr(error), repr(error.provider)]
    for text in words:
        for secret in ("a-token-of-the-desk", "a-webhook-secret-of-the-desk"):
            assert secret not in text
