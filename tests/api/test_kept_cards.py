"""Kept cards and the trial over the API: source 002's answers, and nobody else's cards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.errors import ProviderUnavailable, ProviderUnknown
from core.states import Kyc, Role
from domain import database
from domain.jobs import cards as job
from domain.jobs import janitor
from models.cards import PaymentMethod
from models.effects import Trial
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, code, fields
from tests.domain import fake_charges
from tests.domain.wallets import keep_card

CARDS = "/v1/stripe/payment-methods"
TRIAL = "/v1/start-trial"
MANY = 8


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def complete(till: Till, setup_id: str, name: str) -> None:
    """Have the payer put a card in and the provider tell of it."""
    till.rail.complete(setup_id, name)
    till.rail.intents[setup_id] = till.rail.setups[setup_id]
    body = till.event("setup_intent.succeeded", {"providerReference": setup_id})
    assert till.deliver(body).status_code == 200
    till.work()


def let_go(till: Till, who: Caller, name: str) -> int:
    headers = who.headers
    return till.app.test_client().delete(f"{CARDS}/{name}", headers=headers).status_code


def cards(till: Till, who: Caller, query: str = "") -> list[dict[str, object]]:
    answer = till.get(f"{CARDS}{query}", who)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.get_json()["paymentMethods"]
    return found


def state_of(name: str) -> str:
    with database.reading() as session:
        return session.get_one(PaymentMethod, name).state


def test_a_card_is_set_up_listed_chosen_and_removed(till: Till, who: Personas) -> None:
    assert cards(till, who.bo) == []
    answer = till.post(f"{CARDS}/setup", who.bo, {}, key="")
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said == {
        "transactionId": said["transactionId"],
        "clientSecret": f"{said['setupIntentId']}_secret_x",
        "setupIntentId": said["setupIntentId"],
        "publishableKey": "pk_test_world",
    }
    assert till.post(f"{CARDS}/setup", who.bo, {}, key="").get_json() == said
    complete(till, said["setupIntentId"], "pm_first")
    while job.tend_next():
        pass
    [card] = cards(till, who.bo)
    assert card == {
        "paymentMethodId": "pm_first",
        "brand": "visa",
        "last4": "4242",
        "expMonth": 12,
        "expYear": 2034,
        "isDefault": True,
        "validated": True,
        "validatedAt": card["validatedAt"],
    }
    transaction = till.get(f"/v1/stripe/transactions/{said['transactionId']}", who.bo).get_json()
    assert (transaction["type"], transaction["status"], transaction["paymentMethodId"]) == (
        "payment_method_validation",
        "succeeded",
        "pm_first",
    )
    second = till.post(f"{CARDS}/setup", who.bo, {}, key="").get_json()
    complete(till, second["setupIntentId"], "pm_second")
    chosen = till.post(f"{CARDS}/default", who.bo, {"paymentMethodId": "pm_second"})
    assert (chosen.status_code, chosen.get_json()) == (
        200,
        {"success": True, "paymentMethodId": "pm_second"},
    )
    assert [each["isDefault"] for each in cards(till, who.bo)] == [True, False]
    assert let_go(till, who.bo, "pm_first") == 200
    assert state_of("pm_first") == "removed"
    assert till.rail.cards["pm_first"].customer is None
    assert [each["paymentMethodId"] for each in cards(till, who.bo)] == ["pm_second"]
    assert let_go(till, who.bo, "pm_first") == 404


def test_nobody_reads_or_changes_the_cards_of_another(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id)
    bob = personas.user("bob@people.test")
    for caller in (bob, who.mels_key, personas.key(who.merchant("Eve's"))):
        whose = f"?userId={who.bo.id}"
        assert let_go(till, caller, name) == 404
        chosen = {"paymentMethodId": name} | ({} if caller is bob else {"userId": who.bo.id})
        assert till.post(f"{CARDS}/default", caller, chosen).status_code == 404
        if caller is bob:
            assert till.get(f"{CARDS}{whose}", caller).status_code == 404
            answer = till.post(f"{CARDS}/setup", caller, {"userId": who.bo.id})
            assert answer.status_code == 404
        else:
            assert cards(till, caller, whose) == []
    assert state_of(name) == "active"
    assert [each["paymentMethodId"] for each in cards(till, who.sue, f"?userId={who.bo.id}")] == [
        name
    ]
    assert till.get(CARDS, who.sue).status_code == 400
    assert let_go(till, who.sue, name) == 403


def test_a_merchant_knows_the_cards_that_it_set_up(till: Till, who: Personas) -> None:
    mels, eves = who.mels_key, personas.key(who.merchant("Eve's"))
    assert fields(till.post(f"{CARDS}/setup", mels, {})) == ["userId"]
    said = till.post(f"{CARDS}/setup", mels, {"userId": who.bo.id}).get_json()
    own = till.post(f"{CARDS}/setup", who.bo, {}).get_json()
    assert own["setupIntentId"] != said["setupIntentId"], "a form belongs to whoever asked for it"
    complete(till, said["setupIntentId"], "pm_mels")
    whose = f"?userId={who.bo.id}"
    assert [each["paymentMethodId"] for each in cards(till, mels, whose)] == ["pm_mels"]
    assert cards(till, eves, whose) == []
    assert let_go(till, eves, "pm_mels") == 404
    assert let_go(till, mels, "pm_mels") == 200


def test_a_removed_card_is_used_no_more_although_its_provider_is_away(
    till: Till, who: Personas
) -> None:
    name = keep_card(who.bo.id)
    till.rail.script = [ProviderUnavailable("away")]
    assert let_go(till, who.bo, name) == 200
    assert state_of(name) == "removing"
    assert cards(till, who.bo) == []
    assert till.post(TRIAL, who.bo, {"paymentMethodId": name}).status_code == 404
    assert let_go(till, who.bo, name) == 200
    assert state_of(name) == "removed"


def test_a_card_in_use_stays(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id, fake_charges.ASKED)
    assert till.post(TRIAL, who.bo, {"paymentMethodId": name}).status_code == 202
    answer = till.app.test_client().delete(f"{CARDS}/{name}", headers=who.bo.headers)
    assert (answer.status_code, code(answer)) == (409, "METHOD_IN_USE")


def test_a_trial_is_granted_with_a_proved_card(till: Till, who: Personas) -> None:
    name, other = keep_card(who.bo.id), keep_card(who.bo.id)
    assert fields(till.post(TRIAL, who.bo, {})) == ["paymentMethodId"]
    till.post(f"{CARDS}/default", who.bo, {"paymentMethodId": name})
    answer = till.post(TRIAL, who.bo, {}, key="")
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said == {
        "transactionId": said["transactionId"],
        "wallet": {
            "userId": who.bo.id,
            "balance": 0,
            "currency": "USD",
            "trial": {
                "state": "granted",
                "limit": 100,
                "grantedAt": said["wallet"]["trial"]["grantedAt"],
            },
        },
    }
    again = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="")
    assert (again.status_code, again.get_json()) == (200, said)
    refused = till.post(TRIAL, who.bo, {"paymentMethodId": other}, key="")
    assert (refused.status_code, code(refused)) == (409, "TRIAL_ALREADY_GRANTED")
    while janitor.finish_operation():
        pass
    transaction = till.get(f"/v1/stripe/transactions/{said['transactionId']}", who.bo).get_json()
    assert (transaction["status"], transaction["effect"]["status"]) == ("succeeded", "applied")
    assert {one["status"] for one in till.rail.intents.values()} == {"canceled"}


def test_the_cards_owner_may_be_asked_by_their_bank_first(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id, fake_charges.ASKED)
    first = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="")
    assert first.status_code == 202, first.text
    said = first.get_json()
    assert said == {
        "transactionId": said["transactionId"],
        "requires3DS": True,
        "clientSecret": f"{said['paymentIntentId']}_secret_x",
        "paymentIntentId": said["paymentIntentId"],
    }
    again = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="")
    assert (again.status_code, again.get_json()) == (202, said)
    reference = said["paymentIntentId"]
    held = {"status": "requires_capture", "amount_capturable": 100, "latest_charge": "ch_1"}
    kind = "payment_intent.amount_capturable_updated"
    till.deliver(till.event(kind, {"providerReference": reference}, **held))
    till.work()
    done = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="")
    assert (done.status_code, done.get_json()["wallet"]["trial"]["state"]) == (200, "granted")


def test_a_refused_card_is_told_with_its_transaction(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id, fake_charges.DECLINED)
    answer = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="trial-declined")
    said = answer.get_json()
    assert (answer.status_code, code(answer)) == (402, "PAYMENT_FAILED")
    assert said["error"]["details"]["stripeCode"] == "insufficient_funds"
    assert said["error"]["details"]["transactionId"].startswith("pay_")
    again = till.post(TRIAL, who.bo, {"paymentMethodId": name}, key="trial-declined")
    assert (again.status_code, again.get_json()) == (402, said)
    assert till.rail.asked.count("create_intent") == 1


def test_what_nobody_knows_is_told_as_such(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id)
    till.rail.script = [ProviderUnknown("lost")]
    answer = till.post(TRIAL, who.bo, {"paymentMethodId": name})
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "unknown"
    till.rail.script = [ProviderUnavailable("away")]
    answer = till.post(f"{CARDS}/setup", who.bo, {})
    assert (answer.status_code, code(answer)) == (503, "PROVIDER_UNAVAILABLE")
    assert till.post(f"{CARDS}/setup", who.bo, {}).status_code in (200, 409)


def test_only_a_verified_buyer_starts_a_trial(till: Till, who: Personas) -> None:
    unknown = personas.user("kim@people.test", kyc=Kyc.PENDING)
    answer = till.post(TRIAL, unknown, {})
    assert (answer.status_code, code(answer)) == (403, "KYC_REQUIRED")
    for caller in (
        who.mel,
        who.mels_key,
        who.sue,
        who.fin,
        personas.user("sal2@people.test", role=Role.SELLER),
    ):
        assert till.post(TRIAL, caller, {}).status_code == 403


def test_many_calls_at_once_hold_once(till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id)
    bo = who.bo

    def start(_: int) -> int:
        return till.post(TRIAL, bo, {"paymentMethodId": name}, key="").status_code

    with ThreadPoolExecutor(MANY) as pool:
        answers = set(pool.map(start, range(MANY)))
    assert answers <= {200, 409}
    assert till.post(TRIAL, bo, {"paymentMethodId": name}, key="").status_code == 200
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Payment)) == 1
        assert session.scalar(select(func.count()).select_from(Trial)) == 1
    assert len(till.rail.intents) == 1


@pytest.mark.parametrize(
    "name", ["4242424242424242", "pm_'; drop table users", "../../x", "pm_" + "x" * 300, ""]
)
def test_hostile_names_of_cards_find_nothing(
    till: Till, who: Personas, client: FlaskClient, name: str
) -> None:
    answer = till.post(TRIAL, who.bo, {"paymentMethodId": name})
    assert answer.status_code == 400
    if name:
        gone = client.delete(f"{CARDS}/{name}", headers=who.bo.headers)
        assert gone.status_code in (400, 404)
