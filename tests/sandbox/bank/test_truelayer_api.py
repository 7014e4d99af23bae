from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox.bank.wires import TrueLayer, signed
from tests.sandbox.standin import StandIn

ALWAYS = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}


def act(standin: StandIn, payment: str, name: str, **more: Any) -> Any:
    return standin.control("POST", f"payments/{payment}/{name}", more)


def ended(client: TrueLayer, path: str) -> Any:
    """Read until it is no longer pending."""
    found = client.get(path)
    while found["status"] == "pending":
        found = client.get(path)
    return found


def test_token_is_granted_to_the_right_client_for_payments_only(truelayer: TrueLayer) -> None:
    granted = truelayer.grant().json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    assert truelayer.grant(client_secret="other").json() == {"error": "invalid_client"}
    assert truelayer.grant(scope="info").json() == {"error": "invalid_scope"}
    assert truelayer.grant(grant_type="password").status_code == 400


def test_payment_is_created_and_read(truelayer: TrueLayer) -> None:
    made = truelayer.pay(4_321)
    assert made["status"] == "authorization_required"
    found = truelayer.get(f"/v3/payments/{made['id']}")
    assert found["amount_in_minor"] == 4_321
    assert found["metadata"] == {"order_id": "ORD-1"}
    assert found["user"] == made["user"]
    assert found["payment_method"]["beneficiary"]["type"] == "merchant_account"


def test_resource_token_reads_its_own_payment_and_nothing_else(truelayer: TrueLayer) -> None:
    mine, other = truelayer.pay(), truelayer.pay()
    payer = TrueLayer(truelayer.url, truelayer.key, mine["resource_token"])
    assert payer.ask("GET", f"/v3/payments/{mine['id']}").status_code == 200
    assert payer.ask("GET", f"/v3/payments/{other['id']}").status_code == 401
    assert payer.ask("GET", "/v3/merchant-accounts").status_code == 401


def test_unknown_payment_and_missing_token_are_refused_in_truelayers_words(
    truelayer: TrueLayer,
) -> None:
    lost = truelayer.ask("GET", "/v3/payments/none")
    assert lost.status_code == 404
    assert lost.json()["title"] == "Not Found"
    assert set(lost.json()) == {"type", "title", "status", "detail", "trace_id"}
    truelayer.bearer = "nobody"
    assert truelayer.ask("GET", "/v3/payments/none").status_code == 401


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount_in_minor": 0}, "amount_in_minor"),
        ({"amount_in_minor": 1.5}, "amount_in_minor"),
        ({"currency": "USD"}, "currency"),
        ({"payment_method": {"type": "mandate"}}, "payment_method.type"),
        ({"metadata": {str(n): "x" for n in range(11)}}, "metadata"),
        ({"metadata": {"k": "x" * 501}}, "metadata"),
    ],
)
def test_what_does_not_pass_is_named(
    truelayer: TrueLayer, changed: dict[str, Any], field: str
) -> None:
    refused = truelayer.post("/v3/payments", truelayer.wanted() | changed)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]


def test_post_needs_a_signature_that_covers_it_all(
    truelayer: TrueLayer, key: ec.EllipticCurvePrivateKey
) -> None:
    wanted = truelayer.wanted()
    path, good = "/v3/payments", {"Idempotency-Key": "k"}

    def posted(signature: str) -> Any:
        return truelayer.post(path, wanted, "k", Tl_Signature=signature)

    stranger = ec.generate_private_key(ec.SECP521R1())
    body = json.dumps(wanted)
    for signature in (
        "nonsense",
        signed(key, path, body.replace("10000", "1"), good),
        signed(key, "/v3/payouts", body, good),
        signed(key, path, body, {"Idempotency-Key": "other"}),
        signed(key, path, body, {}),
        signed(stranger, path, body, good),
        signed(key, path, body, good, kid="unknown"),
    ):
        refused = posted(signature)
        assert refused.status_code == 401, signature
        assert refused.json()["title"] == "Unauthenticated"
    assert posted(signed(key, path, body, good)).status_code == 201


def test_key_is_required_replays_and_refuses_another_request(truelayer: TrueLayer) -> None:
    wanted = truelayer.wanted()
    assert truelayer.post("/v3/payments", wanted, Idempotency_Key="").status_code == 400
    first = truelayer.post("/v3/payments", wanted, "same")
    again = truelayer.post("/v3/payments", wanted, "same")
    assert (again.status_code, again.json()) == (201, first.json())
    other = truelayer.post("/v3/payments", wanted | {"amount_in_minor": 5}, "same")
    assert other.status_code == 422
    assert other.json()["title"] == "Idempotency-Key Reuse"


