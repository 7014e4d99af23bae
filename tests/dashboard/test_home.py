"""Home: its four questions answered from rows, never from wishes."""

from __future__ import annotations

from datetime import timedelta

from core import clock
from core.errors import ProviderUnknown
from domain import database, presence
from models.inbound import InboundEvent
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def test_quiet_desk_says_so(desk: Desk, who: Personas) -> None:
    said = text(desk.browser(who.fin).page("/"))
    for words in (
        *("Nothing needs you right now.", "Received Nothing yet", "Failed 0 none since midnight"),
        *("Nothing waits for a second person", "Every event was applied"),
        *("Nothing has waited for more than an hour.", "No exception is open."),
        *("Nothing has changed yet.",),
    ):
        assert words in said, words


def test_numbers_are_those_of_the_books(desk: Desk, who: Personas, till: Till) -> None:
    till.settle(till.payment(who.bo))
    till.settle(till.payment(who.mel))
    till.payment(who.bo)
    yen = till.order(who.bo, total={"amount": 900, "currency": "JPY"}, deposit=None)
    paid = till.intent(who.bo, yen["orderId"])
    till.rail.intents[paid["providerReference"]]["currency"] = "jpy"
    till.settle(paid)
    said = text(desk.browser(who.fin).page("/"))
    assert "Received 50.00 EUR 900 JPY 3 confirmed payments" in said
    assert "Waiting 1 not paid yet" in said
    assert "Events received 3" in said
    assert "Oak table: confirmed told by the provider" in said
    own = text(desk.browser(who.bo).page("/"))
    assert "Paid 25.00 EUR 900 JPY 2 confirmed payments of those started today" in own
    assert "Received" not in own


def test_broken_and_old_things_are_named(desk: Desk, who: Personas, till: Till) -> None:
    old = till.payment(who.bo)
    body = till.event("payment_intent.processing", old, status="processing", id="pi_not_ours")
    till.deliver(body.replace(old["paymentId"].encode(), b"pay_of_somebody_else"))
    till.work()
    till.deliver(b'{"id": "evt_1", "type": ')
    till.rail.script.append(ProviderUnknown())
    order = till.order(who.bo)["orderId"]
    assert till.post("/api/payments/intents", who.bo, {"orderId": order}).status_code == 202
    with database.transaction() as session:
        row = session.get_one(Payment, old["paymentId"])
        row.created_at = clock.now() - timedelta(hours=3)
        states = {event.state for event in session.query(InboundEvent)}
    assert states == {"unmatched", "quarantined"}
    browser = desk.browser(who.ed)
    page = browser.page("/")
    said = text(page)
    for words in (
        *("What is broken 2", "Quarantined unreadable", "Create intent without an answer"),
        *("What is getting old 2", "Unmatched payment_intent.processing", "Pending Oak table"),
        *("3 things need a look", "Degraded", "1 event of the last day could not be applied"),
    ):
        assert words in said, words
    assert f'href="/payments/{old["paymentId"]}"' in page
    part = browser.part("/home/panels")
    assert "sse:home" in part
    assert browser.get("/home/panels").location == "/"
    # The navigation warns on every page.
    assert "Webhooks 1" in text(browser.page("/account"))


def test_missing_worker_is_said_on_every_page_of_the_staff(desk: Desk, who: Personas) -> None:
    assert "No worker is running" in desk.browser(who.fin).page("/payments")
    assert "No worker is running" not in desk.browser(who.mel).page("/payments")
    with database.transaction() as session:
        presence.beat(session, presence.identify("worker"))
    page = text(desk.browser(who.fin).page("/"))
    assert "No worker is running" not in page
    assert "Worker Running 1 process" in page


def test_merchant_and_seller_have_a_home_of_their_own(
    desk: Desk, who: Personas, till: Till
) -> None:
    till.payment(who.mel, description="Mel's own")
    till.payment(who.bo, description="Somebody else's", sellerId=who.sal.id)
    mel = text(desk.browser(who.mel).page("/"))
    assert "Mel's own" in mel
    assert "Somebody else's" not in mel
    assert "Providers and processes" not in mel
    sal = text(desk.browser(who.sal).page("/"))
    assert "Somebody else's" in sal
    assert "1 payment waits." in sal
    eve = text(desk.browser(who.eve).page("/"))
    assert "Nothing waits." in eve
    assert "No order names you yet." in eve
