"""Paying into a wallet over the API: the answers of source 002, one charge per key, and nobody else's card or wallet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from core.errors import ProviderUnavailable, ProviderUnknown
from core.states import Kyc, Role
from domain import database
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, code, fields, fresh_key
from tests.domain import fake_charges
from tests.domain.wallets import keep_card

CONFIRM = "/v1/stripe/transactions/confirm"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def body(card: str, **more: object) -> dict[str, Any]:
    return {"paymentMethodId": card, "amount": 25.5} | more


def payments() -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Payment)) or 0


def status_of(transaction_id: str) -> tuple[str, int]:
    with database.reading() as session:
        row = session.get_one(Payment, transaction_id)
        return row.status, row.received_minor


def wallet(till: Till, user_id: str, who: Caller, query: str = "") -> dict[str, Any]:
    answer = till.get(f"/api/wallets/{user_id}{query}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_kept_card_pays_into_the_wallet(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id)
    answer = till.post(CONFIRM, who.bo, body(card, currency="EUR"))
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said == {"success": True, "transactionId": said["transactionId"]}
    assert status_of(said["transactionId"]) == ("completed", 2_550)
    [held] = wallet(till, who.bo.id, who.bo)["balances"]
    assert held == {
        "balance": {"amount": "25.50", "currency": "EUR"},
        "pending": {"amount": "0.00", "currency": "EUR"},
        "paid": {"amount": "0.00", "currency": "EUR"},
    }


def test_the_payers_bank_may_ask_first(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id, fake_charges.ASKED)
    first = till.post(CONFIRM, who.bo, body(card, idempotencyKey="asked-by-bank"), key="")
    assert first.status_code == 202, first.text
    said = first.get_json()
    assert said == {
        "success": False,
        "transactionId": said["transactionId"],
        "requires3DS": True,
        "requiresAction": True,
        "clientSecret": f"{said['paymentIntentId']}_secret_x",
        "paymentIntentId": said["paymentIntentId"],
    }
    again = till.post(CONFIRM, who.bo, body(card, idempotencyKey="asked-by-bank"), key="")
    assert (again.status_code, again.get_json()) == (202, said)
    [held] = wallet(till, who.bo.id, who.bo)["balances"]
    assert (held["balance"]["amount"], held["pending"]["amount"]) == ("0.00", "25.50")
    till.settle({"providerReference": said["paymentIntentId"]})
    done = till.post(CONFIRM, who.bo, body(card, idempotencyKey="asked-by-bank"), key="")
    assert (done.status_code, done.get_json()["success"]) == (200, True)
    assert len(till.rail.intents) == 1


def test_a_decline_is_told_with_its_transaction_each_time(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id, fake_charges.DECLINED)
    for _ in range(2):
        answer = till.post(CONFIRM, who.bo, body(card, idempotencyKey="declined-card"), key="")
        assert answer.status_code == 402, answer.text
        said = answer.get_json()
        assert (said["success"], said["error"]["code"]) == (False, "PAYMENT_FAILED")
        assert said["message"] == said["error"]["message"]
        details = said["error"]["details"]
        assert (details["stripeCode"], details["adviceCode"]) == ("insufficient_funds", None)
        assert status_of(details["transactionId"]) == ("failed", 0)
    assert len(till.rail.intents) == 1
    assert wallet(till, who.bo.id, who.bo)["balances"] == []


def test_nobody_knows_yet(till: Till, who: Personas) -> None:
    lost: Any = ProviderUnknown()
    lost.after_effect = True
    till.rail.script = [lost]
    answer = till.post(CONFIRM, who.bo, body(keep_card(who.bo.id)))
    assert answer.status_code == 202, answer.text
    said = answer.get_json()
    assert set(said) == {"success", "transactionId", "operationId", "status"}
    assert (said["success"], said["status"]) == (False, "unknown")
    till.rail.script = [ProviderUnavailable()]
    gone = till.post(CONFIRM, who.bo, body(keep_card(who.bo.id)))
    assert (gone.status_code, code(gone)) == (503, "PROVIDER_UNAVAILABLE")
    assert gone.get_json()["success"] is False


def test_a_header_names_the_transaction_like_the_body(till: Till, who: Personas) -> None:
    card, key = keep_card(who.bo.id), fresh_key()
    first = till.post(CONFIRM, who.bo, body(card), key=key)
    replay = till.post(CONFIRM, who.bo, body(card), key=key)
    assert replay.headers["Idempotent-Replayed"] == "true"
    by_body = till.post(CONFIRM, who.bo, body(card, idempotencyKey=key), key="")
    assert by_body.get_json() == replay.get_json() == first.get_json()
    assert payments() == 1
    other = till.post(CONFIRM, who.bo, body(card, idempotencyKey=key, amount=30), key="")
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_hundred_at_once_with_one_key_charge_once(till: Till, who: Personas) -> None:
    card, bo = keep_card(who.bo.id), who.bo
    wanted = body(card, idempotencyKey="a-hundred-at-once")

    def confirm(_: int) -> tuple[int, str]:
        answer = till.post(CONFIRM, bo, wanted, key="")
        said = answer.get_json()
        return answer.status_code, said.get("transactionId") or said["error"]["code"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(confirm, range(100)))
    paid = {text for status, text in answers if status == 200}
    assert len(paid) == 1
    assert {each for each in answers if each[0] != 200} <= {(409, "LOST_RACE")}
    assert len(till.rail.intents) == payments() == 1
    [held] = wallet(till, bo.id, bo)["balances"]
    assert held["balance"] == {"amount": "25.50", "currency": "USD"}


WRONG: list[tuple[dict[str, object], str]] = [
    ({"amount": 0}, "amount"),
    ({"amount": -5}, "amount"),
    ({"amount": "1e3"}, "amount"),
    ({"amount": 25.555}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": None}, "amount"),
    ({"amount": 10**30}, "amount"),
    ({"currency": "ZZZ"}, "currency"),
    ({"currency": "USDT"}, "currency"),
    ({"paymentMethodId": "card_1"}, "paymentMethodId"),
    ({"paymentMethodId": "pm_x\n"}, "paymentMethodId"),
    ({"idempotencyKey": "short"}, "idempotencyKey"),
    ({"purpose": "coupon"}, "purpose"),
]


def test_what_is_no_top_up_is_refused_by_field(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id)
    for wrong, field in WRONG:
        answer = till.post(CONFIRM, who.bo, body(card) | wrong)
        assert (answer.status_code, fields(answer)) == (400, [field]), answer.text
    assert payments() == 0


def test_nobody_pays_with_anothers_card_or_for_another(till: Till, who: Personas) -> None:
    bos = keep_card(who.bo.id)
    mallory = personas.user("mallory@people.test", role=Role.BUYER)
    nil = personas.user("nil@people.test", role=Role.BUYER, kyc=Kyc.NONE)
    reader = personas.key(who.merchant("Mel's"), scopes=("payments:read",), name="reader")
    refused: list[tuple[Caller, object, int, str]] = [
        (mallory, body(bos), 404, "NOT_FOUND"),
        (mallory, body(bos, userId=who.bo.id), 404, "NOT_FOUND"),
        (who.bo, body("pm_nobodys"), 404, "NOT_FOUND"),
        (nil, body(keep_card(nil.id)), 403, "KYC_REQUIRED"),
        (who.sal, body(bos), 403, "FORBIDDEN"),
        (who.sue, body(bos, userId=who.bo.id), 403, "FORBIDDEN"),
        # A merchant that this card never had to do with; then nobody named at all.
        (who.mels_key, body(bos, userId=who.bo.id), 404, "NOT_FOUND"),
        (who.mels_key, body(bos, userId="usr_none"), 404, "NOT_FOUND"),
        (who.mels_key, body(bos), 400, "VALIDATION_FAILED"),
        (reader, body(bos), 403, "SCOPE_MISSING"),
    ]
    for caller, wanted, status, word in refused:
        answer = till.post(CONFIRM, caller, wanted)
        assert (answer.status_code, code(answer)) == (status, word), answer.text
    assert payments() == 0


def test_a_merchant_charges_a_card_of_its_own_transactions(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id)
    made = till.post(CONFIRM, who.bo, body(card, idempotencyKey="bos-own-key")).get_json()
    mels = who.merchant("Mel's")
    with database.transaction() as session:
        session.get_one(Payment, made["transactionId"]).merchant_id = mels
    wanted = body(card, userId=who.bo.id, idempotencyKey="mels-own-key")
    answer = till.post(CONFIRM, who.mels_key, wanted)
    assert answer.status_code == 200, answer.text
    with database.reading() as session:
        row = session.get_one(Payment, answer.get_json()["transactionId"])
        assert (row.merchant_id, row.buyer_id) == (mels, who.bo.id)
    # The same name from Bo himself is not told of Mel's transaction.
    other = till.post(CONFIRM, who.bo, body(card, idempotencyKey="mels-own-key"), key="")
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    stranger = till.post(CONFIRM, who.eve, wanted, key="")
    assert stranger.status_code in (404, 422), stranger.text


def test_a_wallet_is_its_owners(till: Till, who: Personas) -> None:
    till.post(CONFIRM, who.bo, body(keep_card(who.bo.id)))
    mallory = personas.user("mallory@people.test", role=Role.BUYER)
    for stranger in (mallory, who.sal, who.mel, who.mels_key):
        assert till.get(f"/api/wallets/{who.bo.id}", stranger).status_code == 404
    absent = till.get("/api/wallets/usr_none", who.sue)
    assert (absent.status_code, code(absent)) == (404, "NOT_FOUND")
    for reader in (who.sue, who.fin, who.ann, who.bo):
        found = wallet(till, who.bo.id, reader)
        [entry] = found["entries"]
        assert (entry["direction"], entry["kind"]) == ("in", "wallet_credit")
        assert entry["amount"] == entry["balanceAfter"] == {"amount": "25.50", "currency": "USD"}
        assert entry["transactionType"] == "payment"


def test_a_wallets_pages_meet(till: Till, who: Personas) -> None:
    card = keep_card(who.bo.id)
    for amount in (1, 2, 3):
        assert till.post(CONFIRM, who.bo, body(card, amount=amount)).status_code == 200
    first = wallet(till, who.bo.id, who.bo, "?limit=2")
    rest = wallet(till, who.bo.id, who.bo, f"?limit=2&cursor={first['nextCursor']}")
    after = [each["balanceAfter"]["amount"] for each in first["entries"] + rest["entries"]]
    assert (after, rest["nextCursor"]) == (["6.00", "3.00", "1.00"], None)
    assert till.get(f"/api/wallets/{who.bo.id}?cursor=nonsense", who.bo).status_code == 400


def test_a_retired_parameter_is_taken_and_says_so(till: Till, who: Personas) -> None:
    answer = till.post(CONFIRM, who.bo, body(keep_card(who.bo.id), awaitResolved=True))
    assert (answer.status_code, "Deprecation" in answer.headers) == (200, True)