def test_cancelled_payment_has_failed_and_a_settled_one_stays(
    bank: StandIn, truelayer: TrueLayer
) -> None:
    mine = truelayer.pay()["id"]
    assert truelayer.post(f"/v3/payments/{mine}/actions/cancel", {}).status_code == 202
    found = truelayer.get(f"/v3/payments/{mine}")
    assert (found["status"], found["failure_reason"]) == ("failed", "canceled")
    settled = truelayer.pay()["id"]
    act(bank, settled, "authorise")
    assert truelayer.post(f"/v3/payments/{settled}/actions/cancel", {}).status_code == 409


def test_refunds_go_back_until_nothing_is_left(bank: StandIn, truelayer: TrueLayer) -> None:
    payment = truelayer.pay(1_000)["id"]
    path = f"/v3/payments/{payment}/refunds"
    early = truelayer.post(path, {"amount_in_minor": 100, "reference": "back"})
    assert early.status_code == 409
    act(bank, payment, "authorise")
    part = truelayer.post(path, {"amount_in_minor": 400, "reference": "part"})
    assert part.status_code == 202
    over = truelayer.post(path, {"amount_in_minor": 601, "reference": "over"})
    assert over.status_code == 400
    rest = truelayer.post(path, {"reference": "rest", "metadata": {"case": "7"}}).json()["id"]
    done = ended(truelayer, f"{path}/{rest}")
    assert (done["status"], done["amount_in_minor"]) == ("executed", 600)
    assert done["metadata"] == {"case": "7"}
    assert len(truelayer.get(path)["items"]) == 2


def test_refund_fails_when_the_merchant_account_is_empty(
    bank: StandIn, truelayer: TrueLayer
) -> None:
    payment = truelayer.pay(300_000)["id"]
    act(bank, payment, "authorise")
    bank.control("POST", "payouts", {"wire": "truelayer"})
    path = f"/v3/payments/{payment}/refunds"
    made = truelayer.post(path, {"reference": "all"}).json()["id"]
    done = ended(truelayer, f"{path}/{made}")
    assert (done["status"], done["failure_reason"]) == ("failed", "insufficient_funds")
    assert bank.control("GET", "ledger")["payments"][payment]["refunded"] == 0


def test_transactions_of_the_merchant_account_come_in_pages(
    bank: StandIn, truelayer: TrueLayer
) -> None:
    account = truelayer.account()
    payments = [truelayer.pay(amount)["id"] for amount in (100, 200, 300)]
    for payment in payments:
        act(bank, payment, "authorise")
    refund = truelayer.post(f"/v3/payments/{payments[0]}/refunds", {"reference": "back"}).json()
    ended(truelayer, f"/v3/payments/{payments[0]}/refunds/{refund['id']}")
    path = f"/v3/merchant-accounts/{account['id']}/transactions"
    items, cursor = [], ""
    while cursor is not None:
        page = truelayer.get(path, limit="3", cursor=cursor, **ALWAYS)
        items += page["items"]
        cursor = page.get("pagination", {}).get("next_cursor")
    assert [each["type"] for each in items] == ["refund"] + ["merchant_account_payment"] * 3
    assert [each["payment_id"] for each in items] == [payments[0], *payments[::-1]]
    assert truelayer.get(path, type="refund", **ALWAYS)["items"] == items[:1]
    none = {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}
    assert truelayer.get(path, **none)["items"] == []
    assert truelayer.account()["current_balance_in_minor"] == (
        account["current_balance_in_minor"] + 500
    )


def test_payout_to_ourselves_arrives_at_our_bank(bank: StandIn, truelayer: TrueLayer) -> None:
    before = bank.control("GET", "ledger")["accounts"]
    asked = {
        "merchant_account_id": truelayer.account()["id"],
        "amount_in_minor": 2_500,
        "currency": "GBP",
        "beneficiary": {"type": "business_account", "reference": "TOUS"},
    }
    made = truelayer.post("/v3/payouts", asked)
    assert made.status_code == 202
    assert ended(truelayer, f"/v3/payouts/{made.json()['id']}")["status"] == "executed"
    after = bank.control("GET", "ledger")["accounts"]
    assert after["truelayer:GBP"] == before["truelayer:GBP"] - 2_500
    assert after["bank:GBP"] == before["bank:GBP"] + 2_500


def test_payment_to_our_own_account_ends_executed(bank: StandIn, truelayer: TrueLayer) -> None:
    own = next(each for each in bank.control("GET", "accounts")["data"]
               if (each["account"], each["currency"]) == ("bank", "EUR"))  # fmt: skip
    wanted = truelayer.wanted(700, "EUR")
    wanted["payment_method"]["beneficiary"] = {
        "type": "external_account",
        "account_holder_name": own["holder"],
        "reference": "ORD-7",
        "account_identifier": {"type": "iban", "iban": own["iban"]},
    }
    payment = truelayer.post("/v3/payments", wanted).json()["id"]
    act(bank, payment, "authorise")
    assert truelayer.get(f"/v3/payments/{payment}")["status"] == "executed"
    assert bank.control("GET", "ledger")["accounts"]["bank:EUR"] == own["balance"] + 700
