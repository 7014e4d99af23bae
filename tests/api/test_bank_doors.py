"""The doors of bank providers: each sender is known by the header that signs, and answered as it asks to be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from domain.database import reading
from domain.secrets import secrets
from models.inbound import InboundEvent
from providers import registry
from providers.seam import LiveSecret
from tests.providers.gocardless import bodies
from tests.providers.gocardless.desk import SECRET, open_desk

DOORS = ("/api/webhooks/bank", "/api/webhooks/bank/gocardless")
BATCH = bodies.batch(*(bodies.event("mandates.active", id=f"EV{n:03d}") for n in range(250)))


@pytest.fixture
def client(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    live = [LiveSecret("scv_gc", SECRET, "test")]
    monkeypatch.setattr(secrets, "live", lambda _: live)
    monkeypatch.setattr("domain.secrets.credential_uses.count", lambda _: None)
    monkeypatch.setitem(registry._built, "gocardless", registry._built["gocardless"])
    with open_desk() as (_, rail):
        registry._built["gocardless"] = rail
        yield app.test_client()


def sent(client: FlaskClient, door: str, body: bytes, signature: str | None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    headers |= {"Webhook-Signature": signature} if signature is not None else {}
    answer = client.post(door, data=body, headers=headers)
    return answer.status_code, answer.data


def stored() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(InboundEvent)) or 0


@pytest.mark.parametrize("door", DOORS)
def test_a_batch_is_stored_event_by_event_and_answered_without_a_body(
    client: FlaskClient, door: str
) -> None:
    for _ in range(2):
        assert sent(client, door, BATCH, bodies.signed(SECRET, BATCH)) == (204, b"")
        assert stored() == 250
    empty = bodies.batch()
    assert sent(client, door, empty, bodies.signed(SECRET, empty)) == (204, b"")


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_signature_is_answered_as_they_ask_and_leaves_nothing(
    client: FlaskClient, door: str
) -> None:
    for signature in ("0" * 64, "", bodies.signed("another-secret", BATCH)):
        status, body = sent(client, door, BATCH, signature)
        assert status == 498
        assert b"WEBHOOK_INVALID_SIGNATURE" in body
    assert stored() == 0


def test_a_missing_signature_is_refused_at_both_doors(client: FlaskClient) -> None:
    assert sent(client, DOORS[0], BATCH, None)[0] == 401, "nobody is known by it"
    assert sent(client, DOORS[1], BATCH, None)[0] == 498
    assert stored() == 0


def test_a_signed_body_that_is_no_batch_is_acknowledged_and_set_aside(client: FlaskClient) -> None:
    body = b'{"hello":"there"}'
    assert sent(client, DOORS[1], body, bodies.signed(SECRET, body)) == (204, b"")
    assert stored() == 1
