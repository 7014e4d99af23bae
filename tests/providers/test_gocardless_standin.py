"""The real client against the stand-in that speaks GoCardless' wire in a process of its own, written apart from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.errors import BadSignature, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from providers.book_seam import Booking, BookingKind, SaidPayout
from providers.deliveries import LiveSecret, Sent
from providers.gocardless import rail as module
from providers.list_seam import Listing
from providers.new_payment import Created, NewPayment
from providers.said import Reading
from providers.seam import Rail
from tests.providers.desk_http import made_settings
from tests.providers.gocardless.desk import hang_up
from tests.sandbox.inbox import Inbox
from tests.sandbox.standin import StandIn, end, launch

TOKEN, SECRET = "a-token-of-the-stand-in", "a-webhook-secret-of-the-stand-in"
AMOUNT = Money(2_500, asset("GBP"))
NEW = NewPayment(
    payment_id="pay_1",
    operation_id="op_1",
    order_id="ord_1",
    amount=AMOUNT,
    description="Order 1",
    manual_capture=False,
    return_url="http://127.0.0.1:9/pay/back/gocardless",
)
OURS_OF_REFUND = {"refund_id": "ref_1", "payment_id": "pay_1", "operation_id": "op_2"}


class Door(Inbox):
    """Our door: each event of what our rail lets in, once."""

    path = "/api/webhooks/bank/gocardless"

    def __init__(self) -> None:
        super().__init__()
        self.rail: Rail | None = None
        self.refused = 0
        self.readings: dict[str, list[Reading]] = {}

    def types(self, object_id: str | None = None) -> list[str]:
        return [each["type"] for each in self.events]

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        assert self.rail is not None
        sent = Sent("POST", self.path, body, headers.get)
        secret = LiveSecret("scv_1", SECRET, "test")
        try:
            self.rail.verify(sent, secrets=(secret,), now=clock.unix())
        except BadSignature:
            self.refused += 1
            return []
        found = []
        for head in self.rail.read_deliveries(body):
            assert head.body is not None
            self.readings.setdefault(head.type, []).append(self.rail.read_event(head.body))
            found.append({"type": head.type, "id": head.event_id, "reference": head.reference})
        return found


@dataclass
class Bank:
    """The stand-in, our rail to it, and our door."""

    standin: StandIn
    rail: Rail
    door: Door
    made: int = 0

    def link(self, **more: object) -> Created:
        self.made += 1
        new = replace(NEW, **more)  # type: ignore[arg-type]
        return self.rail.create_link(new, key=f"op_{self.made}-1")

    def act(self, made: Created, name: str, **more: object) -> None:
        self.standin.control("POST", f"payments/{made.reference}/{name}", more)

    def says(self, made: Created) -> list[str]:
        return [each.fact.kind for each in self.rail.fetch(made.reference).facts]

    def count(self) -> int:
        return len(self.standin.control("GET", "payments")["data"])

    def confirmed(self) -> Created:
        before = self.door.types().count("payments.confirmed")
        made = self.link()
        self.act(made, "authorise")
        self.door.wait_for("payments.confirmed", times=before + 1)
        return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, Door]]:
    folder = tmp_path_factory.mktemp("bank")
    with Door() as door:
        options = ["--gocardless-access-token", TOKEN, "--gocardless-webhook-secret", SECRET]
        options += ["--gocardless-webhook-url", door.url, "--batch-seconds", "0.05"]
        options += ["--settle-seconds", "0.2", "--refund-seconds", "0.1", "--retry-start", "0.1"]
        standin = launch("bank", Path(folder), *options)
        yield standin, door
        end(standin)


@pytest.fixture
def bank(running: tuple[StandIn, Door]) -> Iterator[Bank]:
    """The stand-in with nothing in it, and a rail of its own."""
    standin, door = running
    standin.control("PUT", "webhooks", {"wire": "gocardless", "url": door.url})
    standin.control("POST", "reset")
    settings = {"GOCARDLESS_ACCESS_TOKEN": TOKEN, "GOCARDLESS_API_URL": standin.url}
    door.forget()
    door.rail, door.refused, door.readings = module.build(made_settings(settings)), 0, {}
    yield Bank(standin, door.rail, door)
    hang_up(door.rail)


def test_a_payment_lives_from_its_page_to_its_money(bank: Bank) -> None:
    made = bank.link()
    assert str(made.hosted_url).startswith(f"{bank.rail.hosts[0]}/billing/static/flow?id=BRF")
    assert made.expires_at is not None
    assert bank.says(made) == ["created"]
    bank.act(made, "authorise", bank="mock-slow-bank")
    bank.door.wait_for("billing_requests.fulfilled")
    bank.door.wait_for("payments.confirmed")
    truth = bank.rail.fetch(made.reference)
    assert [each.fact.kind for each in truth.facts] == [
        *("created", "awaiting_bank", "succeeded", "charge_paid")
    ]
    assert truth.facts[2].fact.amount_minor == AMOUNT.minor
    assert (truth.payment_id, truth.asset_code) == ("pay_1", "GBP")
    [told] = bank.door.readings["billing_requests.fulfilled"]
    assert (told.references, told.links) == ((made.reference,), truth.links)
    assert told.payment_id == "pay_1"
    [confirmed] = bank.door.readings["payments.confirmed"]
    assert list(truth.links) == list(confirmed.references)
    assert bank.rail.fetch(confirmed.references[0]).facts[-1].key == truth.facts[-1].key


@pytest.mark.parametrize(
    ("act", "more", "kind"),
    [("authorise", {"bank": "mock-refusing-bank"}, "attempt_failed"), ("decline", {}, None)],
)
def test_what_ends_before_the_payer_agreed_is_told_and_asked_for_in_the_same_words(
    bank: Bank, act: str, more: dict[str, str], kind: str | None
) -> None:
    made = bank.link()
    bank.act(made, act, **more)
    bank.door.wait(
        lambda door: any(
            each["type"].startswith("billing_requests.bank_authorisation_")
            and each["type"].rsplit("_", 1)[1] in ("denied", "failed")
            for each in door.events
        )
    )
    told = {
        each.key
        for name, readings in bank.door.readings.items()
        for said in readings
        if name.startswith("billing_requests.")
        for each in said.facts
    }
    assert told
    assert told <= {each.key for each in bank.rail.fetch(made.reference).facts}
    assert kind is None or kind in bank.says(made)


def test_a_cancelled_request_is_over_and_cannot_be_cancelled_again(bank: Bank) -> None:
    made = bank.link()
    assert bank.rail.cancel(made.reference, key="cancel-1").facts[-1].fact.kind == "cancelled"
    bank.door.wait_for("billing_requests.cancelled")
    assert bank.says(made) == ["created", "cancelled"]
    with pytest.raises(ProviderRefused):
        bank.rail.cancel(made.reference, key="cancel-2")


def test_what_is_given_back_is_found_and_told(bank: Bank) -> None:
    made = bank.confirmed()
    part = Money(1_000, AMOUNT.asset)
    said = bank.rail.refund(made.reference, part, key="op_2-1", metadata=OURS_OF_REFUND)
    assert said.refunds[0].keyed.fact.kind == "refund_pending"
    bank.door.wait_for("refunds.paid")
    found = bank.rail.find_refund(made.reference, "ref_1")
    assert found is not None
    assert found.refunds[0].reference == said.refunds[0].reference
    assert found.refunds[0].keyed.fact.kind == "refund_succeeded"
    assert bank.rail.find_refund(made.reference, "ref_2") is None
    truth = bank.rail.fetch(made.reference)
    assert [each.reference for each in truth.refunds] == [said.refunds[0].reference]
    with pytest.raises(ProviderRefused):
        bank.rail.refund(made.reference, AMOUNT, key="op_3-1", metadata=OURS_OF_REFUND)


@pytest.mark.parametrize(
    ("act", "event"),
    [("late_failure", "payments.failed"), ("chargeback", "payments.charged_back")],
)
def test_what_was_taken_back_after_it_was_good_says_so(bank: Bank, act: str, event: str) -> None:
    made = bank.confirmed()
    bank.act(made, act)
    bank.door.wait_for(event)
    kinds = bank.says(made)
    assert {"succeeded", "charge_paid", "charge_failed"} <= set(kinds)
    assert "failed" not in kinds
    if act == "chargeback":
        bank.act(made, "chargeback_cancelled")
        bank.door.wait_for("payments.chargeback_cancelled")
        [said] = bank.door.readings["payments.chargeback_cancelled"]
        assert said.oddities


LOST = ("timeout_after_effect", "5xx_after", "cut", "malformed", "5xx_before")
OPS = ("gocardless.billing_requests.create", "gocardless.billing_request_flows.create")


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("kind", LOST)
def test_answers_that_are_lost_at_either_call_make_one_payment(
    bank: Bank, op: str, kind: str
) -> None:
    bank.standin.fault(op=op, kind=kind)
    made = bank.link()
    assert bank.count() == 1
    assert made.hosted_url
    assert bank.says(made) == ["created"]


@pytest.mark.parametrize("op", OPS)
def test_answers_lost_twice_are_unknown_found_and_gone_on_with(bank: Bank, op: str) -> None:
    bank.standin.fault(op=op, kind="5xx_before", times=2)
    with pytest.raises(ProviderUnknown):
        bank.link()
    found = bank.rail.find("pay_1", since=clock.after(-60), method="link")
    assert found is None or not found.is_whole
    made = bank.rail.create_link(NEW, key="op_1-1")
    assert bank.count() == 1
    assert made.hosted_url
    with pytest.raises(ProviderUnknown):
        bank.rail.create_link(replace(NEW, payment_id="pay_2"), key="op_1-1")


def test_its_lists_and_its_payout_tell_what_moved_to_the_penny(bank: Bank) -> None:
    made, open_one = bank.confirmed(), bank.link(payment_id="pay_2")
    part = Money(1_000, AMOUNT.asset)
    bank.rail.refund(made.reference, part, key="op_9-1", metadata=OURS_OF_REFUND)
    bank.door.wait_for("refunds.paid")
    window = {"since": clock.after(-3_600), "until": clock.now() + timedelta(minutes=1)}
    payments = bank.rail.list_page(Listing.PAYMENTS, **window)  # type: ignore[arg-type]
    assert {each.name for each in payments.items} == {made.reference, open_one.reference}
    refunds = bank.rail.list_page(Listing.REFUNDS, **window)  # type: ignore[arg-type]
    assert [each.reading.refunds[0].refund_id for each in refunds.items] == ["ref_1"]
    bank.standin.control("POST", "payouts", {"wire": "gocardless", "currency": "GBP"})
    bank.door.wait_for("payouts.paid")
    booked = list(bank.rail.list_bookings(**window))
    assert all(isinstance(each, Booking) for each in booked), booked
    nets = {each.kind: each.net.minor for each in booked if isinstance(each, Booking)}
    assert (nets[BookingKind.ARRIVED], nets[BookingKind.REFUND]) == (2_500, -1_000)
    assert nets[BookingKind.FEE] < 0
    assert sum(nets.values()) == 0
    [payout] = bank.rail.list_payouts(**window)
    assert isinstance(payout, SaidPayout)
    assert list(bank.rail.bookings_of_payout(payout.reference)) == booked


def test_forged_deliveries_are_refused(bank: Bank) -> None:
    bank.confirmed()
    known = len(bank.door.events)
    bank.standin.control("POST", "deliveries", {"act": "forge", "wire": "gocardless"})
    bank.door.wait(lambda door: door.refused >= 1)
    assert len(bank.door.events) == known


def test_a_slow_down_is_obeyed_and_did_nothing(bank: Bank) -> None:
    bank.standin.fault(op=OPS[0], kind="429", retry_after=7)
    with pytest.raises(ProviderUnavailable) as told:
        bank.link()
    assert told.value.retry_after == 7
    assert bank.count() == 0
