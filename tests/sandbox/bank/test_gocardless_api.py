from __future__ import annotations

from typing import Any

from tests.sandbox.bank.wires import GoCardless
from tests.sandbox.standin import StandIn


def paid(bank: StandIn, client: GoCardless, amount: int = 12_300) -> tuple[str, str]:
    """Return a billing request that was agreed to and its confirmed payment."""
    request = client.request(amount)["id"]
    said = bank.control("POST", f"payments/{request}/authorise", {})
    return request, str(said["payment"])


def error_of(answer: Any) -> Any:
    return answer.json()["error"]


def test_billing_request_is_fulfilled_and_leads_to_its_payment(
    bank: StandIn, gocardless: GoCardless
) -> None:
    asked = gocardless.request()
    assert (asked["status"], asked["payment_request"]["amount"]) == ("pending", 12_300)
    assert "payment_request_payment" not in asked["links"]
    flow = gocardless.flow(asked["id"])
    assert flow["authorisation_url"] == f"{bank.url}/billing/static/flow?id={flow['id']}"
    bank.control("POST", f"payments/{asked['id']}/authorise", {})
    found = gocardless.get(f"/billing_requests/{asked['id']}")["billing_requests"]
    assert found["status"] == "fulfilled"
    payment = gocardless.get(f"/payments/{found['links']['payment_request_payment']}")["payments"]
    assert (payment["status"], payment["amount"]) == ("confirmed", 12_300)
    assert payment["metadata"] == {"order_id": "1"}


def test_wrong_token_version_and_body_are_refused(bank: StandIn, gocardless: GoCardless) -> None:
    assert gocardless.ask("/billing_requests/BRQ0").status_code == 404
    bare = gocardless.post("/billing_requests", {"payment_request": {}})
    assert error_of(bare)["type"] == "invalid_api_usage"
    empty = gocardless.post("/billing_requests", {"billing_requests": {}})
    assert (empty.status_code, error_of(empty)["type"]) == (422, "validation_failed")
    assert error_of(empty)["errors"][0]["field"] == "payment_request"
    stranger = GoCardless(bank.url, gocardless.headers | {"Authorization": "Bearer other"})
    refused = stranger.ask("/payments")
    assert refused.status_code == 401
    assert error_of(refused)["errors"][0]["reason"] == "access_token_not_found"
    old = GoCardless(bank.url, gocardless.headers | {"GoCardless-Version": "2014-01-01"})
    assert old.ask("/payments").status_code == 400


def test_used_key_names_what_it_has_made(bank: StandIn, gocardless: GoCardless) -> None:
    first = gocardless.request(key="same")["id"]
    again = gocardless.post(
        "/billing_requests",
        {"billing_requests": {"payment_request": {"description": "x", "amount": 1,
                                                  "currency": "GBP"}}},
        "same",
    )  # fmt: skip
    assert again.status_code == 409
    (error,) = error_of(again)["errors"]
    assert error["reason"] == "idempotent_creation_conflict"
    assert error["links"] == {"conflicting_resource_id": first}
    _, payment = paid(bank, gocardless)
    # A key belongs to the resource it made; the same one makes a refund.
    assert gocardless.refund(payment, 100, 100, "same").status_code == 201


def test_lists_are_paged_newest_first(bank: StandIn, gocardless: GoCardless) -> None:
    made = [paid(bank, gocardless, amount) for amount in (100, 200, 300)]
    for path, name, which in (("/billing_requests", "billing_requests", 0),
                              ("/payments", "payments", 1)):  # fmt: skip
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = gocardless.get(path, limit=2, **after)
            seen += [each["id"] for each in page[name]]
            if page["meta"]["cursors"]["after"] is None:
                break
            after = {"after": page["meta"]["cursors"]["after"]}
        assert seen == [ids[which] for ids in made][::-1]
    gocardless.request()
    assert len(gocardless.get("/payments")["payments"]) == 3
    none = {"created_at[lt]": "2020-01-01T00:00:00.000Z"}
    assert gocardless.get("/billing_requests", **none)["billing_requests"] == []


def test_cancelled_request_cannot_be_fulfilled(bank: StandIn, gocardless: GoCardless) -> None:
    request = gocardless.request()["id"]
    done = gocardless.post(f"/billing_requests/{request}/actions/cancel", {"data": {}})
    assert done.json()["billing_requests"]["status"] == "cancelled"
    again = gocardless.post(f"/billing_requests/{request}/actions/cancel", {"data": {}})
    assert (again.status_code, error_of(again)["type"]) == (422, "invalid_state")


def test_refund_needs_the_total_and_stays_within_the_payment(
    bank: StandIn, gocardless: GoCardless
) -> None:
    _, payment = paid(bank, gocardless, 1_000)
    wrong = gocardless.refund(payment, 400, 500)
    assert error_of(wrong)["errors"][0]["reason"] == "total_amount_confirmation_invalid"
    assert gocardless.refund(payment, 400, 400).status_code == 201
    over = gocardless.refund(payment, 601, 1_001)
    assert error_of(over)["type"] == "validation_failed"
    rest = gocardless.refund(payment, 600, 1_000).json()["refunds"]
    while gocardless.get(f"/refunds/{rest['id']}")["refunds"]["status"] != "paid":
        pass
    mine = gocardless.get("/refunds", payment=payment)["refunds"]
    assert [each["amount"] for each in mine] == [600, 400]
    assert gocardless.get(f"/payments/{payment}")["payments"]["amount_refunded"] == 1_000


def test_payout_items_add_up_and_the_money_reaches_our_bank(
    bank: StandIn, gocardless: GoCardless
) -> None:
    (_, first), (_, second) = paid(bank, gocardless, 5_000), paid(bank, gocardless, 7_000)
    refund = gocardless.refund(first, 500, 500).json()["refunds"]["id"]
    bank.control("POST", f"refunds/{refund}/execute")
    bank.control("POST", f"payments/{second}/chargeback", {})
    bank.control("POST", f"payments/{second}/chargeback_cancelled", {})
    bank.control("POST", "payouts", {"wire": "gocardless"})
    (payout,) = gocardless.get("/payouts")["payouts"]
    items = gocardless.get("/payout_items", payout=payout["id"])["payout_items"]
    assert [each["type"] for each in items] == [
        *("payment_paid_out", "gocardless_fee", "payment_paid_out", "gocardless_fee"),
        *("payment_refunded", "payment_charged_back", "payment_paid_out"),
    ]
    assert sum(int(each["amount"].split(".")[0]) for each in items) == payout["amount"]
    assert (payout["amount"], payout["deducted_fees"]) == (5_000 + 7_000 - 500 - 40, 40)
    statement = bank.control("GET", "ledger")["accounts"]
    assert statement["bank:GBP"] == 1_000_000 + payout["amount"]
    for payment in (first, second):
        found = gocardless.get(f"/payments/{payment}")["payments"]
        assert found["status"] == "paid_out"
        assert found["links"]["payout"] == payout["id"]
