"""What the API takes for a body and a query, and what it refuses before anything uses it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.probe import Probe

ECHO = "/api/probe/echo"
VISA = "4242424242424242"


@pytest.fixture
def environ(sqlite_url: str, instance: Any) -> dict[str, str]:
    """One database is enough: nothing here reaches it."""
    from tests.rig import environment

    return environment.settings(sqlite_url, instance)


def post(client: FlaskClient, body: bytes) -> Any:
    return client.post(ECHO, data=body, content_type="application/json")


NOT_STRICT = [
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"1",
    b'{"note": "a", "note": "b"}',
    b'{"metadata": {"a": "1", "a": "2"}}',
    b'{"count": NaN}',
    b'{"count": Infinity}',
    b'{"count": -Infinity}',
    b'{"note": "\xff"}',
    b'\xef\xbb\xbf{"note": "a"}',
    b"[" * 100_000,
    b'{"note":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"count": ' + b"1" * 5_000 + b"}",
    b"{'note': 'a'}",
    b'{"note": "a",}',
    b'{"note": "a"} trailing',
    b'{"note": "line\nbreak"}',
]


def test_what_is_no_strict_json_object_is_malformed(probed: Probe, client: FlaskClient) -> None:
    for body in NOT_STRICT:
        answer = post(client, body)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "MALFORMED_JSON"), body[
            :60
        ]


BAD_FIELDS = [
    ({"unknown": 1}, "unknown"),
    ({"count": "3"}, "count"),
    ({"count": 0}, "count"),
    ({"count": 3.5}, "count"),
    ({"count": True}, "count"),
    ({"flag": "true"}, "flag"),
    ({"flag": 1}, "flag"),
    ({"note": 5}, "note"),
    ({"note": ""}, "note"),
    ({"note": "   "}, "note"),
    ({"note": "x" * 4097}, "note"),
    ({"note": "nul\x00"}, "note"),
    ({"note": "\ud800"}, "note"),
    ({"at": "2026-11-21"}, "at"),
    ({"at": "2026-11-21T09:30:00"}, "at"),
    ({"at": 1795000000}, "at"),
    ({"at": "2026-13-41T09:30:00Z"}, "at"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {str(n): "x" for n in range(51)}}, "metadata"),
    ({"parts": ["x"] * 1001}, "parts"),
    ({"parts": "x"}, "parts"),
    ({"reference": "no good"}, "reference"),
    ({"count": 2**63}, "count"),
    ({str(n): 1 for n in range(101)}, ""),
]


def test_each_bad_field_is_named(probed: Probe, client: FlaskClient) -> None:
    for body, field in BAD_FIELDS:
        answer = post(client, json.dumps(body).encode())
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "VALIDATION_FAILED"), (
            field
        )
        assert field in [row["field"] for row in answer.json["error"]["details"]["fields"]], field
        assert all(
            row["code"] and row["message"] for row in answer.json["error"]["details"]["fields"]
        )


def test_all_bad_fields_are_named_at_once(probed: Probe, client: FlaskClient) -> None:
    answer = post(client, b'{"count": 11, "note": 1, "mystery": 1}')
    named = {row["field"] for row in answer.json["error"]["details"]["fields"]}
    assert named == {"count", "note", "mystery"}


def test_an_empty_body_is_an_empty_object(probed: Probe, client: FlaskClient) -> None:
    assert client.post(ECHO).status_code == 200
    assert post(client, b"{}").status_code == 200


def test_times_are_read_with_their_offset(probed: Probe, client: FlaskClient) -> None:
    answer = post(client, b'{"at": "2026-11-21T09:30:00.5+02:00"}')
    assert answer.json["at"] == "2026-11-21T07:30:00.500000+00:00"


WITH_CARDS = [
    {"note": VISA},
    {"note": f"my card is {VISA}, thanks"},
    {"note": "4242 4242 4242 4242"},
    {"note": "4242-4242-4242-4242"},
    {"metadata": {"card": "378282246310005"}},
    {"metadata": {VISA: "x"}},
    {"parts": ["a", "6011111111111117"]},
    {"count": 4242424242424242},
    {"unknown": {"deep": [VISA]}},
    {"amount": VISA},
]


def test_a_card_number_is_refused_wherever_it_is_put_and_never_repeated(
    probed: Probe, client: FlaskClient
) -> None:
    for body in WITH_CARDS:
        answer = post(client, json.dumps(body).encode())
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "CARD_NUMBER_REFUSED")
        assert not any(
            digits in answer.text for digits in (VISA, "378282246310005", "6011111111111117")
        )


def test_digits_that_are_no_card_number_pass(probed: Probe, client: FlaskClient) -> None:
    assert (
        post(client, b'{"note": "4242424242424243 and order 1234567890123456"}').status_code == 200
    )


BAD_QUERIES = [
    ("mystery=1", "mystery"),
    ("state=a&state=b", "state"),
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=ten", "limit"),
    ("most=1.5", "most"),
    ("demo=perhaps", "demo"),
    ("from=yesterday", "from"),
    ("to=1795000000", "to"),
    ("cursor=" + "x" * 201, "cursor"),
    ("since=2026-11-21T00:00:00Z", "since"),
    ("state=%00", "state"),
]


def test_a_bad_query_is_refused(probed: Probe, client: FlaskClient) -> None:
    for query, field in BAD_QUERIES:
        answer = client.get(f"/api/probe/things?{query}")
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "VALIDATION_FAILED"), (
            field
        )
        assert field in [row["field"] for row in answer.json["error"]["details"]["fields"]], field


def test_a_good_query_is_read_by_its_types(probed: Probe, client: FlaskClient) -> None:
    answer = client.get(
        "/api/probe/things?state=open,%20closed&limit=7&demo=true&most=3&from=2026-11-21T00:00:00Z"
    )
    assert answer.json == {"state": ["open", "closed"], "limit": 7, "demo": True, "most": 3}


def test_a_card_number_in_the_query_is_refused(probed: Probe, client: FlaskClient) -> None:
    answer = client.get(f"/api/probe/things?state={VISA}")
    assert answer.json["error"]["code"] == "CARD_NUMBER_REFUSED"


AMOUNTS = [
    ('{"amount": "125.00", "currency": "EUR"}', {"amount": "125.00", "currency": "EUR"}),
    ('{"amount": 125, "currency": "EUR"}', {"amount": "125.00", "currency": "EUR"}),
    ('{"amount": 125.5, "currency": "eur"}', {"amount": "125.50", "currency": "EUR"}),
    ('{"amount": 0.1, "currency": "EUR"}', {"amount": "0.10", "currency": "EUR"}),
    ('{"amount": 1e2, "currency": "EUR"}', {"amount": "100.00", "currency": "EUR"}),
    ('"19.99"', {"amount": "19.99", "currency": "EUR"}),
    ("19.99", {"amount": "19.99", "currency": "EUR"}),
    (
        '{"amount": 90071992547409.93, "currency": "EUR"}',
        {"amount": "90071992547409.93", "currency": "EUR"},
    ),
]


def test_amounts_are_read_from_their_text(probed: Probe, client: FlaskClient) -> None:
    for amount, read in AMOUNTS:
        answer = post(client, f'{{"amount": {amount}}}'.encode())
        assert (answer.status_code, answer.json.get("amount")) == (200, read)


NO_AMOUNTS = [
    '{"amount": "125.001", "currency": "EUR"}',
    '{"amount": 0.001, "currency": "EUR"}',
    '{"amount": "0", "currency": "EUR"}',
    '{"amount": -1, "currency": "EUR"}',
    '{"amount": "1.5", "currency": "JPY"}',
    '{"amount": "1", "currency": "ZZZ"}',
    '{"amount": "1", "currency": 978}',
    '{"amount": "1e2", "currency": "EUR"}',
    '{"amount": "NaN", "currency": "EUR"}',
    '{"amount": " 1", "currency": "EUR"}',
    '{"amount": "1,50", "currency": "EUR"}',
    '{"amount": "\\u0661", "currency": "EUR"}',
    '{"amount": true, "currency": "EUR"}',
    '{"amount": null, "currency": "EUR"}',
    '{"amount": 1e999999999, "currency": "EUR"}',
    '{"amount": 1e-999999999, "currency": "EUR"}',
    '{"amount": "99999999999999999999", "currency": "EUR"}',
    '{"amount": "1", "currency": "USD"}',
    '{"amount": "1", "currency": "EUR", "more": 1}',
    '{"currency": "EUR"}',
    "[1]",
    "0",
    "-5",
    '""',
]


def test_amounts_that_are_none_are_refused(probed: Probe, client: FlaskClient) -> None:
    for amount in NO_AMOUNTS:
        answer = post(client, f'{{"amount": {amount}}}'.encode())
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "VALIDATION_FAILED")
        assert answer.json["error"]["details"]["fields"][0]["field"].startswith("amount")
