from __future__ import annotations

from typing import Any

from tests.sandbox.bank.conftest import Start
from tests.sandbox.bank.test_gocardless_api import paid
from tests.sandbox.bank.wires import GoCardless, GoCardlessInbox
from tests.sandbox.standin import StandIn


def test_events_come_in_batches_that_name_their_webhook(
    bank: StandIn, gocardless: GoCardless, gocardless_inbox: GoCardlessInbox
) -> None:
    request, payment = paid(bank, gocardless)
    told = gocardless_inbox.wait_for("payments.confirmed")
    assert told["links"] == {"payment": payment}
    assert told["details"]["cause"] == "payment_confirmed"
    assert told["resource_metadata"] == {"order_id": "1"}
    assert gocardless_inbox.types(request)[0] == "billing_requests.created"
    fulfilled = next(e for e in gocardless_inbox.events if e["action"] == "fulfilled")
    assert fulfilled["links"]["payment_request_payment"] == payment
    assert len(gocardless_inbox.batches) < len(gocardless_inbox.events)
    names = {batch["meta"]["webhook_id"] for batch in gocardless_inbox.batches}
    kept = {each["id"]: each for each in gocardless.get("/webhooks")["webhooks"]}
    assert names <= set(kept)


def test_batch_holds_250_events_at_most(
    start_bank: Start, gocardless_inbox: GoCardlessInbox
) -> None:
    gocardless_inbox.forget()
    patient = start_bank("--batch-seconds", "600")
    client = GoCardless(patient.url)
    for _ in range(130):
        request = client.request()["id"]
        client.post(f"/billing_requests/{request}/actions/cancel", {"data": {}})
    patient.control("POST", "clock", {"advance_seconds": 700})
    gocardless_inbox.wait(lambda got: len(got.events) == 260, seconds=20)
    assert [len(batch["events"]) for batch in gocardless_inbox.batches] == [250, 10]
    assert len({event["id"] for event in gocardless_inbox.events}) == 260


def test_refused_batch_comes_again_whole_and_a_redirect_counts_as_refused(
    bank: StandIn, gocardless: GoCardless, gocardless_inbox: GoCardlessInbox
) -> None:
    gocardless_inbox.refuse = [498, 302]
    gocardless.request()
    gocardless_inbox.wait_for("billing_requests.created")
    bodies = [batch["events"] for batch in gocardless_inbox.batches]
    assert bodies[0] == bodies[1] == bodies[2]

    def told(_: object) -> bool:
        return bool(gocardless.get("/webhooks")["webhooks"][0]["successful"])

    gocardless_inbox.wait(told)
    (webhook,) = gocardless.get("/webhooks")["webhooks"]
    assert webhook["response_code"] == 200


def test_bank_gives_up_after_eight_retries_and_sends_again_when_asked_to(
    start_bank: Start, gocardless_inbox: GoCardlessInbox
) -> None:
    gocardless_inbox.forget()
    gocardless_inbox.refuse = [500] * 9
    quick = start_bank("--retry-start", "0.001")
    client = GoCardless(quick.url)
    client.request()

    def abandoned(_: object) -> bool:
        found = quick.control("GET", "deliveries")["data"]
        return [each["state"] for each in found] == ["abandoned"]

    gocardless_inbox.wait(abandoned)
    (delivery,) = quick.control("GET", "deliveries")["data"]
    assert len(delivery["attempts"]) == 9
    (webhook,) = client.get("/webhooks", successful="false")["webhooks"]
    assert webhook["response_code"] == 500
    assert client.post(f"/webhooks/{webhook['id']}/actions/retry", {}).status_code == 200
    gocardless_inbox.wait_for("billing_requests.created")


def test_forged_batch_does_not_hold_and_a_batch_can_come_twice(
    bank: StandIn, gocardless: GoCardless, gocardless_inbox: GoCardlessInbox
) -> None:
    gocardless.request()
    event = gocardless_inbox.wait_for("billing_requests.created")
    webhook = gocardless_inbox.batches[-1]["meta"]["webhook_id"]
    bank.control("POST", "deliveries", {"act": "resend_batch", "webhook": webhook})
    gocardless_inbox.wait_for("billing_requests.created", times=2)
    assert {e["id"] for e in gocardless_inbox.events} == {event["id"]}
    forged = {"act": "forge", "wire": "gocardless", "event": event["id"]}
    bank.control("POST", "deliveries", forged)
    assert gocardless_inbox.wait_for_problems(1) == ["signature does not hold"]


def test_event_that_never_came_is_still_listed(
    bank: StandIn, gocardless: GoCardless, gocardless_inbox: GoCardlessInbox
) -> None:
    bank.fault(event="gocardless.payments.confirmed", kind="never_send")
    _, payment = paid(bank, gocardless)
    gocardless_inbox.wait_for("payments.submitted")
    listed: Any = gocardless.get("/events", payment=payment, action="confirmed")["events"]
    assert [event["details"]["cause"] for event in listed] == ["payment_confirmed"]
    assert "payments.confirmed" not in gocardless_inbox.types()
    bank.control("POST", "deliveries", {"act": "duplicate", "event": listed[0]["id"]})
    gocardless_inbox.wait_for("payments.confirmed")
