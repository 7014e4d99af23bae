"""Comparisons over the API: begun once, followed, read difference by difference, exported, cancelled."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from core import clock
from domain.event_types import BY_NAME
from tests.api.personas import Persona, Personas
from tests.api.till import Till
from tests.domain import fake_charges, mirror

RUNS = "/api/reconciliation/runs"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def body(**more: object) -> dict[str, Any]:
    now = clock.now()
    window = {"from": clock.rfc3339(now - timedelta(days=2)), "to": clock.rfc3339(now)}
    return {"provider": "stripe"} | window | more


def begin(till: Till, person: Persona, **more: object) -> str:
    answer = till.post(RUNS, person, body(**more))
    assert answer.status_code == 202, answer.text
    found: str = answer.get_json()["runId"]
    return found


def get(till: Till, path: str, person: Persona) -> dict[str, Any]:
    answer = till.get(path, person)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def stock(till: Till, who: Personas) -> dict[str, Any]:
    """One payment all agree on, one of which an event was missed, one that is none of ours."""
    till.settle(till.payment(who.bo))
    missed = till.payment(who.bo)
    record = till.rail.intents[missed["providerReference"]]
    record |= {"status": "succeeded", "amount_received": record["amount"]}
    money = {"status": "succeeded", "amount_received": 900}
    till.rail.intents["=cmd|'/c calc'!A1"] = fake_charges.intent(
        "=cmd|'/c calc'!A1", "", 900, **money
    )
    return missed


def test_a_run_is_begun_followed_and_read(till: Till, who: Personas) -> None:
    missed = stock(till, who)
    run_id = begin(till, who.ed)
    shown = get(till, f"{RUNS}/{run_id}", who.sue)
    assert (shown["status"], shown["progress"]) == ("running", {"done": 0, "total": None})
    mirror.work()
    shown = get(till, f"{RUNS}/{run_id}", who.ann)
    assert (shown["status"], shown["offered"], shown["cause"]) == ("finished", 1, "api")
    assert shown["counts"] == {"compared": 3, "equal": 1, "different": 2}
    assert shown["byKind"] == {"recon_missing_here": 1, "recon_status_differs": 1}
    assert shown["progress"]["done"] == shown["progress"]["total"]
    assert get(till, f"{RUNS}?provider=stripe&status=finished", who.fin)["items"] == [shown]
    assert get(till, f"{RUNS}?status=running,failed", who.fin)["items"] == []
    found = get(till, f"{RUNS}/{run_id}/differences", who.sue)
    by_kind = {row["kind"]: row for row in found["items"]}
    offered = by_kind["recon_status_differs"]
    assert (offered["ours"], offered["theirs"], offered["state"]) == (
        "pending",
        "paid, 25.00 EUR",
        "offered",
    )
    assert (offered["paymentId"], offered["caseId"]) == (missed["paymentId"], None)
    assert by_kind["recon_missing_here"]["amount"] == {"amount": "9.00", "currency": "EUR"}
    assert by_kind["recon_missing_here"]["caseId"]
    assert get(till, f"{RUNS}/{run_id}/differences?state=open", who.sue)["items"] == [
        by_kind["recon_missing_here"]
    ]
    one = get(till, f"{RUNS}/{run_id}/differences?limit=1", who.sue)
    rest = get(till, f"{RUNS}/{run_id}/differences?limit=1&cursor={one['nextCursor']}", who.sue)
    assert [*one["items"], *rest["items"]] == found["items"]
    assert rest["nextCursor"] is None


def test_differences_are_exported_and_no_cell_is_a_formula(till: Till, who: Personas) -> None:
    stock(till, who)
    run_id = begin(till, who.fin)
    mirror.work()
    answer = till.get(f"{RUNS}/{run_id}/differences?format=csv", who.ann)
    cells = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(cells) == 2
    assert not [text for row in cells for text in row.values() if text and text[0] in "=+-@\t\r"]
    assert {row["providerReference"] for row in cells} >= {"'=cmd|'/c calc'!A1"}
    listed = get(till, f"{RUNS}/{run_id}/differences", who.ann)
    assert get(till, f"{RUNS}/{run_id}/differences?format=json", who.ann) == listed
    only = till.get(f"{RUNS}/{run_id}/differences?format=csv&kind=recon_missing_here", who.ann)
    assert len(only.text.splitlines()) == 2


def test_the_same_window_runs_once_and_a_repeated_call_is_answered_again(
    till: Till, who: Personas
) -> None:
    sent = body(reference="nightly-20261121")
    first = till.post(RUNS, who.fin, sent, key="")
    again = till.post(RUNS, who.fin, sent, key="")
    assert (first.status_code, again.get_json()) == (202, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    refused = till.post(RUNS, who.ada, sent | {"reference": "other-20261121"}, key="")
    assert refused.status_code == 409
    assert refused.get_json()["error"]["details"]["runId"] == first.get_json()["runId"]
    assert till.post(RUNS, who.fin, body(), key="").status_code == 400


def test_a_run_is_cancelled_once(till: Till, who: Personas) -> None:
    run_id = begin(till, who.fin)
    path = f"{RUNS}/{run_id}/cancel"
    assert till.post(path, who.ed, {}).status_code == 400
    answer = till.post(path, who.ed, {"reason": "wrong window"})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "cancelled")
    again = till.post(path, who.ed, {"reason": "wrong window"})
    assert again.status_code == 409
    assert again.get_json()["error"]["code"] == "INVALID_TRANSITION"
    mirror.work()
    assert get(till, f"{RUNS}/{run_id}", who.ed)["status"] == "cancelled"
    assert till.post(f"{RUNS}/rec_nobody/cancel", who.ed, {"reason": "x"}).status_code == 404


def test_what_cannot_be_compared_is_refused(till: Till, who: Personas) -> None:
    for changed, field in (
        ({"provider": "nobody"}, "provider"),
        ({"from": "2020-01-01T00:00:00Z"}, "from"),
        ({"to": "2020-01-01T00:00:00Z"}, "to"),
        ({"to": "2199-01-01T00:00:00Z"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"heals": True}, "heals"),
    ):
        answer = till.post(RUNS, who.fin, body(**changed))
        assert answer.status_code == 400, changed
        fields = answer.get_json()["error"]["details"]["fields"]
        assert [each["field"] for each in fields] == [field]


def test_unknown_filters_and_words_are_refused(till: Till, who: Personas) -> None:
    run_id = begin(till, who.fin)
    for path in (
        f"{RUNS}?status=done",
        f"{RUNS}/{run_id}/differences?kind=recon_nothing",
        f"{RUNS}/{run_id}/differences?state=lost",
        f"{RUNS}/{run_id}/differences?format=xml",
    ):
        assert till.get(path, who.fin).status_code == 400, path


def test_support_and_auditors_read_and_do_not_begin(till: Till, who: Personas) -> None:
    run_id = begin(till, who.fin)
    for person in (who.sue, who.ann):
        assert till.get(RUNS, person).status_code == 200
        assert till.post(RUNS, person, body()).status_code == 403
        cancel = till.post(f"{RUNS}/{run_id}/cancel", person, {"reason": "x"})
        assert cancel.status_code == 403
    for stranger in (who.mel, who.bo, who.mels_key):
        for path in (RUNS, f"{RUNS}/{run_id}", f"{RUNS}/{run_id}/differences"):
            assert till.get(path, stranger).status_code == 403


def test_events_of_runs_have_their_types() -> None:
    names = {name for name in BY_NAME if name.startswith("reconciliation.")}
    assert names == {f"reconciliation.{what}" for what in ("started", "progress", "finished")}
