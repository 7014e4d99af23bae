"""Payments over the API: listed and exported, read by who may, noted on, asked about, cancelled."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from core import clock
from core.errors import ProviderReference, ProviderRefused, ProviderUnavailable, ProviderUnknown
from domain.database import reading, transaction
from models.audit import AuditRow
from models.events import EventLog
from models.operations import Operation
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till, code


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def _ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["paymentId"] for each in answer.json["items"]]


def _read(till: Till, who: Any, payment: dict[str, Any]) -> dict[str, Any]:
    answer = till.get(f"/api/payments/{payment['paymentId']}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_paid_payment_reads_as_confirmed_and_funded(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    found = _read(till, who.bo, payment)
    assert (found["status"], found["lifecycle"], found["escrowState"]) == (
        "completed",
        "Confirmed",
        "funded",
    )
    assert found["amountReceived"] == found["amount"] == {"amount": "25.00", "currency": "EUR"}
    assert (found["exceptions"], found["error"], found["purpose"]) == ([], None, "deposit")
    assert found["payUrl"].startswith("http://localhost:8000/pay/pp_")
    assert "clientSecret" not in found


def test_only_the_payer_gets_the_secret_and_only_while_it_is_pending(
    till: Till, who: Personas
) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    payment = till.intent(who.bo, order["orderId"])
    assert payment["clientSecret"]
    for persona in (who.bo, who.mels_key):
        assert _read(till, persona, payment)["clientSecret"] == payment["clientSecret"]
        assert _read(till, persona, payment)["publishableKey"] == "pk_test_world"
    for persona in (who.sal, who.fin, who.ada, who.mel):
        assert "clientSecret" not in _read(till, persona, payment)
    listed = till.get("/api/payments", who.bo)
    assert payment["clientSecret"] not in listed.text
    till.settle(payment)
    assert "clientSecret" not in _read(till, who.bo, payment)


def test_a_declined_card_shows_words_and_references_while_the_payment_stays_open(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    failed = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "no"}
    body = till.event("payment_intent.payment_failed", payment, last_payment_error=failed)
    assert till.deliver(body).status_code == 200
    till.work()
    found = _read(till, who.bo, payment)
    assert (found["status"], found["error"]["code"]) == ("pending", "PAYMENT_FAILED")
    assert found["error"]["provider"] == {
        "reference": payment["providerReference"],
        "code": "insufficient_funds",
    }
    assert "funds" in found["error"]["message"]


def test_payments_are_found_by_every_name_and_filter(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo, reference="order-ref-001", subscriptionRef="sub-9")
    other = till.payment(who.bo, total={"amount": "7.77", "currency": "EUR"}, deposit=None)
    till.settle(other)
    for query in (
        f"q={payment['paymentId']}",
        f"q={payment['orderId']}",
        "q=order-ref-001",
        "q=sub-9",
        f"q={payment['providerReference']}",
        f"q={payment['payUrl'].rsplit('/', 1)[1]}",
        "q=25.00",
        "q=25%20EUR",
        "status=pending",
        "lifecycle=Pending,Paid",
        "escrowState=unfunded",
        "subscriptionRef=sub-9",
        f"orderId={payment['orderId']}",
        "rail=card&status=pending,processing",
    ):
        assert _ids(till.get(f"/api/payments?{query}", who.fin)) == [payment["paymentId"]], query
    both = [other["paymentId"], payment["paymentId"]]
    for query in (
        f"q={who.bo.email}",
        "provider=stripe",
        "demo=false",
        "from=2020-01-01T00:00:00Z",
    ):
        assert _ids(till.get(f"/api/payments?{query}", who.fin)) == both, query
    for query in ("q=zzz", "demo=true", "exception=OVERPAID", "status=refunded", "rail=bank"):
        assert _ids(till.get(f"/api/payments?{query}", who.fin)) == [], query
    for query in ("status=x", "lifecycle=x", "escrowState=x", "format=xml", "demo=maybe", "x=1"):
        assert till.get(f"/api/payments?{query}", who.fin).status_code == 400, query


def test_a_payment_is_found_by_its_event_and_its_case(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    body = till.event(
        "payment_intent.succeeded", payment, status="succeeded", amount_received=3_000
    )
    till.deliver(body)
    till.work()
    event_id = body.decode().split('"')[3]
    assert _ids(till.get(f"/api/payments?q={event_id}", who.sue)) == [payment["paymentId"]]
    over = till.get("/api/payments?exception=OVERPAID", who.sue)
    assert _ids(over) == [payment["paymentId"]]
    assert over.json is not None
    assert over.json["items"][0]["exceptions"] == ["OVERPAID"]


def test_lists_are_paged_without_gap_even_within_one_instant(till: Till, who: Personas) -> None:
    made = [till.payment(who.bo)["paymentId"] for _ in range(6)]
    same = clock.now()
    with transaction() as session:
        for payment in session.scalars(select(Payment)):
            payment.created_at = same
    seen: list[str] = []
    path = "/api/payments?limit=4"
    while True:
        answer = till.get(path, who.bo)
        seen += _ids(answer)
        assert answer.json is not None
        if answer.json["nextCursor"] is None:
            break
        path = f"/api/payments?limit=4&cursor={answer.json['nextCursor']}"
    assert sorted(seen) == sorted(made)
    assert len(seen) == len(set(seen)) == 6


def test_an_export_streams_everything_and_no_cell_is_a_formula(till: Till, who: Personas) -> None:
    order = till.order(who.bo)
    till.intent(who.bo, order["orderId"], reference="=cmd|calc")
    for _ in range(3):
        till.payment(who.bo)
    answer = till.get("/api/payments?format=csv&limit=1", who.fin)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 4
    assert [row["reference"] for row in rows][-1] == "'=cmd|calc"
    assert {row["amount"] for row in rows} == {"25.00"}
    as_json = till.get("/api/payments?format=json&limit=1", who.fin).json
    assert as_json is not None
    assert len(as_json["items"]) == 4
    assert as_json["items"][0]["payUrl"].startswith("http")
    assert (
        len(list(csv.DictReader(io.StringIO(till.get("/api/payments?format=csv", who.sal).text))))
        == 0
    )


def test_the_timeline_joins_the_lanes_and_is_redacted_for_parties(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    path = f"/api/payments/{payment['paymentId']}"
    till.post(f"{path}/notes", who.sue, {"note": "called the buyer"})
    for_staff = till.get(f"{path}/timeline", who.sue).json
    for_buyer = till.get(f"{path}/timeline", who.bo).json
    assert for_staff is not None
    assert for_buyer is not None
    assert {each["lane"] for each in for_staff["items"]} == {"provider", "us", "books"}
    assert for_staff["lag"]["usToBooksSeconds"] is not None
    assert for_staff["mappingVersion"] == 1
    times = [each["at"] for each in for_staff["items"]]
    assert times == sorted(times)
    assert "called the buyer" in str(for_staff)
    assert "called the buyer" not in str(for_buyer)
    assert {"webhook", "operation", "note"}.isdisjoint(each["kind"] for each in for_buyer["items"])
    assert all(each["reason"] is None for each in for_buyer["items"])


def test_the_support_block_says_what_to_do_without_personal_data(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/support-block"
    block = till.get(path, who.sue).json
    assert block is not None
    assert block["providerReferences"] == [payment["providerReference"]]
    assert all(block[name] for name in ("whatHappened", "tellCustomer", "nextStep"))
    assert len(block["lastEvents"]) <= 3
    assert who.bo.email not in str(block)
    assert till.get(path, who.bo).status_code == 403
    assert till.get(path, who.mel).status_code == 403


def test_a_note_is_kept_once_and_told_to_staff(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/notes"
    first = till.post(path, who.sue, {"note": "called the buyer"}, key="").json
    again = till.post(path, who.sue, {"note": "called the buyer"}, key="").json
    assert first == again
    assert first is not None
    assert (first["note"], first["actor"]) == ("called the buyer", who.sue.id)
    with reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.type == "payment.noted")).all()
    assert [(row.audience, row.body["noteId"]) for row in told] == [("staff", first["noteId"])]
    for persona in (who.bo, who.mel, who.ann, who.mels_key):
        assert till.post(path, persona, {"note": "x"}).status_code == 403
    assert till.post(path, who.sue, {"note": "4242 4242 4242 4242"}).status_code == 400


def test_asking_the_provider_applies_what_no_webhook_said(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/sync"
    till.rail.intents[payment["providerReference"]].update(
        status="succeeded", amount_received=2_500
    )
    answer = till.post(path, who.sue, key="")
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert (answer.json["status"], answer.json["changed"]) == ("completed", True)
    succeeded = [fact for fact in answer.json["facts"] if fact["kind"] == "succeeded"]
    assert [fact["value"] for fact in succeeded] == [{"amount": "25.00", "currency": "EUR"}]
    assert _read(till, who.bo, payment)["status"] == "completed"
    soon = till.post(path, who.fin, key="")
    assert (soon.status_code, code(soon)) == (429, "RATE_LIMITED")
    assert 0 < int(soon.headers["Retry-After"]) <= 60
    with time_machine.travel(clock.after(61)):
        later = till.post(path, who.fin, key="")
    assert later.json is not None
    assert (later.status_code, later.json["changed"]) == (200, False)


def test_a_provider_that_is_away_leaves_the_payment_as_it_is(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.rail.script.append(ProviderUnavailable())
    path = f"/api/payments/{payment['paymentId']}/sync"
    answer = till.post(path, who.sue, key="sync-key-0001")
    assert (answer.status_code, code(answer)) == (503, "PROVIDER_UNAVAILABLE")
    assert _read(till, who.bo, payment)["status"] == "pending"
    with time_machine.travel(clock.after(61)):
        assert till.post(path, who.sue, key="sync-key-0001").status_code == 200
    assert till.post(path, who.bo).status_code == 403


def test_an_open_payment_is_cancelled_at_the_provider_once(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/cancel"
    first = till.post(path, who.bo, {"reason": "too dear"}, key="cancel-pay-01")
    again = till.post(path, who.bo, {"reason": "too dear"}, key="cancel-pay-01")
    assert first.status_code == 200, first.text
    assert first.json is not None
    assert (first.json["status"], first.json["lifecycle"]) == ("cancelled", "Cancelled")
    assert again.data == first.data
    assert till.rail.asked.count("cancel") == 1
    assert till.post(path, who.bo, {"reason": "too dear"}).status_code == 200
    with reading() as session:
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "payment.cancel")).all()
    assert [(row.actor, row.reason) for row in audited] == [(who.bo.id, "too dear")]


def test_a_paid_payment_is_not_cancelled(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    path = f"/api/payments/{payment['paymentId']}/cancel"
    tries = [till.post(path, who.fin, {"reason": "no"}, key="cancel-paid-1") for _ in range(2)]
    for refused in tries:
        assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")
    assert tries[1].headers["Idempotent-Replayed"] == "true"
    assert "cancel" not in till.rail.asked


def test_a_buyer_cannot_give_up_a_hold(till: Till, who: Personas) -> None:
    order = till.order(who.bo)
    payment = till.intent(who.bo, order["orderId"], captureMethod="manual")
    body = till.event(
        "payment_intent.amount_capturable_updated",
        payment,
        status="requires_capture",
        amount_capturable=2_500,
    )
    till.deliver(body)
    till.work()
    assert _read(till, who.bo, payment)["amountCapturable"]["amount"] == "25.00"
    path = f"/api/payments/{payment['paymentId']}/cancel"
    refused = till.post(path, who.bo, {"reason": "mine"})
    assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")
    assert till.post(path, who.fin, {"reason": "void the hold"}).status_code == 200


def test_a_cancel_that_the_provider_refuses_is_told_with_its_reference(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    provider = ProviderReference("req_1", "payment_intent_unexpected_state")
    till.rail.script.append(ProviderRefused("It has succeeded already.", provider=provider))
    path = f"/api/payments/{payment['paymentId']}/cancel"
    refused = till.post(path, who.bo, {"reason": "no"}, key="refused-cancel")
    assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")
    assert refused.json is not None
    assert refused.json["error"]["provider"] == {
        "reference": "req_1",
        "code": "payment_intent_unexpected_state",
    }
    again = till.post(path, who.bo, {"reason": "no"}, key="refused-cancel")
    assert again.data == refused.data


def test_a_cancel_without_an_answer_is_unknown_until_the_provider_is_asked(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    till.rail.script.append(ProviderUnknown())
    path = f"/api/payments/{payment['paymentId']}/cancel"
    answer = till.post(path, who.bo, {"reason": "no"}, key="unknown-cancel")
    assert answer.json is not None
    assert (answer.status_code, answer.json["status"]) == (202, "unknown")
    operation = till.get(f"/api/operations/{answer.json['operationId']}", who.bo).json
    assert operation is not None
    assert (operation["kind"], operation["state"]) == ("cancel", "unknown")
    assert operation["nextCheckAt"] is not None
    with time_machine.travel(clock.after(3600)):
        till.work()
        from domain.jobs import janitor

        while janitor.finish_operation():
            pass
    assert _read(till, who.bo, payment)["status"] == "cancelled"
    settled = till.get(f"/api/operations/{answer.json['operationId']}", who.bo).json
    assert settled is not None
    assert (settled["state"], settled["result"]["status"]) == ("succeeded", "cancelled")
    assert settled["objectLink"] == f"/api/payments/{payment['paymentId']}"


def test_an_operation_is_read_by_its_parties_only(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    with reading() as session:
        statement = select(Operation.id).where(Operation.payment_id == payment["paymentId"])
        operation_id = session.scalars(statement).one()
    assert till.get(f"/api/operations/{operation_id}", who.bo).status_code == 200
    assert till.get(f"/api/operations/{operation_id}", who.sue).status_code == 200
    for persona in (who.eve, who.sal, who.mels_key):
        assert till.get(f"/api/operations/{operation_id}", persona).status_code == 404


def test_the_rails_are_listed_with_how_they_are(till: Till, who: Personas) -> None:
    answer = till.get("/api/rails", who.bo).json
    assert answer is not None
    card, *banks = answer["items"]
    assert [(each["rail"], each["configured"]) for each in banks] == [("bank", False)] * 2
    assert all("GBP" in each["assets"] and "JPY" not in each["assets"] for each in banks)
    assert (card["rail"], card["provider"], card["configured"]) == ("card", "stripe", True)
    assert (card["health"], card["enabled"]) == ("ok", True)
    assert {"EUR", "JPY", "KWD"} <= set(card["assets"])
    assert "USDT" not in card["assets"]
    till.rail.script.append(ProviderUnknown())
    order = till.order(who.bo)
    till.post("/api/payments/intents", who.bo, {"orderId": order["orderId"]})
    again = till.get("/api/rails", who.bo).json
    assert again is not None
    assert again["items"][0]["health"] == "late"
