"""Rules over the API: drafted with their back-test, only requested, ended at once."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.personas import Persona, Personas
from tests.api.till import code, fields, fresh_key
from tests.domain import past

PATH = "/api/exception-rules"
RULE: dict[str, Any] = {
    "kind": "UNDERPAID",
    "condition": [{"field": "shortfallPercent", "op": "lt", "value": 3}],
    "verb": "accept",
    "note": "Small ones are not worth a letter.",
}


@pytest.fixture
def post(app: Flask):  # type: ignore[no-untyped-def]  # a function of the test's own
    def send(path: str, who: Persona, body: object, key: str | None = None) -> TestResponse:
        headers = who.headers | {"Idempotency-Key": key or fresh_key()}
        return app.test_client().post(path, json=body, headers=headers)

    return send


def test_draft_carries_its_back_test(app: Flask, who: Personas, post: Any) -> None:
    for _ in range(3):
        past.case(verb="accept", by=who.fin.id)
    other = past.case(verb="refund_all", by=who.fin.id)
    key = fresh_key()
    answer = post(PATH, who.fin, RULE, key)
    assert answer.status_code == 201, answer.text
    made = answer.get_json()
    assert made["condition"] == [{"field": "shortfallPercent", "op": "lt", "value": "3"}]
    backtest = made["backtest"]
    assert (backtest["matched"], backtest["agreed"], backtest["differing"]) == (4, 3, 1)
    assert backtest["differingCases"] == [{"caseId": other, "verb": "refund_all"}]
    assert (made["state"], made["version"], made["resolvedCount"]) == ("draft", 1, 0)
    assert post(PATH, who.fin, RULE, key).get_json() == made
    again = post(PATH, who.flo, RULE)
    assert (again.status_code, code(again)) == (409, "CONFLICT")
    assert again.get_json()["error"]["details"]["ruleId"] == made["ruleId"]
    listed = app.test_client().get(PATH, headers=who.ann.headers).get_json()
    assert [each["ruleId"] for each in listed["items"]] == [made["ruleId"]]


def test_enabling_is_only_ever_asked_for(who: Personas, post: Any) -> None:
    rule = post(PATH, who.fin, RULE).get_json()["ruleId"]
    answer = post(f"{PATH}/{rule}/enable", who.fin, {"reason": "It is always so"})
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "pending_approval"
    assert past.read_rule(rule).state == "draft"
    assert post(f"{PATH}/{rule}/enable", who.flo, {"reason": "Me too"}).status_code == 409
    ended = post(f"{PATH}/{rule}/disable", who.flo, {"reason": "No"})
    assert (ended.status_code, ended.get_json()["state"]) == (200, "disabled")
    assert post(f"{PATH}/{rule}/disable", who.flo, {"reason": "No"}).status_code == 200
    assert post(f"{PATH}/{rule}/enable", who.fin, {"reason": " "}).status_code == 400
    assert post(f"{PATH}/{rule}/enable", who.fin, {"reason": "Again"}).status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "NOTHING"}, "kind"),
        ({"kind": "DISPUTE"}, "kind"),
        ({"verb": "refund_all"}, "verb"),
        ({"condition": []}, "condition"),
        ({"condition": RULE["condition"] * 6}, "condition"),
        ({"condition": [{"field": "x", "op": "lt", "value": 3}]}, "condition.0.field"),
        ({"condition": [{"field": "shortfallPercent", "op": "in", "value": 3}]}, "condition.0.op"),
        (
            {"condition": [{"field": "shortfallPercent", "op": "lt", "value": {"a": []}}]},
            "condition.0.value",
        ),
        ({"note": ""}, "note"),
        ({"more": 1}, "more"),
    ],
)
def test_bad_rule_names_its_field(
    who: Personas, post: Any, change: dict[str, Any], field: str
) -> None:
    answer = post(PATH, who.fin, RULE | change)
    assert answer.status_code == 400, answer.text
    assert fields(answer) == [field]


def test_only_finance_and_admins_write_and_auditors_read(
    app: Flask, who: Personas, post: Any
) -> None:
    rule = post(PATH, who.ada, RULE).get_json()["ruleId"]
    for person in (who.sue, who.ed, who.mel, who.bo, who.sal, who.ann):
        expected = 200 if person is who.ann else 403
        answer = app.test_client().get(PATH, headers=person.headers)
        assert answer.status_code == expected, person.email
        assert post(PATH, person, RULE).status_code == 403
        for act in ("enable", "disable"):
            said = post(f"{PATH}/{rule}/{act}", person, {"reason": "Because"})
            assert said.status_code == 403
    for act in ("enable", "disable"):
        missing = post(f"{PATH}/rul_nothing/{act}", who.fin, {"reason": "Because"})
        assert missing.status_code == 404
    key = app.test_client().get(PATH, headers=who.mels_key.headers)
    assert key.status_code == 403
    assert app.test_client().get(PATH).status_code == 401
