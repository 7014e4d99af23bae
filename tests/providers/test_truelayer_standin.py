"""The real client against the stand-in that speaks TrueLayer's wire in a process of its own, written apart from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.errors import BadSignature, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from providers.book_seam import Booking, BookingKind
from providers.deliveries import Sent
from providers.list_seam import Listing
from providers.new_payment import Created, NewPayment, Payer
from providers.said import Reading
from providers.seam import Rail
from providers.truelayer import rail as module
from tests.providers.truelayer.desk import OURS, hang_up, made_settings
from tests.sandbox.inbox import Inbox
from tests.sandbox.standin import StandIn, end, launch

CLIENT, SECRET = "paydesk-client", "a-client-secret-of-the-stand-in"
AMOUNT = Money(2_500, asset("GBP"))
NEW = NewPayment(
    payment_id="pay_1",
    operation_id="op_1",
    order_id="ord_1",
    amount=AMOUNT,
    description="Order 1",
    manual_capture=False,
    return_url="http://127.0.0.1:9/pay/back/truelayer",
    bank_reference="PD4X7K2M9Q",
    payer=Payer("Bo Buyer", "bo@example.com"),
)
OURS_OF_REFUND = {"refund_id": "ref_1", "payment_id": "pay_1", "operation_id": "op_2"}


class Door(Inbox):
    """Our door: what our rail does not let in is a problem, unless a test expects it."""

    path = "/api/webhooks/bank/truelayer"

    def __init__(self) -> None:
        super().__init__()
        self.rail: Rail | None = None
        self.refused = 0
        self.readings: list[Reading] = []

    def types(self, object_id: str | None = None) -> list[str]:
        return [each["type"] for each in self.events]

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        assert self.rail is not None
        sent = Sent("POST", self.path, body, headers.get)
        try:
            self.rail.verify(sent, secrets=(), now=clock.unix())
        except BadSignature:
            self.refused += 1
            return []
        [head] = self.rail.read_deliveries(body)
        self.readings.append(self.rail.read_event(body))
        return [{"type": head.type, "id": head.event_id, "reference": head.reference}]


@dataclass
class Bank:
    """The stand-in, our rail to it, and our door."""

    standin: StandIn
    rail: Rail
    door: Door
    keys: list[str] = field(default_factory=list)

    def link(self, **more: object) -> Created:
        self.keys.append(f"op_{len(self.keys)}-1")
        return self.rail.create_link(replace(NEW, **more), key=self.keys[-1])  # type: ignore[arg-type]

    def act(self, made: Created, name: str, **more: object) -> None:
        self.standin.control("POST", f"payments/{made.reference}/{name}", more)

    def deliveries(self, act: str, **more: object) -> Any:
        return self.standin.control("POST", "deliveries", {"act": act} | more)

    def says(self, made: Created) -> list[str]:
        return [each.fact.kind for each in self.rail.fetch(made.reference).facts]

    def count(self) -> int:
        return len(self.standin.control("GET", "payments")["data"])

    def settled(self) -> Created:
        made = self.link()
        self.act(made, "authorise")
        self.door.wait_for("payment_settled")
        return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, Door]]:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "key").write_text(f"{OURS.kid}:{OURS.public_pem.decode()}")
    with Door() as door:
        options = ["--truelayer-public-key", str(folder / "key"), "--truelayer-client-id", CLIENT]
        options += ["--truelayer-client-secret", SECRET, "--truelayer-webhook-url", door.url]
        options += ["--settle-seconds", "0.2", "--refund-seconds", "0.1", "--retry-start", "0.1"]
        standin = launch("bank", Path(folder), *options)
        yield standin, door
        end(standin)


@pytest.fixture
def bank(running: tuple[StandIn, Door]) -> Iterator[Bank]:
    """The stand-in with nothing in it, and a rail that knows nothing of it yet."""
    standin, door = running
    standin.control("PUT", "webhooks", {"wire": "truelayer", "url": door.url})
    standin.control("POST", "reset")
    settings = {
        "TRUELAYER_CLIENT_ID": CLIENT,
        "TRUELAYER_CLIENT_SECRET": SECRET,
        "TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem}",
        "TRUELAYER_API_URL": standin.url,
    }
    door.forget()
    door.rail, door.refused, door.readings = module.build(made_settings(settings)), 0, []
    yield Bank(standin, door.rail, door)
    hang_up(door.rail)


def test_a_payment_lives_from_its_page_to_its_money(bank: Bank) -> None:
    made = bank.link()
    assert str(made.hosted_url).startswith(f"{bank.standin.url}/payments#payment_id=")
    assert made.expires_at is not None
    assert bank.says(made) == ["created"]
    bank.act(made, "authorise", bank="mock-slow-bank")
    bank.door.wait_for("payment_executed")
    bank.door.wait_for("payment_settled")
    assert bank.says(made) == ["succeeded", "charge_paid"]
    assert all(each.payment_id == "pay_1" for each in bank.door.readings)
    told = bank.rail.fetch(made.reference)
    assert told.facts[0].fact.amount_minor == AMOUNT.minor
    assert (told.payment_id, told.asset_code) == ("pay_1", "GBP")


@pytest.mark.parametrize(
    ("act", "more", "kind"),
    [
        ("authorise", {"bank": "mock-refusing-bank"}, "failed"),
        ("decline", {}, "failed"),
        ("fail", {"reason": "user_canceled_at_provider"}, "cancelled"),
        ("fail", {"reason": "insufficient_funds"}, "failed"),
        ("fail", {"reason": "expired"}, "expired"),
    ],
)
def test_an_end_is_told_and_asked_for_in_the_same_words(
    bank: Bank, act: str, more: dict[str, str], kind: str
) -> None:
    made = bank.link()
    bank.act(made, act, **more)
    bank.door.wait_for("payment_failed")
    [told] = bank.door.readings[-1].facts
    [asked] = bank.rail.fetch(made.reference).facts
    assert told == asked
    assert told.fact.kind == kind


def test_a_cancelled_payment_is_over_and_cannot_be_cancelled_again(bank: Bank) -> None:
    made = bank.link()
    said = bank.rail.cancel(made.reference, key="cancel-1")
    assert [each.fact.kind for each in said.facts] == ["cancelled"]
    with pytest.raises(ProviderRefused):
        bank.rail.cancel(made.reference, key="cancel-2")


def test_what_is_given_back_is_found_and_told(bank: Bank) -> None:
    made = bank.settled()
    part = Money(1_000, AMOUNT.asset)
    said = bank.rail.refund(made.reference, part, key="op_2-1", metadata=OURS_OF_REFUND)
    assert said.refunds[0].keyed.fact.kind == "refund_pending"
    bank.door.wait_for("refund_executed")
    found = bank.rail.find_refund(made.reference, "ref_1")
    assert found is not None
    assert found.refunds[0].reference == said.refunds[0].reference
    assert found.refunds[0].keyed.fact.kind == "refund_succeeded"
    assert bank.rail.find_refund(made.reference, "ref_2") is None
    assert bank.rail.fetch(made.reference).refunds == found.refunds
    with pytest.raises(ProviderRefused):
        bank.rail.refund(made.reference, AMOUNT, key="op_3-1", metadata=OURS_OF_REFUND)


def test_what_was_reversed_says_so(bank: Bank) -> None:
    made = bank.settled()
    bank.act(made, "reverse")
    bank.door.wait_for("payment_reversed")
    [gone] = bank.door.readings[-1].facts
    assert (gone.fact.kind, gone.fact.code) == ("charge_failed", made.reference)


LOST = ("timeout_after_effect", "5xx_after", "cut", "malformed", "5xx_before")


@pytest.mark.parametrize("kind", LOST)
def test_answers_that_are_lost_make_one_payment(bank: Bank, kind: str) -> None:
    bank.standin.fault(op="truelayer.payments.create", kind=kind)
    made = bank.link()
    assert bank.count() == 1
    assert bank.says(made) == ["created"]


def test_answers_lost_twice_are_unknown_and_told_by_the_same_call(bank: Bank) -> None:
    bank.standin.fault(op="truelayer.payments.create", kind="cut", times=2)
    with pytest.raises(ProviderUnknown):
        bank.link()
    made = bank.rail.create_link(NEW, key=bank.keys[-1])
    assert bank.count() == 1
    assert made.hosted_url
    with pytest.raises(ProviderUnknown):
        bank.rail.create_link(replace(NEW, bank_reference="OTHER"), key=bank.keys[-1])


def test_its_lists_tell_what_settled_and_what_was_given_back(bank: Bank) -> None:
    made = bank.settled()
    bank.link()
    bank.rail.refund(made.reference, AMOUNT, key="op_2-1", metadata=OURS_OF_REFUND)
    bank.door.wait_for("refund_executed")
    window = {"since": clock.after(-3_600), "until": clock.now() + timedelta(minutes=1)}
    found: dict[Listing, list[str]] = {}
    for what in (Listing.PAYMENTS, Listing.REFUNDS):
        found[what], after, is_over = [], None, False
        while not is_over:
            page = bank.rail.list_page(what, after=after, **window)  # type: ignore[arg-type]
            found[what] += [each.name for each in page.items]
            after, is_over = page.after, page.after is None
    assert found[Listing.PAYMENTS] == [made.reference]
    assert len(found[Listing.REFUNDS]) == 1
    booked = list(bank.rail.list_bookings(**window))
    assert all(isinstance(each, Booking) for each in booked)
    kinds = {each.kind: each.net.minor for each in booked}  # type: ignore[union-attr]
    assert kinds == {BookingKind.ARRIVED: AMOUNT.minor, BookingKind.REFUND: -AMOUNT.minor}


def test_forged_stale_and_strange_deliveries_are_refused(bank: Bank) -> None:
    made = bank.settled()
    known, wants = len(bank.door.events), 0
    for act, more in (
        ("forge", {}),
        ("wrong_jku", {"jku": "https://evil.example/.well-known/jwks"}),
        ("stale", {"seconds": 3_600}),
        ("unknown_kid", {"times": 20}),
    ):
        bank.deliveries(act, body={"payment_id": made.reference}, **more)
        wants += int(str(more.get("times", 1)))
    bank.door.wait(lambda door: door.refused >= wants)
    assert len(bank.door.events) == known


def test_its_keys_rotate_and_what_it_signs_comes_through(bank: Bank) -> None:
    bank.settled()
    bank.deliveries("rotate_keys")
    # The rail has asked for keys within this minute; as if that were longer ago.
    for known in bank.rail.key_sets._sets.values():  # type: ignore[attr-defined]
        known.tried_at -= 61
    bank.door.forget()
    bank.settled()
    assert bank.door.refused == 0


def test_many_at_once_each_make_their_own_payment(bank: Bank) -> None:
    made: list[str] = []

    def one(number: int) -> None:
        new = replace(NEW, payment_id=f"pay_{number}")
        made.append(bank.rail.create_link(new, key=f"many-{number}").reference)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == bank.count() == 16


def test_a_slow_down_is_obeyed_and_an_outage_did_nothing(bank: Bank) -> None:
    asked: dict[str, Callable[[], object]] = {
        "truelayer.payments.create": bank.link,
        "truelayer.payments.retrieve": lambda: bank.rail.fetch("unknown-payment"),
        "truelayer.token": lambda: bank.rail.fetch("unknown-payment"),
    }
    for op, call in asked.items():
        bank.rail.api.tokens._held = None  # type: ignore[attr-defined]
        bank.standin.fault(op=op, kind="429", retry_after=7)
        with pytest.raises(ProviderUnavailable) as told:
            call()
        assert told.value.retry_after == 7
    assert bank.count() == 0
