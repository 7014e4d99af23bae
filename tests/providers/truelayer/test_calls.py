"""What we ask of TrueLayer: signed, once for a key, and told truly whether it was done."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from core import bank_references, clock
from core.errors import AppError, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from providers.deliveries import UnreadableDelivery
from providers.new_payment import NewPayment, Payer
from providers.seam import Rail
from providers.truelayer import calls
from tests.providers.truelayer.bodies import ACCOUNT, PAYMENT, payment
from tests.providers.truelayer.desk import Desk, Fault, open_desk
from tests.providers.truelayer.forging import b64

NEW = NewPayment(
    payment_id="pay_1",
    operation_id="op_1",
    order_id="ord_1",
    amount=Money(2_500, asset("GBP")),
    description="Order 1",
    manual_capture=False,
    return_url="https://pay.example/pay/back/truelayer?a=1&b=2",
    bank_reference="PD4X7",
    payer=Payer("Bo Buyer", "bo@example.com"),
)
OPS = {"refund_id": "ref_01abc", "payment_id": "pay_1", "operation_id": "op_2"}
TEN = Money(1_000, asset("GBP"))


def test_a_link_is_asked_for_with_what_is_needed_and_no_more(desk: Desk, rail: Rail) -> None:
    made = rail.create_link(NEW, key="op_1-1")
    [sent] = [each for each in desk.requests if each.path == "/v3/payments"]
    assert sent.json == {
        "amount_in_minor": 2_500,
        "currency": "GBP",
        "payment_method": {
            "type": "bank_transfer",
            "provider_selection": {"type": "user_selected"},
            "beneficiary": {
                "type": "merchant_account",
                "merchant_account_id": ACCOUNT,
                "reference": "PD4X7",
            },
        },
        "user": {"name": "Bo Buyer", "email": "bo@example.com"},
        "metadata": {"payment_id": "pay_1", "operation_id": "op_1", "order_id": "ord_1"},
    }
    assert sent.headers["idempotency-key"] == "op_1-1"
    assert (made.reference, made.client_secret, made.is_whole) == ("pm-0", None, True)
    assert [each.fact.kind for each in made.reading.facts] == ["created"]


def test_the_payers_page_is_named_with_its_token_behind_the_hash(desk: Desk, rail: Rail) -> None:
    url = str(rail.create_link(NEW, key="op_1-1").hosted_url)
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" in rail.hosts
    assert (parts.path, parts.query) == ("/payments", "")
    assert parse_qs(parts.fragment) == {
        "payment_id": ["pm-0"],
        "resource_token": ["resource-pm-0"],
        "return_uri": [NEW.return_url],
    }
    assert len(desk.payments) == 1


def test_tags_keep_within_what_metadata_may_hold(desk: Desk, rail: Rail) -> None:
    rail.create_link(replace(NEW, type="order", demo=True, order_id=""), key="k")
    tags = desk.payments["pm-0"]["metadata"]
    assert tags == {"payment_id": "pay_1", "operation_id": "op_1", "type": "order", "demo": "true"}
    assert len(tags) <= 10
    assert all(len(name) <= 40 and len(text) <= 500 for name, text in tags.items())


def test_the_page_lapses_when_its_token_says_so(desk: Desk, rail: Rail) -> None:
    until = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    claims = b64(json.dumps({"exp": int(until.timestamp())}).encode())
    desk.token_of = lambda _: f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"
    assert rail.create_link(NEW, key="k").expires_at == until


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.!!!.c", "a..c", "é", f"a.{b64(b'[]')}.c"])
def test_a_token_that_does_not_say_so_is_given_a_quarter_of_an_hour(token: str) -> None:
    left = (calls.lapses_at(token) - clock.now()).total_seconds()
    assert 890 < left <= 900


def test_each_currency_is_paid_into_its_own_account(desk: Desk, rail: Rail) -> None:
    for number, code in enumerate(("EUR", "GBP", "EUR")):
        rail.create_link(replace(NEW, amount=Money(100, asset(code))), key=f"k{number}")
    into = [each["payment_method"]["beneficiary"] for each in desk.payments.values()]
    names = [each["merchant_account_id"] for each in into]
    assert names == ["eur-account", ACCOUNT, "eur-account"]
    assert len(desk.paths("GET /v3/merchant-accounts")) == 1
    with pytest.raises(ProviderRefused):
        rail.create_link(replace(NEW, amount=Money(100, asset("SEK"))), key="k9")


def test_an_account_that_is_named_is_not_looked_for() -> None:
    with open_desk(TRUELAYER_MERCHANT_ACCOUNT_ID="named-account") as (desk, rail):
        rail.create_link(NEW, key="k")
        into = desk.payments["pm-0"]["payment_method"]["beneficiary"]["merchant_account_id"]
        assert into == "named-account"
        assert not desk.paths("GET")


def test_nobody_is_asked_to_pay_without_a_name_or_a_way_back(desk: Desk, rail: Rail) -> None:
    for new in (replace(NEW, payer=None), replace(NEW, return_url=None)):
        with pytest.raises(ProviderRefused):
            rail.create_link(new, key="k")
    assert not desk.payments


def test_one_token_serves_every_call_and_every_thread(desk: Desk, rail: Rail) -> None:
    desk.payments["pm-x"] = payment("executed", "pm-x")
    together, found = threading.Barrier(16), list[str]()

    def ask() -> None:
        together.wait()
        found.append(rail.fetch("pm-x").references[0])

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["pm-x"] * 16
    assert len(desk.tokens) == 1


def test_a_token_is_renewed_before_it_lapses(desk: Desk, rail: Rail) -> None:
    desk.payments["pm-x"], desk.lasts = payment("executed", "pm-x"), 60
    rail.fetch("pm-x")
    rail.fetch("pm-x")
    assert len(desk.tokens) == 2


def test_a_token_that_is_not_accepted_is_renewed_once(desk: Desk, rail: Rail) -> None:
    rail.create_link(NEW, key="op_1-1")
    desk.good.clear()
    rail.create_link(replace(NEW, payment_id="pay_2"), key="op_2-1")
    assert (len(desk.tokens), len(desk.payments)) == (2, 2)
    desk.fail("POST /v3/payments", Fault(401, kind="unauthenticated"), Fault(401))
    with pytest.raises(ProviderUnavailable):
        rail.create_link(replace(NEW, payment_id="pay_3"), key="op_3-1")
    assert (len(desk.tokens), len(desk.payments)) == (3, 2)


def test_credentials_that_are_not_accepted_did_nothing() -> None:
    with open_desk(TRUELAYER_CLIENT_SECRET="a-secret-of-somebody-else") as (desk, rail):
        with pytest.raises(ProviderUnavailable):
            rail.create_link(NEW, key="k")
        assert not desk.paths("POST /v3")


@pytest.mark.parametrize(
    "fault",
    [Fault(after=True), Fault(500, after=True), Fault(503, after=True), Fault(502, body=b"<html>")]
    + [Fault(200, body=b"{", after=True), Fault(409, kind="idempotency-key-concurrency-conflict")]
    + [Fault(302, body=b""), Fault(408), Fault(200, body=b"{" + b" " * 2**21 + b"}", after=True)],
)
def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_makes_one_payment(
    desk: Desk, rail: Rail, fault: Fault
) -> None:
    desk.fail("POST /v3/payments", fault)
    made = rail.create_link(NEW, key="op_1-1")
    assert (made.reference, list(desk.payments)) == ("pm-0", ["pm-0"])
    sent = [each for each in desk.requests if each.path == "/v3/payments"]
    assert len(sent) == 2
    assert sent[0].body == sent[1].body
    assert len({each.headers["idempotency-key"] for each in sent}) == 1


def test_answers_lost_twice_leave_us_not_knowing_and_the_same_call_tells_later(
    desk: Desk, rail: Rail
) -> None:
    for first, second in (
        (Fault(after=True), Fault(after=True)),
        (Fault(500, after=True), Fault(429, retry_after="7")),
        (Fault(after=True), Fault(401, kind="unauthenticated")),
    ):
        desk.fail("POST /v3/payments", first, second)
        if second.status == 401:
            desk.fail("POST /v3/payments", Fault(401, kind="unauthenticated"))
        key = f"op_{len(desk.keys)}-1"
        with pytest.raises(ProviderUnknown):
            rail.create_link(NEW, key=key)
        before = len(desk.payments)
        assert rail.create_link(NEW, key=key).hosted_url
        assert len(desk.payments) == before


def test_another_body_under_a_used_key_means_that_something_was_made(
    desk: Desk, rail: Rail
) -> None:
    rail.create_link(NEW, key="op_1-1")
    with pytest.raises(ProviderUnknown):
        rail.create_link(replace(NEW, bank_reference="OTHER"), key="op_1-1")
    assert len(desk.payments) == 1


def test_what_certainly_did_nothing_is_unavailable_and_says_when_to_come_back(
    desk: Desk, rail: Rail
) -> None:
    for text, seconds in (("7", 7), ("86400", 600), ("soon", 5), (None, 5)):
        desk.fail("POST /v3/payments", Fault(429, retry_after=text))
        with pytest.raises(ProviderUnavailable) as refused:
            rail.create_link(NEW, key="k")
        assert refused.value.retry_after == seconds
    assert not desk.payments


def test_nobody_at_home_is_unavailable() -> None:
    with open_desk() as (_, rail):
        pass
    for call in (lambda: rail.create_link(NEW, key="k"), lambda: rail.fetch("pm-0")):
        with pytest.raises(ProviderUnavailable):
            call()


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_final_and_names_the_trace_for_their_support(
    desk: Desk, rail: Rail, status: int
) -> None:
    desk.fail("POST /v3/payments", Fault(status, kind="invalid-parameters"))
    with pytest.raises(ProviderRefused) as refused:
        rail.create_link(NEW, key="k")
    said = refused.value.provider
    assert said is not None
    assert (said.reference, said.code) == ("trace-1", "invalid-parameters")
    assert len(desk.paths("POST /v3/payments")) == 1


def test_a_question_whose_answer_is_lost_is_unavailable_never_unknown(
    desk: Desk, rail: Rail
) -> None:
    desk.payments["pm-x"] = payment("executed", "pm-x")
    for fault in (Fault(), Fault(500), Fault(200, body=b"[]"), Fault(409), Fault(301)):
        desk.fail("GET /v3/payments", fault)
        with pytest.raises(ProviderUnavailable):
            rail.fetch("pm-x")
    with pytest.raises(ProviderRefused):
        rail.fetch("pm-unknown")


@pytest.mark.parametrize("name", ["../connect/token", "", "a/b", "a?b", "é", "x" * 65])
def test_a_name_that_is_no_name_never_becomes_a_path(desk: Desk, rail: Rail, name: str) -> None:
    named: list[Callable[[], object]] = [
        lambda: rail.fetch(name),
        lambda: rail.cancel(name, key="k"),
        lambda: rail.refund(name, TEN, key="k", metadata=OPS),
        lambda: rail.find_refund(name, "ref_1"),
    ]
    for call in named:
        with pytest.raises(ProviderRefused):
            call()
    assert not desk.requests


def test_an_answer_that_nobody_could_pay_with_is_not_taken_for_a_link(
    desk: Desk, rail: Rail
) -> None:
    for body in (b'{"id":"p","status":"authorization_required"}', b'{"status":"settled"}', b"{}"):
        desk.fail("POST /v3/payments", Fault(201, body=body, after=True))
        with pytest.raises(UnreadableDelivery):
            rail.create_link(NEW, key=f"k{len(desk.payments)}")


def test_a_payment_that_settled_is_asked_for_with_what_was_given_back(
    desk: Desk, rail: Rail
) -> None:
    desk.payments[PAYMENT] = payment("settled", metadata={"payment_id": "pay_1"})
    desk.page = 2
    for number in range(5):
        rail.refund(PAYMENT, TEN, key=f"k{number}", metadata=OPS | {"refund_id": f"ref_{number}"})
    said = rail.fetch(PAYMENT)
    assert said.payment_id == "pay_1"
    assert [each.refund_id for each in said.refunds] == [f"ref_{n}" for n in range(5)]
    desk.payments[PAYMENT] = payment("executed")
    asked = len(desk.paths("GET"))
    assert not rail.fetch(PAYMENT).refunds
    assert len(desk.paths("GET")) == asked + 1


def test_a_refund_is_asked_for_once_and_found_by_our_name_of_it(desk: Desk, rail: Rail) -> None:
    desk.payments[PAYMENT] = payment("settled")
    desk.fail(f"POST /v3/payments/{PAYMENT}/refunds", Fault(after=True))
    said = rail.refund(PAYMENT, TEN, key="op_2-1", metadata=OPS)
    assert len(desk.refunds[PAYMENT]) == 1
    sent = desk.refunds[PAYMENT][0]
    assert (sent["amount_in_minor"], sent["metadata"]) == (1_000, OPS)
    assert sent["reference"] == bank_references.make("ref_01abc")
    [refund] = said.refunds
    assert (refund.reference, refund.refund_id) == ("rf-0", "ref_01abc")
    assert (refund.keyed.fact.kind, refund.amount) == ("refund_pending", TEN)
    found = rail.find_refund(PAYMENT, "ref_01abc")
    assert found is not None
    assert found.refunds[0].reference == "rf-0"
    assert rail.find_refund(PAYMENT, "ref_of_nobody") is None


def test_an_open_payment_is_cancelled_and_asked_how_it_ended(desk: Desk, rail: Rail) -> None:
    made = rail.create_link(NEW, key="op_1-1")
    said = rail.cancel(made.reference, key="op_2-1")
    assert [(each.fact.kind, each.fact.code) for each in said.facts] == [("cancelled", "canceled")]


def test_a_cancel_that_takes_effect_later_says_how_it_stands_now(desk: Desk, rail: Rail) -> None:
    desk.cancels_at_once = False
    made = rail.create_link(NEW, key="op_1-1")
    assert [each.fact.kind for each in rail.cancel(made.reference, key="k").facts] == ["created"]
    desk.fail("GET /v3/payments", Fault(500))
    said = rail.cancel(made.reference, key="k2")
    assert (said.references, said.facts) == ((made.reference,), ())


def test_a_cancel_that_comes_too_late_is_refused_for_good(desk: Desk, rail: Rail) -> None:
    desk.payments[PAYMENT] = payment("executed")
    with pytest.raises(ProviderRefused):
        rail.cancel(PAYMENT, key="k")


def test_absence_is_never_concluded_from_what_cannot_be_looked_for(desk: Desk, rail: Rail) -> None:
    with pytest.raises(ProviderUnavailable):
        rail.find("pay_1", since=clock.now(), method="link")
    assert not desk.requests


def test_what_this_rail_has_not_is_refused(rail: Rail) -> None:
    for call in (
        lambda: rail.create_intent(NEW, key="k"),
        lambda: rail.create_checkout(NEW, key="k"),
        lambda: rail.create_setup(NEW, key="k"),
        lambda: rail.capture(PAYMENT, TEN, key="k"),
        lambda: rail.fetch_dispute("d"),
        lambda: rail.create_customer("usr_1", key="k", demo=False),
    ):
        with pytest.raises(ProviderRefused):
            call()


def test_no_secret_is_in_any_words_of_ours(rail: Rail, desk: Desk) -> None:
    desk.fail("POST /v3/payments", Fault(after=True), Fault(after=True))
    words = [repr(rail), str(rail)]
    try:
        rail.create_link(NEW, key="k")
    except AppError as error:
        words += [str(error), repr(error), repr(error.provider)]
    for text in words:
        for secret in ("a-client-secret", "PRIVATE KEY", "token-0", "Bo Buyer", "bo@example.com"):
            assert secret not in text
