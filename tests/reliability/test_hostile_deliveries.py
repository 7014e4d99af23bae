"""Whatever is sent to the webhook door: the signed is kept, the unsigned refused, nothing breaks or hangs."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from domain.jobs import worker
from tests.reliability import clients
from tests.reliability.clients import Answer, at_once, deliver, send, signed
from tests.reliability.stage import Stage
from tests.rig import checker, product

PATH = product.STRIPE_WEBHOOK_PATH
LIMIT = 256 * 1024


def event(**changes: object) -> dict[str, object]:
    """Write an event of Stripe's about an intent that is not ours."""
    subject = {"id": "pi_nobody", "object": "payment_intent", "status": "succeeded", "metadata": {}}
    said: dict[str, object] = {
        "id": "evt_hostile",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_700_000_000,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": subject | {"amount": 2500, "amount_received": 2500, "currency": "eur"}},
    }
    return said | changes


def text(**changes: object) -> bytes:
    return json.dumps(event(**changes)).encode()


def spliced(name: str, raw: str) -> bytes:
    """Write an event whose field `name` is this raw text."""
    return json.dumps(event(**{name: "@@"})).replace('"@@"', raw).encode()


# Signed by Stripe's own secret and still nonsense: each is kept for a person, none has an effect.
BODIES: dict[str, bytes] = {
    "empty": b"",
    "space": b" \n\t ",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"evt"',
    "array": b"[]",
    "array of events": b"[" + text() + b"]",
    "no fields": b"{}",
    "no id": json.dumps({k: v for k, v in event().items() if k != "id"}).encode(),
    "no type": json.dumps({k: v for k, v in event().items() if k != "type"}).encode(),
    "empty id": text(id=""),
    "id is a number": text(id=7),
    "id is an object": text(id={"a": 1}),
    "type is a list": text(type=["payment_intent.succeeded"]),
    "long id": text(id="e" * 300),
    "long type": text(type="t" * 70),
    "thin event": text(object="v2.core.event"),
    "cut off": text()[:-1],
    "two documents": text() + text(),
    "trailing comma": text()[:-1] + b",}",
    "single quotes": text().replace(b'"', b"'"),
    "comment": b"/* hello */" + text(),
    "form": b"id=evt_1&type=payment_intent.succeeded",
    "xml": b"<?xml version='1.0'?><event/>",
    "not UTF-8": text().replace(b"evt_hostile", b"evt_\xff\xfe"),
    "UTF-16": text().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + text(),
    "lone surrogate": text().replace(b"evt_hostile", b"evt_\\ud800"),
    "NUL in the id": text(id="evt_\u0000"),
    "raw NUL": text().replace(b"evt_hostile", b"evt_\x00"),
    "duplicate key": text()[:-1] + b', "id": "evt_other"}',
    "duplicate key inside": text().replace(b'"amount":', b'"amount": 1, "amount":'),
    "NaN": spliced("created", "NaN"),
    "Infinity": spliced("created", "Infinity"),
    "minus Infinity": spliced("created", "-Infinity"),
    "5,000 digits": spliced("created", "9" * 5000),
    "huge exponent": spliced("created", "1e999999999"),
    "deep array": spliced("data", "[" * 200_00 + "]" * 200_00),
    "deep object": spliced("data", '{"a":' * 5000 + "1" + "}" * 5000),
    "unclosed brackets": b"[" * 200_000,
    "leading zero": spliced("created", "0123"),
}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The settings of `app`, with a rail that verifies and is never called."""
    return environ | product.stripe_settings("http://127.0.0.1:9")


def post(client: FlaskClient, body: bytes) -> int:
    headers = {"Stripe-Signature": signed(body), "Content-Type": "application/json"}
    return client.post(PATH, data=body, headers=headers).status_code


def test_signed_nonsense_is_kept_for_a_person_and_has_no_effect(
    client: FlaskClient, database_url: str
) -> None:
    assert len(BODIES) >= 40
    told = {name: post(client, body) for name, body in BODIES.items()}
    assert {name: status for name, status in told.items() if status != 200} == {}
    worker.work_until_idle()
    states = "select state, count(*) from inbound_events group by state"
    assert checker.rows(database_url, states) == [("quarantined", len(BODIES))]
    assert {post(client, body) for body in BODIES.values()} == {200}
    assert worker.work_until_idle() == 0
    assert checker.rows(database_url, states) == [("quarantined", len(BODIES))]
    assert checker.rows(database_url, "select 1 from payments") == []


def test_events_of_another_mode_or_account_are_set_aside(
    client: FlaskClient, database_url: str
) -> None:
    bodies = [
        text(id="evt_live", livemode=True),
        text(id="evt_account", account="acct_other"),
        text(id="evt_both", livemode=True, account="acct_other"),
    ]
    assert [post(client, body) for body in bodies] == [200] * 3
    assert worker.work_until_idle() == 0
    found = checker.rows(
        database_url, "select provider_event_id, state, verdict from inbound_events"
    )
    assert {row[0]: row[1] for row in found} == {
        "evt_live": "quarantined",
        "evt_account": "quarantined",
        "evt_both": "quarantined",
    }
    assert all(row[2] for row in found)


def test_fields_missing_renamed_or_of_another_type_never_move_money(
    client: FlaskClient, database_url: str
) -> None:
    subject = dict(event()["data"]["object"])  # type: ignore[index]
    mutants: list[bytes] = []
    for name, known in subject.items():
        without = {key: value for key, value in subject.items() if key != name}
        variants = [without, without | {f"{name}_v2": known}]
        odd: tuple[object, ...] = (None, [], {}, "x", "a\0b", "\ud800", -1, 2**70, True, 1.5)
        variants += [subject | {name: value} for value in odd]
        for variant in variants:
            body = {"id": f"evt_{len(mutants)}", "data": {"object": variant}}
            mutants.append(text(**body))
    assert {post(client, body) for body in mutants} == {200}
    worker.work_until_idle()
    states = dict(
        checker.rows(database_url, "select state, count(*) from inbound_events group by state")
    )
    assert set(states) <= {"unmatched", "quarantined", "failed", "ignored"}
    assert sum(states.values()) == len(mutants)
    assert checker.rows(database_url, "select 1 from journal_entries") == []


def mutated(chance: random.Random, body: bytes) -> tuple[bytes, str]:
    """Spoil a signed delivery in one way: a bit of the body, a character of the header, its scheme."""
    header = signed(body)
    stamp, mac = header.split(",")
    place = chance.randrange(len(body))
    flipped = body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]
    at = chance.randrange(3, len(mac))
    digit = chance.choice([c for c in "0123456789abcdefg" if c != mac[at]])
    ways: list[tuple[bytes, str]] = [
        (flipped, header),
        (body, f"{stamp},{mac[:at]}{digit}{mac[at + 1 :]}"),
        (body, f"{stamp},{mac.replace('v1=', 'v0=')}"),
        (body, f"{stamp},{stamp},{mac}"),
        (body, f"t={int(stamp[2:]) + chance.choice((-1, 1, 60))},{mac}"),
        (body, signed(body, at=int(stamp[2:]) + chance.choice((-301, 360, -(10**9), 3 * 10**8)))),
        (body, signed(body, secret=product.STRIPE_WEBHOOK_SECRET + chance.choice("abc"))),
        (body, ""),
        (body, mac),
        (body, stamp),
        (body + b" ", header),
        (body, header.replace("=", ":", 1)),
        (body, f"{stamp},v1={'0' * 64}" + ",v1=" * chance.randrange(1, 30)),
        (body, header.upper()),
    ]
    return chance.choice(ways)


@pytest.mark.kill
def test_two_thousand_spoiled_deliveries_are_all_refused(stage: Stage) -> None:
    chance = random.Random(20261121)
    address = urlsplit(stage.web.url)
    told = Counter[int]()
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    with closing(connection):
        for number in range(1000):
            body, header = mutated(chance, text(id=f"evt_spoiled_{number}"))
            headers = {"Content-Type": "application/json", "Stripe-Signature": header}
            connection.request("POST", PATH, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            told[answer.status] += 1
    assert told == {401: 1000}
    kept = "select 1 from inbound_events where provider_event_id like 'evt_spoiled%'"
    assert stage.ask(kept) == []


@pytest.mark.kill
def test_bodies_that_are_too_long_chunked_or_packed_are_refused_unread(stage: Stage) -> None:
    long = b"x" * (LIMIT + 1024)
    assert deliver(stage.web.url, long).status == 413
    assert deliver(stage.web.url, text(), Content_Encoding="identity").status == 200
    packed = gzip.compress(b"0" * 10_000_000)
    assert deliver(stage.web.url, packed, Content_Encoding="gzip").status == 415
    assert raw(stage.web.url, "Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n") == 411
    chunks = b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(5)) + b"0\r\n\r\n"
    assert raw(stage.web.url, "Transfer-Encoding: chunked", chunks) == 411
    assert raw(stage.web.url, "X-Length: none", b"") in (401, 411)


def head(extra: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", extra]
    return "\r\n".join([*lines, "", ""]).encode()


def connected(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), 20)


def raw(url: str, extra: str, body: bytes) -> int:
    """Send a request by hand. Gives the status of the answer."""
    with closing(connected(url)) as peer:
        # Refused and closed before the end; the answer is there all the same.
        with suppress(OSError):
            peer.sendall(head(extra) + body)
        return int(peer.recv(4096).split(b" ", 2)[1])


@pytest.fixture
def liars(stage: Stage) -> Iterator[list[socket.socket]]:
    """Twelve connections that promise a body and keep it back, all but its first bytes."""
    with ExitStack() as opened:
        peers = [opened.enter_context(closing(connected(stage.web.url))) for _ in range(12)]
        for number, peer in enumerate(peers):
            peer.sendall(head("Content-Length: 2000") + b"{" * number)
        yield peers


@pytest.mark.kill
def test_clients_that_keep_their_body_back_do_not_hold_others_up(
    stage: Stage, liars: list[socket.socket]
) -> None:
    bodies = [text(id=f"evt_meanwhile_{number}") for number in range(16)]

    def sender(body: bytes) -> Callable[[], Answer]:
        return lambda: deliver(stage.web.url, body)

    assert {answer.status for answer in at_once([sender(body) for body in bodies])} == {200}
    for drop in b" " * 8:
        for peer in liars:
            peer.send(bytes([drop]))
        assert send(stage.web.url, "GET", "/healthz").status == 200
    clients.until(
        lambda: (
            stage.ask(
                "select count(*) from inbound_events where provider_event_id like 'evt_mean%'"
            )
            == [(16,)]
        ),
        what="the deliveries of the honest",
    )
