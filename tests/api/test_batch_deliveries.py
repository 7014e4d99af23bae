"""A delivery of many events at the door: stored whole or not at all, each event once, answered as its sender asks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from domain.database import reading
from domain.inbox.inbox_insert import Inserter
from domain.secrets import secrets
from models.inbound import InboundEvent
from providers import registry
from tests.api.till import Till, code
from tests.providers.gocardless.bodies import batch, event, signed
from tests.providers.gocardless.desk import SECRET, open_desk

DOORS = ("/api/webhooks/bank", "/api/webhooks/bank/gocardless")
MANY = 250


@pytest.fixture
def till(app: Flask) -> Iterator[Till]:
    """The app with our real rail to a desk of GoCardless' beside the fake card rail."""
    till = Till.open(app)
    with open_desk() as (_, rail):
        registry._built["gocardless"] = rail
        secrets.configure(app.config["PAYDESK"])
        yield till


def many(count: int = MANY) -> list[dict[str, object]]:
    return [
        dict(event("payments.submitted"), id=f"EV{number:04d}", links={"payment": f"PM{number}"})
        for number in range(count)
    ]


def send(till: Till, body: bytes, *, door: str = DOORS[0], secret: str = SECRET) -> tuple[int, str]:
    headers = {"Webhook-Signature": signed(secret, body), "Origin": "https://api-sandbox.test"}
    answer = ask(till, body, door, headers)
    return answer.status_code, answer.text


def ask(till: Till, body: bytes, door: str, headers: dict[str, str]) -> TestResponse:
    client = till.app.test_client()
    return client.post(door, data=body, headers=headers, content_type="application/json")


def stored() -> tuple[int, int]:
    """Count the rows, and how often any of them came again."""
    with reading() as session:
        found = session.execute(
            select(func.count(), func.coalesce(func.sum(InboundEvent.duplicates), 0)).where(
                InboundEvent.provider == "gocardless"
            )
        ).one()
    return int(found[0]), int(found[1])


@pytest.mark.parametrize("door", DOORS)
def test_a_batch_is_stored_whole_and_answered_without_a_word(till: Till, door: str) -> None:
    assert send(till, batch(*many()), door=door) == (204, "")
    assert stored() == (MANY, 0)
    assert send(till, batch(*reversed(many())), door=door)[0] == 204
    assert stored() == (MANY, MANY)


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_signature_is_answered_as_gocardless_asks_and_keeps_nothing(
    till: Till, door: str
) -> None:
    body = batch(*many(2))
    for signature in ("0" * 64, "", signed("another-secret", body)):
        refused = ask(till, body, door, {"Webhook-Signature": signature})
        assert (refused.status_code, code(refused)) == (498, "WEBHOOK_INVALID_SIGNATURE")
    assert stored() == (0, 0)


def test_without_a_signature_nobody_is_known_at_the_shared_door(till: Till) -> None:
    assert [ask(till, batch(*many(2)), door, {}).status_code for door in DOORS] == [401, 498]
    assert stored() == (0, 0)


def test_a_signed_body_that_is_no_batch_is_acknowledged_and_set_aside(till: Till) -> None:
    assert send(till, b'{"hello":"there"}') == (204, "")
    assert stored() == (1, 0)


def test_an_empty_batch_and_an_event_told_twice_in_one_are_taken(till: Till) -> None:
    assert send(till, batch())[0] == 204
    assert stored() == (0, 0)
    (one,) = many(1)
    assert send(till, batch(one, one))[0] == 204
    assert stored() == (1, 1)


def test_batches_that_overlap_are_stored_once_by_many_senders_at_once(till: Till) -> None:
    chance, said = random.Random(7), many()
    bodies = []
    for _ in range(12):
        chance.shuffle(said)
        bodies.append(batch(*said[:120]))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: send(till, body)[0], bodies))
    assert answers == [204] * 12
    rows, again = stored()
    assert rows + again == 12 * 120
    with reading() as session:
        keys = session.scalars(
            select(InboundEvent.delivery_key).where(InboundEvent.provider == "gocardless")
        ).all()
    assert len(keys) == len(set(keys)) == rows


def test_a_database_that_fails_keeps_nothing_of_a_batch(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> set[str]:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Inserter, "_into_sqlite", broken)
        patched.setattr(Inserter, "_into_postgresql", broken)
        assert send(till, batch(*many()))[0] == 503
    assert stored() == (0, 0)
    assert send(till, batch(*many()))[0] == 204
    assert stored() == (MANY, 0)
