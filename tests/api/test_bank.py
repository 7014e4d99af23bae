"""The bank desk over the API: statements sent and listed, lines matched, payments searched for, references checked."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from domain import calendar, database
from domain.event_types import BY_NAME
from models.payments import Payment
from models.statements import BankLine, BankStatement
from tests.api import personas
from tests.api.personas import Persona, Personas
from tests.api.till import Till, fresh_key
from tests.domain import banking
from tests.domain.banking import MAPPING, Row, camt, sheet
from tests.web.uploads import BORDER, form_of

STATEMENTS, LINES, SEARCH = "/api/bank/statements", "/api/bank/lines", "/api/bank/search"
OWN = "PD0123456789ABCD"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def send(
    till: Till, person: Persona, body: bytes, *, key: str | None = None, **fields: str
) -> TestResponse:
    form = {"format": "camt053", "accountId": "main"} | fields
    headers = person.headers | {"Idempotency-Key": key or fresh_key()}
    if key == "":
        headers.pop("Idempotency-Key")
    return till.app.test_client().post(
        STATEMENTS,
        data=form_of(form, "statement.xml", body),
        headers=headers,
        content_type=f"multipart/form-data; boundary={BORDER}",
    )


def brought(till: Till, person: Persona, *rows: Row, **more: str) -> dict[str, Any]:
    answer = send(till, person, camt(*rows), **more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def items(till: Till, path: str, person: Persona) -> list[dict[str, Any]]:
    answer = till.get(path, person)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def paid(till: Till, who: Personas, *, reference: str = OWN) -> str:
    payment = till.payment(who.bo)
    till.settle(payment)
    with database.transaction() as session:
        session.get_one(Payment, payment["paymentId"]).bank_reference = reference
    return str(payment["paymentId"])


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def count(model: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_statement_is_sent_listed_and_read(till: Till, who: Personas) -> None:
    paid(till, who)
    found = brought(till, who.fin, Row(2_500, OWN, bank="B1"), Row(-100, "Fee", bank="B2"))
    assert (found["lines"], found["known"], found["suggested"], found["unmatched"]) == (2, 0, 1, 1)
    assert found["openingBalance"] == {"amount": "100.00", "currency": "EUR"}
    assert found["closingBalance"] == {"amount": "124.00", "currency": "EUR"}
    for person in (who.fin, who.ada, who.ann):
        assert items(till, f"{STATEMENTS}?accountId=main", person) == [found]
        assert till.get(f"{STATEMENTS}/{found['statementId']}", person).get_json() == found
    assert items(till, f"{STATEMENTS}?from=2027-01-01", who.fin) == []
    assert till.get(f"{STATEMENTS}/bst_none", who.fin).status_code == 404


def test_the_same_key_and_file_give_the_first_answer(till: Till, who: Personas) -> None:
    body, key = camt(Row(bank="B1")), fresh_key()
    first, again = (send(till, who.fin, body, key=key) for _ in range(2))
    assert (first.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = send(till, who.fin, camt(Row(bank="B2")), key=key)
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code(send(till, who.fin, body)) == (409, "STATEMENT_IMPORTED")
    assert code(send(till, who.fin, body, key="")) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert count(BankStatement) == 1


def test_a_csv_is_read_by_its_mapping_and_the_next_one_by_the_same(
    till: Till, who: Personas
) -> None:
    said = json.dumps(MAPPING.wire())
    first = send(till, who.fin, sheet(Row()), format="csv", mapping=said)
    assert (first.status_code, first.get_json()["format"]) == (201, "csv")
    assert send(till, who.fin, sheet(Row(300)), format="csv").status_code == 201
    other = send(till, who.fin, sheet(Row(400)), format="csv", accountId="other")
    assert other.status_code == 400
    for mapping in ("{", '{"columns": {}}', '{"columns": {"bookedOn": "x"}, "x": 1}'):
        wrong = send(till, who.fin, sheet(Row(500)), format="csv", mapping=mapping)
        assert wrong.status_code == 400


def test_what_cannot_be_read_is_refused_with_its_line(till: Till, who: Personas) -> None:
    wrong = send(till, who.fin, camt(Row()).replace(b">25.00<", b">x<", 1))
    assert code(wrong) == (400, "STATEMENT_UNREADABLE")
    assert wrong.get_json()["error"]["details"]["line"] == 6
    off = send(till, who.fin, camt(Row(), closing=1))
    assert code(off) == (400, "BALANCE_MISMATCH")
    for body in (b"", b"<!DOCTYPE x>", b"\0" * 100):
        assert code(send(till, who.fin, body)) == (400, "STATEMENT_UNREADABLE")
    assert count(BankStatement) == 0


def test_a_form_holds_one_file_of_ten_mebibytes_at_most(till: Till, who: Personas) -> None:
    client, headers = till.app.test_client(), who.fin.headers | {"Idempotency-Key": "no-file-1"}
    for data in ({"format": "camt053", "accountId": "main"}, {"file": "a text"}):
        answer = client.post(
            STATEMENTS, data=data, headers=headers, content_type="multipart/form-data"
        )
        assert answer.status_code == 400
    answer = client.post(STATEMENTS, json={}, headers=headers)
    assert code(answer) == (415, "UNSUPPORTED_MEDIA")
    large = send(till, who.fin, b"x" * (11 * 1024 * 1024))
    assert code(large) == (413, "BODY_TOO_LARGE")
    just_over = send(till, who.fin, b"x" * (10 * 1024 * 1024 + 1))
    assert code(just_over) == (400, "STATEMENT_UNREADABLE")
    unknown = send(till, who.fin, camt(Row()), surprise="x")
    assert code(unknown) == (400, "VALIDATION_FAILED")


def test_a_line_is_matched_once_and_taken_back(till: Till, who: Personas) -> None:
    payment_id = paid(till, who)
    brought(till, who.fin, Row(2_500, OWN, bank="B1"))
    [line] = items(till, f"{LINES}?state=suggested", who.fin)
    [first] = line["suggestions"]
    assert (first["kind"], first["id"], first["certain"]) == ("payment", payment_id, True)
    path, body = f"{LINES}/{line['lineId']}", {"paymentId": payment_id, "note": "on the statement"}
    matched = till.post(f"{path}/match", who.fin, body)
    assert (matched.status_code, matched.get_json()["state"]) == (200, "matched")
    assert (matched.get_json()["matchNo"], matched.get_json()["suggestions"]) == (1, [])
    assert code(till.post(f"{path}/match", who.fin, body)) == (409, "ALREADY_MATCHED")
    assert items(till, f"{LINES}?q={payment_id}", who.ann)[0]["paymentId"] == payment_id
    undone = till.post(f"{path}/unmatch", who.ada, {"note": "another one"})
    assert (undone.status_code, undone.get_json()["state"]) == (200, "suggested")
    assert code(till.post(f"{path}/unmatch", who.ada, {"note": "again"})) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "body",
    [
        {"note": "names nothing"},
        {"paymentId": "pay_x", "payoutId": "ppo_x", "note": "names two"},
        {"paymentId": "pay_x"},
        {"paymentId": "pay_x", "note": "x" * 501},
        {"paymentId": "pay_x", "note": "card 4242424242424242"},
    ],
)
def test_a_match_names_one_thing_and_why(
    till: Till, who: Personas, body: dict[str, object]
) -> None:
    brought(till, who.fin, Row(bank="B1"))
    line_id = banking.only().id
    assert till.post(f"{LINES}/{line_id}/match", who.fin, body).status_code == 400
    wrong = {"paymentId": "pay_x", "note": "no such payment"}
    assert code(till.post(f"{LINES}/{line_id}/match", who.fin, wrong)) == (404, "NOT_FOUND")
    assert code(till.post(f"{LINES}/bln_x/match", who.fin, wrong)) == (404, "NOT_FOUND")


def test_support_sees_who_paid_only_masked(till: Till, who: Personas) -> None:
    brought(till, who.fin, Row(bank="B1"))
    [whole], [masked] = (items(till, LINES, person) for person in (who.fin, who.sue))
    assert whole["counterparty"] == {"name": "Jane Doe", "number": "GB33BUKB20201555555555"}
    assert masked["counterparty"] == {"name": "J…", "number": "…5555"}
    exported = till.get(f"{LINES}?format=csv", who.sue).text
    assert "Jane" not in exported and "J…" in exported


def test_lines_are_exported_as_inert_csv(till: Till, who: Personas) -> None:
    brought(till, who.fin, Row(2_500, "=cmd|'/c calc'!A1", bank="B1", name="+441234"))
    exported = till.get(f"{LINES}?format=csv", who.fin)
    [row] = csv.DictReader(io.StringIO(exported.text))
    assert (row["reference"], row["counterparty"]) == ("'=cmd|'/c calc'!A1", "'+441234")
    assert (row["amount"], row["currency"], row["state"]) == ("25.00", "EUR", "unmatched")


def test_lines_are_listed_by_state_statement_and_text(till: Till, who: Personas) -> None:
    first = brought(till, who.fin, Row(100, "Table", bank="B1"))
    assert (
        send(till, who.fin, camt(Row(200, "Chair", bank="B2"), opening=10_100)).status_code == 201
    )
    assert len(items(till, LINES, who.fin)) == 2
    for query, wanted in (
        (f"statementId={first['statementId']}", ["Table"]),
        ("q=cha-IR", ["Chair"]),
        ("q=2.00", ["Chair"]),
        ("state=matched", []),
        ("accountId=other", []),
    ):
        assert [row["reference"] for row in items(till, f"{LINES}?{query}", who.fin)] == wanted
    page = till.get(f"{LINES}?limit=1", who.fin).get_json()
    rest = till.get(f"{LINES}?limit=1&cursor={page['nextCursor']}", who.fin).get_json()
    assert (len(page["items"]), len(rest["items"]), rest["nextCursor"]) == (1, 1, None)
    assert till.get(f"{LINES}?state=lost", who.fin).status_code == 400


def test_a_payment_is_searched_for(till: Till, who: Personas) -> None:
    payment_id = paid(till, who)
    brought(till, who.fin, Row(2_500, OWN, bank="B1", on=calendar.today()))
    for person in (who.sue, who.fin, who.ada, who.ed, who.ann):
        found = till.get(f"{SEARCH}?reference=pd%20O123-4567-89ab-cd", person).get_json()
        assert (found["widened"], found["windowDays"], found["unasked"]) == (False, 7, [])
        assert [(each["source"], each["paymentId"]) for each in found["items"]] == [
            ("ours", payment_id),
            ("statement", None),
        ]
    far = till.get(f"{SEARCH}?reference=PDZZZZ&windowDays=30", who.sue).get_json()
    assert (far["items"], far["widened"], far["windowDays"]) == ([], True, 90)
    assert code(till.get(f"{SEARCH}?reference=PDZZZZ&source=provider", who.sue)) == (
        503,
        "RAIL_NOT_CONFIGURED",
    )
    for query in ("", "reference=ab", "amount=x", "amount=1&windowDays=91", "source=x&amount=1"):
        assert till.get(f"{SEARCH}?{query}", who.sue).status_code == 400


def test_a_reference_is_checked_for_anybody(till: Till, who: Personas) -> None:
    path = "/api/bank/references/validate"
    for person in (who.bo, who.sal, who.mel, who.sue):
        said = till.post(path, person, {"reference": " Straße 7 ", "scheme": "sepa"}).get_json()
        assert said == {"ok": True, "reference": "Strasse 7", "problems": [], "scheme": "sepa"}
    wrong = till.post(path, who.bo, {"reference": "x" * 19, "provider": "stripe"}).get_json()
    assert (wrong["ok"], wrong["scheme"], len(wrong["problems"])) == (False, "generic", 1)
    assert till.post(path, who.bo, {"reference": "x", "provider": "none"}).status_code == 400


def test_others_import_and_match_nothing(till: Till, who: Personas) -> None:
    brought(till, who.fin, Row(bank="B1"))
    line_id = banking.only().id
    key = personas.key(who.merchant("Mel's"))
    for person in (who.sue, who.ed, who.ann, who.mel, who.bo, key):
        assert send(till, person, camt(Row(bank="B9"))).status_code == 403  # type: ignore[arg-type]
        body = {"paymentId": "pay_x", "note": "not mine to say"}
        for verb in ("match", "unmatch"):
            assert till.post(f"{LINES}/{line_id}/{verb}", person, body).status_code == 403
    assert (count(BankStatement), count(BankLine)) == (1, 1)


def test_events_of_the_desk_are_told_to_staff(till: Till, who: Personas) -> None:
    assert {"statement.imported", "line.matched", "line.unmatched"} <= set(BY_NAME)
    assert all(BY_NAME[name].staff for name in ("statement.imported", "line.matched"))
