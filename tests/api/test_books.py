"""The books and the cases over the API: exact balances at every place, entries that balance, what was proved."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from core import clock
from domain.books import ledger, verification
from domain.database import reading, transaction
from models.cases import ExceptionCase
from models.ledger import JournalEntry
from tests.api.personas import Personas
from tests.api.till import Till

CLEARING = "/api/ledger/accounts/provider:stripe:clearing"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def _get(till: Till, path: str, who: Any) -> dict[str, Any]:
    answer = till.get(path, who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_deposit_is_one_entry_of_two_movements(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    (entry,) = _get(till, "/api/journal/entries", who.fin)["items"]
    hold = f"order:{payment['orderId']}:escrow_hold"
    funds = f"buyer:{who.bo.id}:funds"
    amount = {"amount": "25.00", "currency": "EUR"}
    assert entry["postings"] == [
        {"debit": "provider:stripe:clearing", "credit": funds, "amount": amount},
        {"debit": funds, "credit": hold, "amount": amount},
    ]
    assert (entry["paymentId"], entry["orderId"]) == (payment["paymentId"], payment["orderId"])
    assert entry["providerReference"] == payment["providerReference"]
    assert entry["source"].startswith("inbound:")
    assert _get(till, f"/api/journal/entries/{entry['entryId']}", who.sue) == entry
    for query in (
        f"orderId={payment['orderId']}",
        f"paymentId={payment['paymentId']}",
        f"account={hold}",
        "account=provider:stripe:clearing",
        f"source={entry['source']}",
        "manual=false",
        "from=2020-01-01T00:00:00Z",
    ):
        assert _get(till, f"/api/journal/entries?{query}", who.ann)["items"] == [entry], query
    for query in ("account=nothing", "manual=true", "orderId=ord_x", "to=2020-01-01T00:00:00Z"):
        assert _get(till, f"/api/journal/entries?{query}", who.fin)["items"] == [], query


def test_a_reversal_is_linked_both_ways(till: Till, who: Personas) -> None:
    till.settle(till.payment(who.bo))
    with transaction() as session:
        first = session.scalars(select(JournalEntry.id)).one()
        second = ledger.reverse(session, first, source="user:test", note="wrong")
    assert _get(till, f"/api/journal/entries/{first}", who.fin)["reversedBy"] == second
    assert _get(till, f"/api/journal/entries/{second}", who.fin)["reverses"] == first
    assert _get(till, CLEARING, who.fin)["balance"]["amount"] == "0.00"


def test_accounts_balance_on_their_own_side(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    found = {each["address"]: each for each in _get(till, "/api/ledger/accounts", who.fin)["items"]}
    assert found["provider:stripe:clearing"]["kind"] == "asset"
    assert found["provider:stripe:clearing"]["balance"]["amount"] == "25.00"
    assert found[f"buyer:{who.bo.id}:funds"]["balance"]["amount"] == "0.00"
    hold = found[f"order:{payment['orderId']}:escrow_hold"]
    assert (hold["kind"], hold["balance"]["amount"]) == ("liability", "25.00")
    assert hold["reserved"] == {"amount": "0.00", "currency": "EUR"}
    only = _get(till, "/api/ledger/accounts?prefix=order:&currency=eur", who.ada)["items"]
    assert only == [hold]
    assert _get(till, "/api/ledger/accounts?currency=USD", who.ada)["items"] == []
    past = _get(till, f"{CLEARING}?asOf=2020-01-01T00:00:00Z", who.fin)
    assert past["balance"]["amount"] == "0.00"
    assert till.get("/api/ledger/accounts?currency=XXL", who.fin).status_code == 400
    assert till.get("/api/ledger/accounts/no:such:account", who.fin).status_code == 404


def test_accounts_are_paged_by_address(till: Till, who: Personas) -> None:
    for _ in range(3):
        till.settle(till.payment(who.bo))
    every = [each["address"] for each in _get(till, "/api/ledger/accounts", who.fin)["items"]]
    seen: list[str] = []
    path = "/api/ledger/accounts?limit=2"
    while True:
        page = _get(till, path, who.fin)
        seen += [each["address"] for each in page["items"]]
        if page["nextCursor"] is None:
            break
        path = f"/api/ledger/accounts?limit=2&cursor={page['nextCursor']}"
    assert seen == every == sorted(every)
    for cursor in ("x", "WyJhIiwxXQ", "bnVsbA", "WyJcdTAwMDAiLCJiIl0"):
        assert till.get(f"/api/ledger/accounts?cursor={cursor}", who.fin).status_code == 400
        assert till.get(f"{CLEARING}/postings?cursor={cursor}", who.fin).status_code in (200, 400)


def test_each_line_carries_the_balance_after_it_on_every_page(till: Till, who: Personas) -> None:
    for number in range(5):
        with time_machine.travel(clock.after(number * 60 - 3600), tick=False):
            total = {"amount": f"{number + 1}.00", "currency": "EUR"}
            till.settle(till.payment(who.bo, total=total, deposit=None))
    seen: list[tuple[str, str]] = []
    path = f"{CLEARING}/postings?limit=2"
    while True:
        page = _get(till, path, who.fin)
        seen += [(e["amount"]["amount"], e["balanceAfter"]["amount"]) for e in page["items"]]
        if page["nextCursor"] is None:
            break
        path = f"{CLEARING}/postings?limit=2&cursor={page['nextCursor']}"
    assert seen == [
        ("5.00", "15.00"),
        ("4.00", "10.00"),
        ("3.00", "6.00"),
        ("2.00", "3.00"),
        ("1.00", "1.00"),
    ]
    since = clock.rfc3339(clock.after(1.5 * 60 - 3600))
    until = clock.rfc3339(clock.after(3.5 * 60 - 3600))
    between = _get(till, f"{CLEARING}/postings?from={since}&to={until}", who.fin)["items"]
    assert [(e["amount"]["amount"], e["balanceAfter"]["amount"]) for e in between] == [
        ("4.00", "10.00"),
        ("3.00", "6.00"),
    ]
    assert {each["side"] for each in between} == {"debit"}


def test_the_books_are_exported_as_rows(till: Till, who: Personas) -> None:
    till.settle(till.payment(who.bo))
    rows = list(
        csv.DictReader(io.StringIO(till.get("/api/journal/entries?format=csv", who.fin).text))
    )
    assert [row["amount"] for row in rows] == ["25.00", "25.00"]
    lines = list(
        csv.DictReader(io.StringIO(till.get(f"{CLEARING}/postings?format=csv", who.fin).text))
    )
    assert [(line["side"], line["balanceAfter"]) for line in lines] == [("debit", "25.00")]
    as_json = _get(till, "/api/journal/entries?format=json", who.fin)
    assert as_json["items"] == _get(till, "/api/journal/entries", who.fin)["items"]


def test_an_address_in_two_currencies_must_say_which(till: Till, who: Personas) -> None:
    for currency in ("EUR", "USD"):
        payment = till.payment(who.bo, total={"amount": "9.00", "currency": currency}, deposit=None)
        till.rail.intents[payment["providerReference"]]["currency"] = currency.lower()
        till.settle(payment)
    assert till.get(CLEARING, who.fin).status_code == 400
    for currency in ("EUR", "USD"):
        balance = _get(till, f"{CLEARING}?currency={currency}", who.fin)["balance"]
        assert balance == {"amount": "9.00", "currency": currency}
        lines = _get(till, f"{CLEARING}/postings?currency={currency}", who.fin)["items"]
        assert [line["amount"]["currency"] for line in lines] == [currency]


def test_the_last_verification_is_shown_as_it_was(till: Till, who: Personas) -> None:
    path = "/api/ledger/verification"
    assert _get(till, path, who.ed) == {
        "ok": None,
        "at": None,
        "rows": 0,
        "chainHead": None,
        "checks": [],
    }
    till.settle(till.payment(who.bo))
    report = verification.verify()
    shown = _get(till, path, who.fin)
    assert (shown["ok"], shown["at"], shown["rows"]) == (report.ok, report.at, report.rows)
    assert shown["ok"] is True
    assert all(check["firstBad"] is None for check in shown["checks"])
    for nobody in (who.bo, who.sue, who.mel, who.mels_key):
        assert till.get(path, nobody).status_code == 403


def test_the_journal_is_for_those_who_keep_and_read_the_books(till: Till, who: Personas) -> None:
    for persona in (who.fin, who.ada, who.ann, who.sue):
        assert till.get("/api/journal/entries", persona).status_code == 200
    for other in (who.bo, who.sal, who.mel, who.mels_key, who.ed):
        assert till.get("/api/journal/entries", other).status_code == 403


def test_a_case_is_listed_read_and_exported_with_what_speaks_of_it(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    body = till.event("payment_intent.succeeded", payment, status="succeeded", amount_received=3000)
    till.deliver(body)
    till.work()
    (case,) = _get(till, "/api/exceptions", who.sue)["items"]
    assert (case["kind"], case["state"], case["team"]) == ("OVERPAID", "open", "finance")
    assert (case["expected"], case["found"]) == ("25.00", "30.00")
    assert case["moneyAtRisk"] == {"amount": "5.00", "currency": "EUR"}
    shown = _get(till, f"/api/exceptions/{case['caseId']}", who.ed)
    assert [each["type"] for each in shown["evidence"]] == ["payment_intent.succeeded"]
    assert shown["timeline"][0]["text"] == "exception.open"
    for query in (
        "kind=OVERPAID,UNDERPAID",
        "state=open",
        "team=finance",
        f"paymentId={payment['paymentId']}",
        "overdue=false",
        f"q={payment['providerReference']}",
        f"q={payment['orderId']}",
        f"q={case['caseId']}",
        "q=overpaid",
    ):
        # Which verbs are allowed is the reader's own; all else is the same for every reader.
        (found,) = _get(till, f"/api/exceptions?{query}", who.fin)["items"]
        assert found | {"allowedVerbs": case["allowedVerbs"]} == case, query
    for query in ("state=resolved", "overdue=true", "owner=usr_x", "q=zzz"):
        assert _get(till, f"/api/exceptions?{query}", who.fin)["items"] == [], query
    for query in ("kind=NONSENSE", "state=gone", "overdue=perhaps"):
        assert till.get(f"/api/exceptions?{query}", who.fin).status_code == 400, query
    with transaction() as session:
        session.scalars(select(ExceptionCase)).one().sla_due_at = clock.after(-60)
    assert len(_get(till, "/api/exceptions?overdue=true", who.fin)["items"]) == 1
    rows = list(csv.DictReader(io.StringIO(till.get("/api/exceptions?format=csv", who.fin).text)))
    assert [(row["kind"], row["moneyAtRisk"]) for row in rows] == [("OVERPAID", "5.00")]
    with reading() as session:
        assert session.scalars(select(ExceptionCase.kind)).all() == ["OVERPAID"]
