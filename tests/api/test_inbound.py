"""The inbox over the API: found, read redacted, previewed without effect, replayed once, set aside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from core.errors import ProviderUnavailable
from domain.database import reading, transaction
from models.audit import AuditRow
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry
from tests.api.personas import Personas
from tests.api.till import Till, code


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def _one(till: Till, who: Personas, query: str = "") -> dict[str, Any]:
    answer = till.get(f"/api/inbound-events?{query}", who.ed)
    assert answer.json is not None
    (row,) = answer.json["items"]
    found: dict[str, Any] = row
    return found


def _received(till: Till, who: Personas) -> tuple[dict[str, Any], bytes]:
    """Have a payment's success stored and not yet applied."""
    payment = till.payment(who.bo)
    amount = till.rail.intents[payment["providerReference"]]["amount"]
    body = till.event(
        "payment_intent.succeeded", payment, status="succeeded", amount_received=amount
    )
    assert till.deliver(body).status_code == 200
    return payment, body


def _entries() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(JournalEntry)) or 0


def test_an_applied_event_shows_its_attempt_and_what_it_did(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    row = _one(till, who)
    assert (row["state"], row["attempts"], row["duplicates"]) == ("processed", 1, 0)
    assert (row["paymentId"], row["secretVersion"]) == (payment["paymentId"], 1)
    shown = till.get(f"/api/inbound-events/{row['inboundId']}", who.sue).json
    assert shown is not None
    assert [each["outcome"] for each in shown["attemptList"]] == ["processed"]
    kinds = {each["kind"] for each in shown["effects"]}
    assert {"change", "entry", "event"} <= kinds
    texts = " ".join(each["text"] for each in shown["effects"])
    assert "payment pending → completed" in texts
    assert "payment.succeeded" in texts


def test_the_payload_is_shown_without_secrets_and_persons(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    body = till.event(
        "payment_intent.processing",
        payment,
        status="processing",
        receipt_email="ottilie@example.org",
        shipping={"name": "Ottilie", "address": {"line1": "Hidden Lane 1"}},
        description="card 4242424242424242",
    )
    secret = till.rail.intents[payment["providerReference"]]["client_secret"]
    assert str(secret).encode() in body
    till.deliver(body, User_Agent="Stripe/1.0", Authorization="Bearer sk_live_abcdefgh12345678")
    text = till.get(f"/api/inbound-events/{_one(till, who)['inboundId']}", who.ed).text
    for hidden in ("ottilie", "Ottilie", "Hidden Lane", "4242424242424242", str(secret), "sk_live"):
        assert hidden not in text, hidden
    assert payment["providerReference"] in text
    assert "Stripe/1.0" in text


def test_events_are_found_by_every_name_and_filter(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    body = till.settle(payment)
    event_id = json.loads(body)["id"]
    till.deliver(b"not json at all")
    wanted = _one(till, who, "state=processed")["inboundId"]
    for query in (
        f"q={wanted}",
        f"q={event_id}",
        f"q={payment['providerReference']}",
        f"q={payment['paymentId']}",
        f"q={payment['orderId']}",
        f"paymentId={payment['paymentId']}",
        "type=payment_intent.succeeded",
        "state=processed,ignored&provider=stripe",
    ):
        assert _one(till, who, query)["inboundId"] == wanted, query
    assert _one(till, who, "state=quarantined")["type"] == "unreadable"
    for query in ("q=nothing", "provider=other", "to=2020-01-01T00:00:00Z", "state=processing"):
        answer = till.get(f"/api/inbound-events?{query}", who.ed).json
        assert answer == {"items": [], "nextCursor": None}, query
    assert till.get("/api/inbound-events?state=nonsense", who.ed).status_code == 400


def test_lists_of_events_are_paged_without_gap(till: Till, who: Personas) -> None:
    for number in range(5):
        till.deliver(f"broken {number}".encode())
    seen: list[str] = []
    path = "/api/inbound-events?limit=2"
    while True:
        answer = till.get(path, who.ed).json
        assert answer is not None
        seen += [row["sha256"] for row in answer["items"]]
        if answer["nextCursor"] is None:
            break
        path = f"/api/inbound-events?limit=2&cursor={answer['nextCursor']}"
    assert len(seen) == len(set(seen)) == 5


def test_a_preview_says_what_would_happen_and_changes_nothing(till: Till, who: Personas) -> None:
    payment, _ = _received(till, who)
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}/preview"
    shown = till.post(path, who.sue, key="").json
    assert shown is not None
    assert shown["verdict"] == "would_apply"
    assert {"object": payment["paymentId"], "field": "status", "before": "pending", "after": "completed"} in shown["diff"]  # fmt: skip
    assert [line["amount"] for line in shown["postings"]] == [
        {"amount": "25.00", "currency": "EUR"},
        {"amount": "25.00", "currency": "EUR"},
    ]
    assert "payment.succeeded" in shown["events"]
    assert _entries() == 0
    assert _one(till, who)["state"] == "received"
    assert till.get(f"/api/payments/{payment['paymentId']}", who.bo).json["status"] == "pending"  # type: ignore[index]


def test_a_replay_applies_what_the_preview_showed_once(till: Till, who: Personas) -> None:
    _received(till, who)
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}"
    seen = till.post(f"{path}/preview", who.ed, key="").json
    assert seen is not None
    body = {"reason": "the worker was down", "previewHash": seen["hash"]}
    first = till.post(f"{path}/replay", who.ed, body, key="replay-0001")
    again = till.post(f"{path}/replay", who.ed, body, key="replay-0001")
    assert first.status_code == 200, first.text
    assert first.json is not None
    assert (first.json["attemptNo"], first.json["verdict"]) == (1, "would_apply")
    assert again.data == first.data
    assert _entries() == 1
    stale = till.post(f"{path}/replay", who.ed, body)
    assert (stale.status_code, code(stale)) == (409, "PREVIEW_STALE")


def test_replay_of_a_processed_event_changes_nothing(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    before = till.get(f"/api/payments/{payment['paymentId']}", who.bo).json
    inbound_id = _one(till, who)["inboundId"]
    answer = till.post(f"/api/inbound-events/{inbound_id}/replay", who.ed, {"reason": "again"})
    assert answer.json is not None
    assert (answer.json["attemptNo"], answer.json["diff"]) == (2, [])
    assert answer.json["verdict"] in ("no_op", "superseded")
    assert till.get(f"/api/payments/{payment['paymentId']}", who.bo).json == before
    assert _entries() == 1
    with reading() as session:
        attempt = session.scalars(select(InboundAttempt).where(InboundAttempt.no == 2)).one()
    assert (attempt.is_replay, attempt.reason, attempt.actor) == (True, "again", who.ed.id)
    shown = till.get(f"/api/inbound-events/{inbound_id}", who.ed).json
    assert shown is not None
    assert shown["state"] == "processed"


def test_what_cannot_be_applied_is_unsafe_to_replay(till: Till, who: Personas) -> None:
    till.deliver(b"[1,2]")
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}"
    shown = till.post(f"{path}/preview", who.ed, key="").json
    assert shown is not None
    assert shown["verdict"] == "unsafe"
    refused = till.post(f"{path}/replay", who.ed, {"reason": "try"}, key="unsafe-replay-1")
    assert (refused.status_code, code(refused)) == (409, "UNSAFE_REPLAY")
    repeated = till.post(f"{path}/replay", who.ed, {"reason": "try"}, key="unsafe-replay-1")
    assert repeated.headers["Idempotent-Replayed"] == "true"


def test_a_purged_body_is_gone(till: Till, who: Personas) -> None:
    _received(till, who)
    inbound_id = _one(till, who)["inboundId"]
    with transaction() as session:
        session.get_one(InboundEvent, inbound_id).body_sealed = None
    for path, body in (("preview", None), ("replay", {"reason": "try"})):
        answer = till.post(f"/api/inbound-events/{inbound_id}/{path}", who.ed, body)
        assert (answer.status_code, code(answer)) == (410, "GONE")
    shown = till.get(f"/api/inbound-events/{inbound_id}", who.ed).json
    assert shown is not None
    assert shown["payload"] is None


def test_a_replay_asks_for_a_reason_and_a_key(till: Till, who: Personas) -> None:
    _received(till, who)
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}/replay"
    assert code(till.post(path, who.ed, {"reason": "x"}, key="")) == "IDEMPOTENCY_KEY_REQUIRED"
    assert till.post(path, who.ed, {}).status_code == 400
    assert till.post(path, who.ann, {"reason": "x"}).status_code == 403
    missing = till.post("/api/inbound-events/inb_none/replay", who.ed, {"reason": "x"})
    assert missing.status_code == 404


