from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.sandbox.conftest import Start, connect
from tests.sandbox.receiver import NEW, Receiver
from tests.sandbox.standin import PAID, Client, StandIn

VISA: Any = {**PAID, "payment_method": "pm_card_visa"}
PLAIN: Any = {"amount": 100, "currency": "eur"}


def test_every_live_secret_signs(client: Client, receiver: Receiver) -> None:
    client.v1.payment_intents.create(PLAIN)
    receiver.wait_for("payment_intent.created")
    assert receiver.headers[0].count("v1=") == 2


def test_refused_delivery_comes_again_newly_signed_until_accepted(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    receiver.refuse = [500, 302]
    client.v1.payment_intents.create(PLAIN)
    event = receiver.wait_for("payment_intent.created")
    assert len(receiver.headers) == 3

    def settled(_: Receiver) -> bool:
        return [d["state"] for d in standin.control("GET", "deliveries")["data"]] == ["delivered"]

    receiver.wait(settled)
    (delivery,) = standin.control("GET", "deliveries")["data"]
    assert delivery["event"] == event["id"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 200]
    assert client.v1.events.retrieve(event["id"]).pending_webhooks == 0


def test_second_endpoint_gets_only_what_it_asked_for(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    with Receiver() as other:
        other.secrets = (NEW,)
        added = standin.control(
            "POST",
            "webhook_endpoints",
            {"url": other.url, "secrets": [NEW], "enabled_events": ["charge.succeeded"]},
        )
        assert len(client.v1.webhook_endpoints.list().data) == 2
        client.v1.payment_intents.create(VISA)
        other.wait_for("charge.succeeded")
        receiver.wait_for("charge.updated")
        assert other.types() == ["charge.succeeded"]
        standin.control("DELETE", "webhook_endpoints", {"id": added["id"]})
    assert len(client.v1.webhook_endpoints.list().data) == 1


def test_state_and_undelivered_events_survive_sigkill(start: Start, tmp_path: Path) -> None:
    state = str(tmp_path / "stripe.db")
    with Receiver() as receiver:
        hook: tuple[str, ...] = (
            "--state",
            state,
            "--webhook-url",
            receiver.url,
            "--retry-start",
            "0.1",
        )
        hook += tuple(x for secret in receiver.secrets for x in ("--webhook-secret", secret))
        receiver.refuse = [500] * 20
        first = start(*hook, "--retry-start", "60")
        paid = connect(first.url).v1.payment_intents.create(VISA, {"idempotency_key": "k"})
        receiver.wait(lambda got: len(got.headers) >= 3)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        receiver.refuse = []
        second = start(*hook)
        client = connect(second.url)
        assert client.v1.payment_intents.retrieve(paid.id).status == "succeeded"
        assert client.v1.payment_intents.create(VISA, {"idempotency_key": "k"}).id == paid.id
        missed = client.v1.events.list({"delivery_success": False}).data
        for event in missed:
            second.control("POST", "resend", {"event": event.id})
        receiver.wait_for("payment_intent.succeeded")
