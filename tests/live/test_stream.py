"""GET /api/events/stream and /desk/stream: what a client reads, from where, and who may read it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.events import About
from tests.api.personas import Personas
from tests.live import reader
from tests.live.conftest import happened
from web.hub import hub

STREAM = "/api/events/stream"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SSE_LIMITS": "2,3,50"}


def test_the_stream_begins_with_its_headers_and_the_retry_hint(
    client: FlaskClient, who: Personas
) -> None:
    with closing(client.get(STREAM, headers=who.ada.headers)) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert next(iter(response.response)) == b"retry: 3000\n\n"


def test_an_event_arrives_as_its_type_with_the_feeds_fields(
    client: FlaskClient, who: Personas
) -> None:
    about = About(object_id="ord_1", order_id="ord_1", buyer_id=who.bo.id)
    with closing(client.get(STREAM, headers=who.bo.headers)) as response:
        told = reader.of_response(response)
        [event_id] = happened("order.deposit_paid", about=about, paid="25.00")
        frame = next(told)
    assert (frame.event, frame.id) == ("order.deposit_paid", event_id)
    assert frame.data["alias"] == "purchase-request-update"
    assert frame.data["aliasType"] == "payment_completed"
    one = client.get(f"/api/events/{event_id}", headers=who.bo.headers)
    assert one.get_json() == frame.data


@pytest.mark.parametrize("by_header", [True, False], ids=["header", "query"])
def test_a_stream_resumes_without_gap_or_duplicate(
    client: FlaskClient, who: Personas, by_header: bool
) -> None:
    ids = happened(times=3) + happened(times=3)
    headers = who.ada.headers | ({"Last-Event-ID": ids[1]} if by_header else {})
    query = {} if by_header else {"after": ids[1]}
    with closing(client.get(STREAM, headers=headers, query_string=query)) as response:
        told = reader.of_response(response)
        ids += happened(times=2)
        assert [next(told).id for _ in range(6)] == ids[2:]


def test_the_header_of_a_reconnecting_browser_is_newer_than_its_address(
    client: FlaskClient, who: Personas
) -> None:
    ids = happened(times=4)
    headers = who.ada.headers | {"Last-Event-ID": ids[2]}
    with closing(client.get(STREAM, headers=headers, query_string={"after": ids[0]})) as response:
        assert next(reader.of_response(response)).id == ids[3]


def test_a_lost_place_is_told_once_and_the_stream_goes_on_from_now(
    client: FlaskClient, who: Personas
) -> None:
    [newest] = happened()
    headers = who.ada.headers | {"Last-Event-ID": "evt_forgotten"}
    with closing(client.get(STREAM, headers=headers)) as response:
        told = reader.of_response(response)
        reset = next(told)
        assert (reset.event, reset.data, reset.id) == ("reset", {"after": newest}, newest)
        [later] = happened()
        assert next(told).id == later
    assert client.get("/api/events?after=evt_forgotten", headers=who.ada.headers).status_code == 410


def test_who_may_not_read_is_told_why(client: FlaskClient, who: Personas) -> None:
    def refused(query: str, headers: dict[str, str] | None) -> tuple[int, str]:
        answer = client.get(f"{STREAM}{query}", headers=headers)
        return answer.status_code, answer.get_json()["error"]["code"]

    assert refused("", None) == (401, "UNAUTHENTICATED")
    assert refused("?topics=ops", who.bo.headers) == (403, "FORBIDDEN")
    assert refused("?topics=payment:pay_none", who.bo.headers) == (404, "NOT_FOUND")
    assert refused(f"?topics=merchant:{who.merchant('Eve')}", who.mel.headers) == (404, "NOT_FOUND")
    assert refused("?topics=cats", who.ada.headers) == (400, "VALIDATION_FAILED")
    assert refused("?cats=1", who.ada.headers) == (400, "VALIDATION_FAILED")


def test_nobody_sees_another_tenants_events(client: FlaskClient, who: Personas) -> None:
    own, foreign = who.merchant("Mel's"), who.merchant("Eve's")
    with closing(client.get(STREAM, headers=who.mel.headers)) as response:
        told = reader.of_response(response)
        canary = happened(about=About(object_id="pay_e", payment_id="pay_e", merchant_id=foreign))
        [wanted] = happened(about=About(object_id="pay_m", payment_id="pay_m", merchant_id=own))
        assert next(told).id == wanted
    assert client.get(f"/api/events/{canary[0]}", headers=who.mel.headers).status_code == 404
    feed = client.get("/api/events", headers=who.mel.headers).get_json()
    assert wanted in {item["id"] for item in feed["items"]}
    assert canary[0] not in {item["id"] for item in feed["items"]}


def test_one_stream_too_many_is_refused_until_another_is_closed(
    client: FlaskClient, who: Personas
) -> None:
    headers = who.ada.headers
    first, second = client.get(STREAM, headers=headers), client.get(STREAM, headers=headers)
    refusal = client.get(STREAM, headers=headers)
    assert (refusal.status_code, refusal.get_json()["error"]["code"]) == (503, "STREAM_LIMIT")
    assert int(refusal.headers["Retry-After"]) > 0
    third = client.get(STREAM, headers=who.bo.headers)
    assert client.get(STREAM, headers=who.sal.headers).status_code == 503, "the address has three"
    first.close()
    again = client.get(STREAM, headers=headers)
    assert again.status_code == 200
    for response in (second, third, again):
        response.close()
    assert hub.count == 0


def test_the_feed_ends_with_the_place_to_ask_from_also_when_it_is_empty(
    client: FlaskClient, who: Personas
) -> None:
    ids = happened(times=5) + happened("order.paid", times=2)
    headers = who.ada.headers
    page = client.get(f"/api/events?after={ids[0]}&limit=2", headers=headers).get_json()
    assert [item["id"] for item in page["items"]] == ids[1:3]
    assert page["nextCursor"] == ids[2]
    narrow = client.get(f"/api/events?after={ids[0]}&types=order.paid", headers=headers).get_json()
    assert [item["id"] for item in narrow["items"]] == ids[5:]
    last = client.get(f"/api/events?after={ids[6]}", headers=headers).get_json()
    assert last == {"items": [], "nextCursor": ids[6]}


def test_an_unnumbered_event_is_nobodys_place(client: FlaskClient, who: Personas) -> None:
    from domain import database, events

    row = events.row("payment.created", About(object_id="pay_1"), source="test:1")
    with database.transaction() as session:
        events.append(session, [row])
    assert client.get(f"/api/events/{row['id']}", headers=who.ada.headers).status_code == 404


def test_the_instance_folder_holds_the_lock_of_the_streams(
    app: Flask, client: FlaskClient, who: Personas
) -> None:
    client.get(STREAM, headers=who.ada.headers).close()
    folder: Path = app.config["PAYDESK"].instance
    assert (folder / "streams.lock").exists()