def test_a_failed_event_is_set_aside_with_a_reason(till: Till, who: Personas) -> None:
    till.deliver(b"broken")
    inbound_id = _one(till, who)["inboundId"]
    path = f"/api/inbound-events/{inbound_id}/ignore"
    assert till.post(path, who.sue, {"reason": "noise"}).status_code == 403
    for _ in range(2):
        answer = till.post(path, who.fin, {"reason": "noise"}, key="")
        assert answer.json is not None
        assert (answer.status_code, answer.json["state"]) == (200, "ignored")
    with reading() as session:
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "inbound.ignore")).all()
    assert [(row.actor, row.reason) for row in audited] == [(who.fin.id, "noise")]


def test_a_processed_event_is_not_set_aside(till: Till, who: Personas) -> None:
    till.settle(till.payment(who.bo))
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}/ignore"
    refused = till.post(path, who.fin, {"reason": "no"})
    assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")


def test_the_inbox_is_for_staff_only(till: Till, who: Personas) -> None:
    till.deliver(b"broken")
    inbound_id = _one(till, who)["inboundId"]
    for persona in (who.bo, who.sal, who.mel, who.mels_key):
        assert till.get("/api/inbound-events", persona).status_code == 403
        assert till.get(f"/api/inbound-events/{inbound_id}", persona).status_code == 403
        assert till.post(f"/api/inbound-events/{inbound_id}/preview", persona).status_code == 403
    for persona in (who.sue, who.fin, who.ada, who.ed, who.ann):
        assert till.get(f"/api/inbound-events/{inbound_id}", persona).status_code == 200


def test_a_provider_that_is_away_makes_a_hint_unsafe_not_an_error(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    # A cancel without an amount is only a hint; the object is fetched before anything moves.
    till.rail.script.append(ProviderUnavailable())
    body = till.event("charge.succeeded", payment, status="succeeded")
    till.deliver(body)
    path = f"/api/inbound-events/{_one(till, who)['inboundId']}/preview"
    assert till.post(path, who.ed, key="").status_code == 200
