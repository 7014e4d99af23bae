"""A person's cards on the desk: brand, end, expiry, proved and default; and the check of a card in its own words."""

from __future__ import annotations

import pytest
from flask import Flask

from core import clock
from domain.database import transaction
from domain.jobs import janitor
from domain.payments import kept_cards, vault
from domain.transitions import Why
from models.cards import PaymentMethod
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text
from tests.domain import fake_charges
from tests.domain.wallets import keep_card

TRIAL = "/v1/start-trial"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def prefer(name: str, user_id: str) -> None:
    with transaction() as session:
        card = kept_cards.find_card(session, user_id, name)
        vault.prefer(session, card, actor=personas.ACTOR, source="test")


def leave(name: str, user_id: str) -> None:
    with transaction() as session:
        card = kept_cards.find_card(session, user_id, name)
        vault.remove(session, card, why=Why(personas.ACTOR, "test"))


def test_cards_are_shown_with_what_is_known_of_them(desk: Desk, till: Till, who: Personas) -> None:
    page = f"/users/{who.bo.id}"
    ada = desk.browser(who.ada)
    assert "No card is kept." in text(ada.page(page))
    proved = keep_card(who.bo.id, exp_month=12, exp_year=2034)
    keep_card(who.bo.id, last4="0005", brand="american_express", exp_month=1, exp_year=2020)
    bare = keep_card(who.bo.id, last4=None, brand=None)
    prefer(proved, who.bo.id)
    answer = till.post(TRIAL, who.bo, {})
    assert answer.status_code == 200, answer.text
    said = text(ada.page(page))
    assert "Visa ending 4242 Proved Default expires 12/2034" in said
    assert "American express ending 0005 Not proved Expired expires 01/2020" in said
    assert "Card Not proved expiry is being asked for" in said
    assert "A trial of 100.00 USD was granted" in said
    check = answer.get_json()["transactionId"]
    assert f'href="/payments/{check}"' in ada.page(page)
    leave(bare, who.bo.id)
    assert "Card Being removed" in text(ada.part(f"{page}/body"))
    with transaction() as session:
        row = session.get_one(PaymentMethod, bare)
        row.state, row.removed_at = "removed", clock.now()
    assert "Being removed" not in text(ada.page(page))
    assert "Visa ending 4242 Proved Default" in text(
        desk.browser(who.sue).page(f"/wallets/{who.bo.id}")
    )
    assert "Cards" not in text(ada.page(f"/users/{who.sue.id}")).split("What you can do")[0]


def test_a_merchant_sees_no_card_that_it_had_nothing_to_do_with(
    desk: Desk, till: Till, who: Personas
) -> None:
    own, other = keep_card(who.bo.id, last4="1111"), keep_card(who.bo.id, last4="2222")
    body = {"userId": who.bo.id, "amount": "5.00", "currency": "EUR"}
    setup = till.post("/v1/stripe/payment-methods/setup", who.mels_key, {"userId": who.bo.id})
    reference = setup.get_json()["setupIntentId"]
    till.rail.complete(reference, "pm_mels")
    till.rail.intents[reference] = till.rail.setups[reference]
    till.deliver(till.event("setup_intent.succeeded", {"providerReference": reference}))
    till.work()
    paid = till.post(
        "/v1/stripe/transactions/confirm", who.mels_key, body | {"paymentMethodId": "pm_mels"}
    )
    assert paid.status_code == 200, paid.text
    seen = desk.browser(who.mel).page(f"/wallets/{who.bo.id}")
    assert "pm_mels" in seen
    assert own not in seen and other not in seen
    assert desk.browser(who.eve).get(f"/wallets/{who.bo.id}").status_code == 404


def test_a_check_reads_as_what_it_was(desk: Desk, till: Till, who: Personas) -> None:
    name = keep_card(who.bo.id, fake_charges.ASKED)
    said = till.post(TRIAL, who.bo, {"paymentMethodId": name}).get_json()
    reference = said["paymentIntentId"]
    held = {"status": "requires_capture", "amount_capturable": 100, "latest_charge": "ch_1"}
    kind = "payment_intent.amount_capturable_updated"
    till.deliver(till.event(kind, {"providerReference": reference}, **held))
    till.work()
    while janitor.finish_operation():
        pass
    page = text(desk.browser(who.sue).page(f"/payments/{said['transactionId']}"))
    for words in (
        "Card check. The card was proved. Nothing was charged",
        "The bank asks the card's owner (3D Secure)",
        "A hold of 1.00 USD proved the card",
        "The hold was let go",
        "Asked the provider to let the hold go: succeeded",
        "nothing was to move, and nothing has",
        "there is nothing to cancel",
        "Card proved Done",
        "Trial granted Done",
    ):
        assert words in page, words
    assert "not told by the provider" not in page
