from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.sandbox.bank.wires import TrueLayer, TrueLayerInbox
from tests.sandbox.standin import StandIn


def agreed(bank: StandIn, client: TrueLayer, bank_id: str = "mock-instant-bank") -> str:
    """Return a payment that the payer has agreed to."""
    payment = str(client.pay()["id"])
    bank.control("POST", f"payments/{payment}/authorise", {"bank": bank_id})
    return payment


def test_executed_and_settled_arrive_signed_and_in_order(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    payment = agreed(bank, truelayer)
    settled = truelayer_inbox.wait_for("payment_settled")
    assert truelayer_inbox.types(payment) == ["payment_executed", "payment_settled"]
    assert settled["payment_id"] == payment
    assert settled["metadata"] == {"order_id": "ORD-1"}
    assert settled["payment_method"]["scheme_id"] == "faster_payments_service"
    assert settled["payment_source"]["account_holder_name"] == "Jane Doe"
    assert settled["event_version"] == 1
    stamp = datetime.fromisoformat(truelayer_inbox.stamps[-1])
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=1)


def test_refused_delivery_comes_again_until_accepted(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    truelayer_inbox.refuse = [500, 302, 401]
    agreed(bank, truelayer)
    truelayer_inbox.wait_for("payment_settled")

    def all_delivered(_: object) -> bool:
        found = bank.control("GET", "deliveries")["data"]
        return {each["state"] for each in found} == {"delivered"}

    truelayer_inbox.wait(all_delivered)
    tried = [
        attempt["status"]
        for each in bank.control("GET", "deliveries")["data"]
        for attempt in each["attempts"]
    ]
    assert sorted(tried) == [200, 200, 302, 401, 500]


def test_new_key_signs_and_the_old_one_stays_known_unless_forgotten(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    agreed(bank, truelayer)
    truelayer_inbox.wait_for("payment_settled")
    first = truelayer_inbox.kids[-1]
    said = bank.control("POST", "deliveries", {"act": "rotate_keys"})
    assert said["known"][0] == said["kid"] != first
    assert first in said["known"]
    agreed(bank, truelayer)
    truelayer_inbox.wait_for("payment_settled", times=2)
    assert truelayer_inbox.kids[-1] == said["kid"]
    gone = bank.control("POST", "deliveries", {"act": "rotate_keys", "forget": True})
    assert said["kid"] not in gone["known"]


def test_forged_deliveries_do_not_hold(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    payment = agreed(bank, truelayer)
    event = truelayer_inbox.wait_for("payment_settled")["event_id"]
    for wrong, why in (
        ({"act": "forge", "event": event, "body": {"payment_id": payment}}, "does not hold"),
        ({"act": "unknown_kid", "times": 3}, "unknown kid"),
        ({"act": "wrong_jku", "jku": "https://example.com/keys"}, "example.com"),
    ):
        truelayer_inbox.forget()
        sent = bank.control("POST", "deliveries", wrong)["sent"]
        found = truelayer_inbox.wait_for_problems(len(sent))
        assert all(why in problem for problem in found), found


def test_stale_delivery_is_truly_signed_over_an_old_time(
    bank: StandIn, truelayer_inbox: TrueLayerInbox
) -> None:
    bank.control("POST", "deliveries", {"act": "stale", "seconds": 7_200})
    truelayer_inbox.wait_for("payment_settled")
    age = datetime.now(UTC) - datetime.fromisoformat(truelayer_inbox.stamps[-1])
    assert age > timedelta(hours=1)


def test_deliveries_are_held_and_released_in_reverse(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    bank.control("POST", "deliveries", {"act": "hold", "wire": "truelayer"})
    payment = agreed(bank, truelayer)
    assert truelayer_inbox.types() == []
    release = {"act": "release", "wire": "truelayer", "reverse": True}
    assert len(bank.control("POST", "deliveries", release)["sent"]) == 2
    truelayer_inbox.wait_for("payment_executed")
    assert truelayer_inbox.types(payment) == ["payment_settled", "payment_executed"]


def test_event_comes_twice_when_asked_to_or_by_a_fault(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    bank.fault(event="truelayer.payment_settled", kind="duplicate")
    agreed(bank, truelayer)
    truelayer_inbox.wait_for("payment_settled", times=2)
    event = truelayer_inbox.events[-1]["event_id"]
    bank.control("POST", "deliveries", {"act": "duplicate", "event": event})
    truelayer_inbox.wait_for("payment_settled", times=3)
    ids = {e["event_id"] for e in truelayer_inbox.events if e["type"] == "payment_settled"}
    assert ids == {event}


def test_event_that_is_never_sent_is_only_in_the_truth(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    bank.fault(event="truelayer.payment_executed", kind="never_send")
    payment = agreed(bank, truelayer)
    truelayer_inbox.wait_for("payment_settled")
    assert truelayer_inbox.types(payment) == ["payment_settled"]
    assert bank.control("GET", "ledger")["payments"][payment]["status"] == "settled"


def test_refunds_and_payouts_are_told(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    payment = agreed(bank, truelayer)
    path = f"/v3/payments/{payment}/refunds"
    refund = truelayer.post(path, {"amount_in_minor": 100, "reference": "back"}).json()["id"]
    told = truelayer_inbox.wait_for("refund_executed")
    assert (told["refund_id"], told["payment_id"]) == (refund, payment)
    bank.control("POST", f"refunds/{refund}/fail")
    assert truelayer_inbox.wait_for("refund_failed")["failure_reason"] == "returned"
    bank.control("POST", "payouts", {"wire": "truelayer"})
    told = truelayer_inbox.wait_for("payout_executed")
    bank.control("POST", f"payouts/{told['payout_id']}/fail")
    assert truelayer_inbox.wait_for("payout_failed")["payout_id"] == told["payout_id"]
