from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.sandbox.bank.conftest import Start, connect
from tests.sandbox.bank.wires import GoCardless, GoCardlessInbox, TrueLayerInbox


def test_truth_keys_and_undelivered_events_survive_sigkill(
    start_bank: Start,
    key: Any,
    tmp_path: Path,
    truelayer_inbox: TrueLayerInbox,
    gocardless_inbox: GoCardlessInbox,
) -> None:
    state = ("--state", str(tmp_path / "bank.db"))
    truelayer_inbox.forget()
    gocardless_inbox.forget()
    first = start_bank(*state, "--batch-seconds", "600", "--settle-seconds", "1")
    truelayer_inbox.jku = f"{first.url}/.well-known/jwks"
    truelayer_inbox.refuse = [500] * 50
    client = connect(first.url, key)
    wanted = client.wanted()
    payment = client.post("/v3/payments", wanted, "k").json()["id"]
    first.control("POST", f"payments/{payment}/authorise", {"bank": "mock-slow-bank"})
    GoCardless(first.url).request(key="g")
    kids = [each["kid"] for each in client.get("/.well-known/jwks")["keys"]]
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()

    second = start_bank(*state)
    truelayer_inbox.forget()
    truelayer_inbox.jku = f"{second.url}/.well-known/jwks"
    client.url = second.url
    # The token of before is still good, the key still leads to the same payment.
    assert client.post("/v3/payments", wanted, "k").json()["id"] == payment
    assert [each["kid"] for each in client.get("/.well-known/jwks")["keys"]] == kids
    truelayer_inbox.wait_for("payment_executed")
    truelayer_inbox.wait_for("payment_settled")
    second.control("POST", "clock", {"advance_seconds": 600})
    gocardless_inbox.wait_for("billing_requests.created")
