"""One key, one effect: replays, mismatches, races, refusals and take-overs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core import clock
from core.errors import Conflict, Forbidden, Frozen, InvalidInput, LostRace, NotFound, Unavailable
from domain.database import reading
from models.audit import AuditRow
from models.idempotency import IdempotencyKey
from tests.api.personas import Personas
from tests.api.probe import Probe

THINGS = "/api/probe/things"
KEY = {"Idempotency-Key": "key-0123456789"}


def effects() -> int:
    with reading() as session:
        statement = select(func.count()).where(AuditRow.action == "probe.ran")
        return session.scalar(statement) or 0


def code(answer: Any) -> str:
    return str(answer.json["error"]["code"])


def test_a_repeat_gets_the_first_answer_byte_for_byte(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    first = client.post(THINGS, json={"note": "one"}, headers=who.bo.headers | KEY)
    again = client.post(THINGS, json={"note": "one"}, headers=who.bo.headers | KEY)
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"] == "/api/probe/things/1"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert (probed.runs, effects()) == (1, 1)


def test_white_space_and_order_of_fields_are_no_other_request(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    def post(body: bytes) -> Any:
        return client.post(
            THINGS, data=body, content_type="application/json", headers=who.bo.headers | KEY
        )

    assert post(b'{"note":"a","count":3}').status_code == 201
    assert post(b' {"count": 3,\n "note": "a"}').headers["Idempotent-Replayed"] == "true"
    assert code(post(b'{"note":"a","count":4}')) == "IDEMPOTENCY_KEY_REUSED"


def test_one_key_never_serves_two_requests(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    headers = who.bo.headers | KEY
    assert client.post(THINGS, json={"note": "one"}, headers=headers).status_code == 201
    other = [
        client.post(THINGS, json={"note": "two"}, headers=headers),
        client.post("/api/probe/optional", json={"note": "one"}, headers=headers),
        client.post("/api/probe/x/steps", json={"note": "one"}, headers=headers),
        client.post(f"{THINGS}?x=1", json={"note": "one"}, headers=headers),
        client.post(THINGS, data=b"{broken", content_type="application/json", headers=headers),
    ]
    for answer in other:
        assert (answer.status_code, code(answer)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert probed.runs == 1


def test_each_principal_has_keys_of_their_own(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    for caller in (who.bo, who.mel, who.mels_key, who.sue):
        answer = client.post(THINGS, json={"note": caller.id}, headers=caller.headers | KEY)
        assert answer.status_code == 201
    assert probed.runs == 4


def test_the_reference_stands_in_for_the_header_and_the_header_wins(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    body = {"note": "one", "reference": "reference-1"}
    assert client.post(THINGS, json=body, headers=who.bo.headers).status_code == 201
    again = client.post(THINGS, json=body, headers=who.bo.headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    with_header = client.post(THINGS, json=body, headers=who.bo.headers | KEY)
    assert (with_header.status_code, probed.runs) == (201, 2)
    assert "Idempotent-Replayed" not in with_header.headers
    short = client.post(THINGS, json={"reference": "short"}, headers=who.bo.headers)
    assert code(short) == "IDEMPOTENCY_KEY_INVALID"


def test_an_optional_key_may_be_left_out(probed: Probe, client: FlaskClient, who: Personas) -> None:
    for _ in range(2):
        assert (
            client.post("/api/probe/optional", json={}, headers=who.bo.headers).status_code == 201
        )
    for _ in range(2):
        client.post("/api/probe/optional", json={}, headers=who.bo.headers | KEY)
    assert probed.runs == 3


def test_refusals_of_executed_work_are_answers_too(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    errors = [NotFound("gone"), Conflict("no", code="ORDER_ALREADY_PAID"), Frozen("held")]
    for number, error in enumerate(errors):
        headers = who.bo.headers | {"Idempotency-Key": f"refused-key-{number}"}
        probed.failing = error
        first = client.post(THINGS, json={}, headers=headers)
        probed.failing = None
        again = client.post(THINGS, json={}, headers=headers)
        assert first.status_code == again.status_code == error.http_status
        assert first.data == again.data
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json["error"]["requestId"] == first.headers["X-Request-Id"]
    assert (probed.runs, effects()) == (3, 0)


def test_refusals_that_executed_nothing_are_not_kept(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    errors = [
        InvalidInput("no"),
        Forbidden("no"),
        Unavailable("no"),
        LostRace(),
        RuntimeError("bug"),
    ]
    for number, error in enumerate(errors):
        headers = who.bo.headers | {"Idempotency-Key": f"not-kept-key-{number}"}
        probed.failing = error
        assert client.post(THINGS, json={}, headers=headers).status_code >= 400
        probed.failing = None
        assert client.post(THINGS, json={}, headers=headers).status_code == 201
    assert (probed.runs, effects()) == (10, 5)


def test_a_running_key_answers_409_until_it_is_done(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    headers = who.bo.headers | KEY
    answer = client.post("/api/probe/x/steps", json={}, headers=headers)
    assert answer.status_code == 201
    with reading() as session:
        row = session.scalars(select(IdempotencyKey)).one()
    assert row.state == "done"
    _hang(probed, client, headers)


def _hang(probed: Probe, client: FlaskClient, headers: dict[str, str]) -> None:
    probed.failing = KeyboardInterrupt()  # type: ignore[assignment]  # as a killed process: no answer
    headers = headers | {"Idempotency-Key": "another-key-1"}
    with pytest.raises(KeyboardInterrupt):
        client.post("/api/probe/x/steps", json={}, headers=headers)
    probed.failing = None
    waiting = client.post("/api/probe/x/steps", json={}, headers=headers)
    assert (waiting.status_code, code(waiting)) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert int(waiting.headers["Retry-After"]) > 0
    other = client.post("/api/probe/x/steps", json={"note": "x"}, headers=headers)
    assert code(other) == "IDEMPOTENCY_KEY_REUSED"
    with time_machine.travel(clock.after(31), tick=True):
        assert client.post("/api/probe/x/steps", json={}, headers=headers).status_code == 201


def test_a_key_ends_after_its_time(probed: Probe, client: FlaskClient, who: Personas) -> None:
    client.post(THINGS, json={}, headers=who.mels_key.headers | KEY)
    with time_machine.travel(clock.after(31 * 24 * 3600), tick=True):
        answer = client.post(THINGS, json={"note": "x"}, headers=who.mels_key.headers | KEY)
    assert (answer.status_code, probed.runs) == (201, 2)


def test_of_many_at_once_one_runs(probed: Probe, who: Personas) -> None:
    headers = who.bo.headers | KEY

    def post(_: int) -> tuple[int, bytes]:
        answer = probed.app.test_client().post(THINGS, json={"note": "x"}, headers=headers)
        return answer.status_code, answer.data if answer.status_code == 201 else b""

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(post, range(48)))
    assert {status for status, _ in answers} <= {201, 409}
    assert len({body for status, body in answers if status == 201}) == 1
    assert (probed.runs, effects()) == (1, 1)


def test_the_stored_answer_is_sealed(probed: Probe, client: FlaskClient, who: Personas) -> None:
    client.post(THINGS, json={"note": "canary-note"}, headers=who.bo.headers | KEY)
    with reading() as session:
        row = session.scalars(select(IdempotencyKey)).one()
    assert row.body_sealed is not None
    assert b"canary-note" not in row.body_sealed
    assert (row.status, row.principal) == (201, who.bo.id)
