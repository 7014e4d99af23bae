"""The API says how the books are watched over: rules, signed checkpoints and the comparisons of the night."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from core import signing
from domain import database
from domain.books import chains, verification
from domain.database import transaction
from domain.jobs import nightly, watching
from domain.jobs import signing as signing_duty
from domain.watch import turns
from domain.watch.rules import RULES
from tests.api.personas import Personas
from tests.api.till import Till
from tests.domain.tampering import change

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def watch() -> None:
    with transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()


def listed(till: Till, who: Personas, path: str) -> dict[str, Any]:
    answer = till.get(path, who.ada)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.get_json()
    return said


def test_a_rule_says_how_it_stands_what_breaks_it_and_what_it_holds(
    till: Till, who: Personas
) -> None:
    items = listed(till, who, "/api/invariants")["items"]
    assert [each["ok"] for each in items] == [None] * len(RULES)
    payment = till.payment(who.mels_key)
    till.settle(payment)
    change(
        database.engine(),
        "update orders set paid_minor = 1 where id = :id",
        id=payment["orderId"],
    )
    watch()
    items = {each["name"]: each for each in listed(till, who, "/api/invariants")["items"]}
    assert [name for name, each in items.items() if each["ok"] is not True] == ["orders_paid"]
    red = items["orders_paid"]
    assert (red["ok"], red["scope"], red["scopeId"]) == (False, "order", payment["orderId"])
    assert [each["id"] for each in red["offending"]] == [payment["orderId"]]
    freeze = till.get(f"/api/freezes/{red['freezeId']}", who.ann).get_json()
    assert (freeze["cause"], freeze["state"]) == ("invariant", "active")
    assert (
        till.get(f"/api/exceptions/{red['caseId']}", who.fin).get_json()["kind"] == "INVARIANT_RED"
    )
    lift = till.post(f"/api/freezes/{red['freezeId']}/lift", who.fin, {"reason": "all is well"})
    assert (lift.status_code, lift.get_json()["error"]["code"]) == (409, "INVARIANT_RED")


def test_checkpoints_can_be_checked_with_nothing_but_the_answer(till: Till, who: Personas) -> None:
    empty = listed(till, who, "/api/audit/checkpoints")
    assert (empty["items"], empty["ok"], empty["verifiedAt"]) == ([], None, None)
    till.settle(till.payment(who.mels_key))
    chains.link_all()
    signing_duty.sign_due()
    verification.verify()
    said = listed(till, who, "/api/audit/checkpoints")
    assert (said["ok"], said["firstBadSeq"]) == (True, None)
    assert said["verifiedAt"] is not None
    assert {each["chain"] for each in said["items"]} == {"audit", "journal"}
    keys = {each["keyId"]: signing.from_pem(each["pem"]) for each in said["keys"]}
    for each in said["items"]:
        message = each["statement"].encode()
        assert each["hash"] in each["statement"]
        assert signing.is_signed(message, each["signature"], public=keys[each["keyId"]])


def test_the_first_bad_place_of_the_audit_chain_is_named(till: Till, who: Personas) -> None:
    till.settle(till.payment(who.mels_key))
    chains.link_all()
    signing_duty.sign_due()
    tampered = (
        "update audit_log set reason = 'as agreed' where id ="
        " (select row_id from chain_links where chain = 'audit' and seq = 2)"
    )
    change(database.engine(), tampered)
    verification.verify()
    said = listed(till, who, "/api/audit/checkpoints")
    assert (said["ok"], said["firstBadSeq"]) == (False, 2)


def test_the_comparisons_of_the_night_say_what_differs(till: Till, who: Personas) -> None:
    assert listed(till, who, "/api/reconciliation/checks")["items"] == []
    payment = till.payment(who.mels_key)
    till.settle(payment)

    def night() -> dict[str, Any]:
        with transaction() as session:
            turns.ask_for(session, nightly.WORK)
        nightly.check()
        items = listed(till, who, "/api/reconciliation/checks")["items"]
        return {each["name"]: each for each in items}

    found = night()
    assert list(found) == ["wallets", "revenue", "stuck_paid", "verification"]
    assert all(each["ok"] and each["differences"] == [] for each in found.values())
    change(
        database.engine(),
        "update payments set received_minor = received_minor + 100 where id = :id",
        id=payment["paymentId"],
    )
    found = night()
    assert not found["revenue"]["ok"]
    assert payment["paymentId"] in found["revenue"]["differences"][0]
    assert (found["wallets"]["ok"], found["verification"]["ok"]) == (True, False)


def test_only_those_who_look_after_the_books_read_it(till: Till, who: Personas) -> None:
    allowed = {
        "/api/invariants": (who.sue, who.fin, who.ada, who.ed, who.ann),
        "/api/audit/checkpoints": (who.fin, who.ada, who.ann),
        "/api/reconciliation/checks": (who.fin, who.ada, who.ed, who.ann),
    }
    everybody = (who.sue, who.fin, who.ada, who.ed, who.ann, who.mel, who.bo, who.mels_key)
    for path, may in allowed.items():
        for person in everybody:
            wanted = 200 if person in may else 403
            assert till.get(path, person).status_code == wanted, (path, person)
