"""Over the API an entry by hand is only ever asked for; what is asked for is read back down to each line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from api.book_shapes import EntryOut
from domain import calendar
from tests.api import bookkeeping
from tests.api.bookkeeping import SUSPENSE, Ground, agree, posted, posting
from tests.api.personas import Personas
from tests.api.till import Till
from tests.domain import journaling

ENTRIES = "/api/journal/entries"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def ground(till: Till, who: Personas) -> Ground:
    return bookkeeping.ground(till, who)


def refused(till: Till, who: Personas, body: dict[str, Any], status: int = 400) -> dict[str, Any]:
    answer = till.post(ENTRIES, who.fin, body)
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.get_json()["error"]
    return error


def named(error: dict[str, Any]) -> list[str]:
    return [each["field"] for each in error["details"]["fields"]]


def read(till: Till, who: Personas, entry_id: str) -> dict[str, Any]:
    found: dict[str, Any] = till.get(f"{ENTRIES}/{entry_id}", who.ann).get_json()
    return found


def test_an_entry_is_asked_for_agreed_to_read_and_reversed(
    till: Till, who: Personas, ground: Ground
) -> None:
    answer = till.post(ENTRIES, who.fin, ground.body(), key="entry-0001")
    asked = answer.get_json()
    assert (answer.status_code, asked["status"]) == (202, "pending_approval")
    due = (calendar.today() + timedelta(days=30)).isoformat()
    assert (asked["reversalDueOn"], asked["effectiveOn"]) == (due, None)
    assert asked["postings"] == [
        {
            "debit": SUSPENSE,
            "credit": ground.funds,
            "amount": {"amount": "5.00", "currency": "EUR"},
        }
    ]
    assert till.get(f"{ENTRIES}?manual=true", who.fin).get_json()["items"] == []
    again = till.post(ENTRIES, who.fin, ground.body(), key="entry-0001")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (answer.data, "true")
    entry_id = agree(asked["approvalId"], who.flo)
    entry = read(till, who, entry_id)
    assert (entry["kind"], entry["label"], entry["reversalDueOn"]) == (
        "manual",
        "Manual entry",
        due,
    )
    assert (entry["period"], entry["lateOf"]) == (f"{calendar.today():%Y-%m}", None)
    assert entry["details"] == {"askedBy": who.fin.id, "agreedBy": who.flo.id}
    assert (entry["orderId"], entry["invoiceId"]) == (ground.order_id, ground.invoice_id)
    assert till.get(f"{ENTRIES}?reversalDue=true", who.fin).get_json()["items"] == [entry]
    back = till.post(f"{ENTRIES}/{entry_id}/reverse", who.flo, {"note": "it has paid"})
    assert (back.status_code, back.get_json()["reverses"]) == (202, entry_id)
    new_id = agree(back.get_json()["approvalId"], who.fin)
    assert read(till, who, entry_id)["reversedBy"] == new_id
    assert read(till, who, new_id)["reverses"] == entry_id
    twice = till.post(f"{ENTRIES}/{entry_id}/reverse", who.flo, {"note": "again"})
    assert twice.status_code == 409
    assert twice.get_json()["error"]["details"]["reversedBy"] == new_id
    assert till.get(f"{ENTRIES}?reversalDue=true", who.fin).get_json()["items"] == []
    EntryOut.model_validate(entry)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_posted_is_refused_field_by_field(
    till: Till, who: Personas, ground: Ground
) -> None:
    body = ground.body()
    for changed, fields in (
        ({"orderId": "ord_none"}, ["orderId"]),
        ({"invoiceId": "inv_none"}, ["invoiceId"]),
        ({"providerReference": "nobody"}, ["providerReference"]),
        ({"note": " "}, ["note"]),
        ({"postings": []}, ["postings"]),
        ({"postings": [posting("no:such", ground.funds)]}, ["postings.0.debit"]),
        ({"postings": [posting(f"{ground.hold}:reserved", None)]}, ["postings.0.debit"]),
        ({"postings": [posting(SUSPENSE, ground.funds, "0")]}, ["postings.0.amount"]),
        ({"postings": [posting(SUSPENSE, ground.funds, "1.005")]}, ["postings.0.amount"]),
        ({"postings": [posting(SUSPENSE, ground.funds, "-1")]}, ["postings.0.amount"]),
        ({"postings": [{"debit": SUSPENSE, "credit": ground.funds}]}, ["postings.0.amount"]),
        (
            {"postings": [{"debit": SUSPENSE, "credit": ground.funds, "amount": "5"}]},
            ["postings.0.amount"],
        ),
        ({"effectiveOn": "2026-13-01"}, ["effectiveOn"]),
        ({"effectiveOn": "20261101"}, ["effectiveOn"]),
        ({"effectiveOn": "2999-01-01"}, ["effectiveOn"]),
        ({"effectiveOn": 20_261_101}, ["effectiveOn"]),
        ({"reversalDueOn": "2001-01-01"}, ["reversalDueOn"]),
        ({"amount": 1}, ["amount"]),
    ):
        assert named(refused(till, who, body | changed)) == fields, changed
    lopsided = {"postings": [posting(SUSPENSE, None), posting(None, ground.funds, "4.99")]}
    error = refused(till, who, body | lopsided)
    assert error["code"] == "UNBALANCED"
    assert error["details"]["currencies"][0]["difference"] == "0.01"
    assert refused(till, who, body | {"note": "4242 4242 4242 4242"})["code"] == (
        "CARD_NUMBER_REFUSED"
    )
    answer = till.post(ENTRIES, who.fin, body, key="")
    assert answer.get_json()["error"]["code"] == "IDEMPOTENCY_KEY_REQUIRED"


def test_a_closed_month_is_refused_with_what_to_do(
    till: Till, who: Personas, ground: Ground
) -> None:
    last = calendar.today().replace(day=1) - timedelta(days=1)
    journaling.close_month(last)
    error = refused(till, who, ground.body(effectiveOn=last.isoformat()), 409)
    assert (error["code"], error["details"]["periodId"]) == ("PERIOD_CLOSED", f"{last:%Y-%m}")
    assert "open period" in error["message"]
    entry_id = posted(till, who, ground.body())
    assert read(till, who, entry_id)["period"] == f"{calendar.today():%Y-%m}"


def test_more_than_is_held_is_refused(till: Till, who: Personas, ground: Ground) -> None:
    over = posting(ground.hold, ground.funds, "25.01")
    assert refused(till, who, ground.body(over), 409)["code"] == "AMOUNT_EXCEEDED"


def test_a_reference_stands_for_the_key_and_is_posted_once(
    till: Till, who: Personas, ground: Ground
) -> None:
    body = ground.body(reference="bank-line-77")
    answer = till.post(ENTRIES, who.fin, body, key="")
    assert answer.status_code == 202
    assert till.post(ENTRIES, who.fin, body, key="").data == answer.data
    entry_id = agree(answer.get_json()["approvalId"], who.flo)
    other = till.post(ENTRIES, who.ada, body | {"note": "another"}, key="another-key")
    assert other.status_code == 409
    assert other.get_json()["error"]["details"]["entryId"] == entry_id


def test_only_those_who_keep_the_books_ask_for_entries(
    till: Till, who: Personas, ground: Ground
) -> None:
    entry_id = posted(till, who, ground.body())
    for person in (who.sue, who.ed, who.ann, who.mel, who.bo, who.sal, who.mels_key):
        assert till.post(ENTRIES, person, ground.body()).status_code == 403
        path = f"{ENTRIES}/{entry_id}/reverse"
        assert till.post(path, person, {"note": "x"}).status_code == 403
    missing = till.post(f"{ENTRIES}/jrn_none/reverse", who.fin, {"note": "x"})
    assert missing.status_code == 404
    deposit = till.get(f"{ENTRIES}?manual=false", who.fin).get_json()["items"][0]["entryId"]
    fact = till.post(f"{ENTRIES}/{deposit}/reverse", who.fin, {"note": "x"})
    assert (fact.status_code, fact.get_json()["error"]["code"]) == (409, "CONFLICT")


def test_entries_are_found_by_month_and_kind(till: Till, who: Personas, ground: Ground) -> None:
    last = calendar.today().replace(day=1) - timedelta(days=1)
    old = posted(till, who, ground.body(effectiveOn=last.isoformat()))
    new = posted(till, who, ground.body(note="another"))

    def found(query: str) -> list[str]:
        answer = till.get(f"{ENTRIES}?{query}", who.fin)
        assert answer.status_code == 200, answer.text
        return [each["entryId"] for each in answer.get_json()["items"]]

    assert found(f"period={last:%Y-%m}") == [old]
    assert new in found(f"period={calendar.today():%Y-%m}")
    assert found("kind=manual") == [new, old] == found("manual=true")
    assert found("kind=manual&late=true") == []
    for query in ("kind=nonsense", "period=2026-13", "period=november", "format=pdf"):
        assert till.get(f"{ENTRIES}?{query}", who.fin).status_code == 400, query
