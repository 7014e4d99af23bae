"""The webhook door: what is signed is stored once and acknowledged, what is not leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, func, select

from core import clock
from domain import database
from domain.database import reading
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import JournalEntry
from tests.api.personas import Personas
from tests.api.till import WEBHOOK, Till, code, signature
from tests.rig import environment
from web.extensions import limiter


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def rows() -> list[InboundEvent]:
    with reading() as session:
        return list(session.scalars(select(InboundEvent)))


STAMP = clock.unix()


def event(**more: object) -> bytes:
    said = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "created": STAMP,
        "livemode": False,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
    }
    return json.dumps(said | more).encode()


def test_a_signed_event_is_stored_before_it_is_acknowledged(till: Till) -> None:
    answer = till.deliver(event())
    assert (answer.status_code, answer.data) == (200, b'{"received":true}')
    assert answer.content_type == "application/json"
    (row,) = rows()
    assert (row.provider_event_id, row.state, row.mode) == ("evt_1", "received", "test")
    assert row.body_sealed is not None
    assert b"customer" not in row.body_sealed


def test_a_redelivery_is_acknowledged_and_counted_only(till: Till) -> None:
    for _ in range(3):
        assert till.deliver(event()).status_code == 200
    (row,) = rows()
    assert row.duplicates == 2


def test_many_copies_at_once_are_one_row_one_effect_and_all_acknowledged(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    amount = till.rail.intents[payment["providerReference"]]["amount"]
    body = till.event(
        "payment_intent.succeeded", payment, status="succeeded", amount_received=amount
    )
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: till.deliver(body).status_code, range(64)))
    assert answers == [200] * 64
    till.work()
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(InboundEvent)) == 1
        assert session.scalar(select(func.count()).select_from(JournalEntry)) == 1
        told = select(func.count()).where(EventLog.type == "payment.succeeded")
        assert session.scalar(told) == 1
    assert rows()[0].duplicates == 63


def _broken_signatures(body: bytes) -> Iterator[tuple[str, str | None]]:
    good = signature(body)
    stamp, _, mac = good.partition(",v1=")
    yield "none", None
    yield "empty", ""
    yield "no scheme", mac
    yield "only the stamp", stamp
    yield "only the mac", f"v1={mac}"
    yield "old scheme", f"{stamp},v0={mac}"
    yield "one bit off", f"{stamp},v1={'0' if mac[0] != '0' else '1'}{mac[1:]}"
    yield "cut short", f"{stamp},v1={mac[:-1]}"
    yield "upper case", f"{stamp},v1={mac.upper()}"
    yield "two stamps", f"{stamp},{stamp},v1={mac}"
    yield "other stamp", f"t={int(stamp[2:]) + 1},v1={mac}"
    yield "no number", f"t=soon,v1={mac}"
    yield "huge number", f"t={'9' * 400},v1={mac}"
    yield "other secret", signature(body, secret="whsec_other")
    yield "empty secret", signature(body, secret="")
    yield "too old", signature(body, at=clock.unix() - 310)
    yield "from the future", signature(body, at=clock.unix() + 310)
    yield "ten years ahead", signature(body, at=clock.unix() + 315_360_000)
    yield "too long", good + ",v1=" + "0" * 5000
    yield "too many", stamp + f",v1={'0' * 64}" * 30 + f",v1={mac}"
    yield "not ascii", f"{stamp},v1={mac[:-1]}é"


def test_no_broken_signature_is_accepted_and_nothing_is_stored(till: Till) -> None:
    body = event()
    client = till.app.test_client()
    for name, header in _broken_signatures(body):
        headers = {} if header is None else {"Stripe-Signature": header}
        answer = client.post(WEBHOOK, data=body, headers=headers)
        assert answer.status_code == 401, name
        assert code(answer) == "WEBHOOK_INVALID_SIGNATURE", name
    changed = client.post(WEBHOOK, data=body + b" ", headers={"Stripe-Signature": signature(body)})
    assert changed.status_code == 401
    assert rows() == []


def test_the_edges_of_the_tolerance_are_accepted(till: Till) -> None:
    for number, shift in enumerate((-295, 295)):
        body = event(id=f"evt_edge_{number}")
        at = clock.unix() + shift
        assert till.deliver(body, Stripe_Signature=signature(body, at=at)).status_code == 200
    second = f"{signature(event()).replace(',v1=', f',v1={chr(48) * 64},v1=')}"
    assert till.deliver(event(), Stripe_Signature=second).status_code == 200


def test_without_a_secret_every_delivery_is_refused(app: Flask) -> None:
    body = event()
    headers = {"Stripe-Signature": signature(body, secret="")}
    answer = app.test_client().post(WEBHOOK, data=body, headers=headers)
    assert (answer.status_code, code(answer)) == (401, "WEBHOOK_INVALID_SIGNATURE")


def test_form_is_checked_before_anything_is_read(till: Till) -> None:
    client, body = till.app.test_client(), event()
    signed = {"Stripe-Signature": signature(body)}
    chunked = client.post(
        WEBHOOK, data=body, headers=signed, environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked"}
    )
    assert (chunked.status_code, code(chunked)) == (411, "LENGTH_REQUIRED")
    big = b" " * (256 * 1024 + 1)
    large = client.post(WEBHOOK, data=big, headers={"Stripe-Signature": signature(big)})
    assert (large.status_code, code(large)) == (413, "BODY_TOO_LARGE")
    packed = client.post(WEBHOOK, data=body, headers=signed | {"Content-Encoding": "gzip"})
    assert (packed.status_code, code(packed)) == (415, "UNSUPPORTED_MEDIA")
    assert client.get(WEBHOOK).status_code == 405
    typed = client.post(WEBHOOK, data=body, headers=signed | {"Content-Type": "text/weird"})
    assert typed.status_code == 200


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n ",
    "not utf-8": b'{"id":"\xff\xfe"}',
    "utf-16": json.dumps({"id": "evt_1"}).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"id":"evt_1","type":"x.y"}',
    "only a nul": b"\x00",
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "deep but whole": b'{"id":"evt_d","type":"a.b","data":' + b"[" * 40 + b"]" * 40 + b"}",
    "top-level array": b"[1,2,3]",
    "top-level string": b'"evt_1"',
    "top-level number": b"5",
    "top-level null": b"null",
    "top-level true": b"true",
    "nan": b'{"id":"evt_1","type":"x.y","created":NaN}',
    "infinity": b'{"id":"evt_1","type":"x.y","created":-Infinity}',
    "huge integer": b'{"id":"evt_1","type":"x.y","created":' + b"9" * 5000 + b"}",
    "huge exponent": b'{"id":"evt_1","type":"x.y","created":1e999999999}',
    "duplicate keys": b'{"id":"evt_1","id":"evt_2","type":"x.y"}',
    "duplicate keys inside": b'{"id":"evt_1","type":"x.y","data":{"object":{"id":"a","id":"b"}}}',
    "trailing comma": b'{"id":"evt_1",}',
    "trailing text": b'{"id":"evt_1","type":"x.y"} extra',
    "cut short": b'{"id":"evt_1","type":"paym',
    "no id": b'{"type":"payment_intent.succeeded","data":{"object":{}}}',
    "no type": b'{"id":"evt_1"}',
    "id is a number": b'{"id":5,"type":"x.y"}',
    "id is an object": b'{"id":{},"type":"x.y"}',
    "id is empty": b'{"id":"","type":"x.y"}',
    "id is endless": b'{"id":"' + b"a" * 5000 + b'","type":"x.y"}',
    "type is a list": b'{"id":"evt_1","type":["x"]}',
    "type is endless": b'{"id":"evt_1","type":"' + b"t" * 5000 + b'"}',
    "nul in the id": b'{"id":"evt\\u0000x","type":"x.y"}',
    "nul in the type": b'{"id":"evt_n","type":"x\\u0000y"}',
    "half a surrogate in the id": b'{"id":"evt_\\ud800","type":"x.y"}',
    "half a surrogate in the type": b'{"id":"evt_s","type":"\\udfff"}',
    "nul in the reference": b'{"id":"evt_r","type":"payment_intent.succeeded","data":{"object":{"id":"pi_\\u0000"}}}',
    "nul in the account": b'{"id":"evt_a","type":"x.y","account":"acct_\\u0000"}',
    "thin v2 event": b'{"id":"evt_v2","object":"v2.core.event","type":"v2.core.x"}',
    "html": b"<html><body>503</body></html>",
    "form": b"id=evt_1&type=x.y",
}  # fmt: skip


def test_there_are_forty_hostile_bodies() -> None:
    assert len(HOSTILE) == 40


def test_a_signed_hostile_body_is_quarantined_and_acknowledged(till: Till, who: Personas) -> None:
    for name, body in HOSTILE.items():
        answer = till.deliver(body)
        assert answer.status_code == 200, f"{name}: {answer.status_code}"
    assert len(rows()) == len(HOSTILE)
    till.work()
    stored = {row.id: row for row in rows()}
    for row in stored.values():
        assert row.state in ("quarantined", "ignored"), (row.state, row.verdict, row.last_error)
        shown = till.get(f"/api/inbound-events/{row.id}", who.ed)
        assert shown.status_code == 200
        assert shown.json is not None
        assert till.post(f"/api/inbound-events/{row.id}/preview", who.ed, key="").status_code == 200
    quarantined = [row for row in stored.values() if row.state == "quarantined"]
    assert len(quarantined) >= 35
    assert till.get("/api/inbound-events?state=quarantined&limit=200", who.ed).status_code == 200
    # The process still works.
    assert till.deliver(event(id="evt_after")).status_code == 200


@pytest.mark.parametrize(
    "more", [{"livemode": True}, {"account": "acct_other"}], ids=["wrong mode", "wrong account"]
)
def test_an_event_of_another_mode_or_account_is_set_aside(till: Till, more: dict[str, Any]) -> None:
    assert till.deliver(event(**more)).status_code == 200
    (row,) = rows()
    assert row.state == "quarantined"
    assert row.verdict


def test_a_changed_body_under_the_same_id_opens_a_case(till: Till) -> None:
    till.deliver(event())
    till.deliver(event(pending_webhooks=3))
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(ExceptionCase)) == 0
    till.deliver(event(type="customer.deleted"))
    with reading() as session:
        kinds = list(session.scalars(select(ExceptionCase.kind)))
    assert kinds == ["DUPLICATE_CONFLICT"]


def test_with_the_database_away_the_sender_is_told_to_come_again(till: Till, tmp_path: Any) -> None:
    assert till.deliver(event()).status_code == 200
    away: Engine
    if database.is_sqlite():
        away = create_engine(f"sqlite:///{tmp_path}/not/there.db")
    else:
        away = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    there = database.engine()
    database.bind(away)
    try:
        answer = till.deliver(event(id="evt_2"))
    finally:
        database.bind(there)
    assert (answer.status_code, code(answer)) == (503, "DATABASE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0


def test_no_body_or_signature_reaches_the_log(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    body = event(data={"object": {"id": "x", "note": "do-not-log-me"}})
    till.deliver(body)
    till.app.test_client().post(WEBHOOK, data=body, headers={"Stripe-Signature": "t=1,v1=abcdef"})
    said = capsys.readouterr()
    assert "do-not-log-me" not in said.out + said.err
    assert "abcdef" not in said.out + said.err
    assert "webhook.refused" in said.out + said.err


class TestLimited:
    """With courtesy limits on: forged deliveries are limited by address, signed ones never."""

    @pytest.fixture
    def environ(self, database_url: str, instance: Any) -> dict[str, str]:
        return environment.settings(database_url, instance, RATE_LIMITS="on")

    def test_forged_deliveries_are_limited_and_signed_ones_never(self, till: Till) -> None:
        limiter.reset()
        client = till.app.test_client()
        codes = [
            client.post(WEBHOOK, data=b"{}", headers={"Stripe-Signature": "t=1,v1=0"}).status_code
            for _ in range(70)
        ]
        assert codes[:60] == [401] * 60
        assert set(codes[60:]) == {429}
        signed = [till.deliver(event(id=f"evt_{n}")).status_code for n in range(70)]
        assert signed == [200] * 70
        limiter.reset()
