"""A delivery of up to 250 events: each is found by itself, in whichever order and company it comes again."""

from __future__ import annotations

import random

import pytest

from core import strictjson
from providers.deliveries import Delivery, UnreadableDelivery
from providers.gocardless import events, wire
from providers.values import instant, parse
from tests.providers.gocardless.bodies import PAYMENT, at, batch, event, written

NOW = instant("2026-11-20T12:00:00Z")


def heads(body: bytes) -> list[Delivery]:
    return list(wire.read_deliveries(body, mode="test"))


def many(count: int = 250) -> list[dict[str, object]]:
    return [
        dict(event("payments.confirmed"), id=f"EV{number:04d}", links={"payment": f"PM{number}"})
        for number in range(count)
    ]


def test_each_event_has_its_own_head_and_its_own_part_of_the_body() -> None:
    found = heads(batch(*many()))
    assert [each.key for each in found] == [f"EV{number:04d}" for number in range(250)]
    assert [each.reference for each in found] == [f"PM{number}" for number in range(250)]
    assert {each.mode for each in found} == {"test"}
    assert {each.said_at for each in found} == {instant(at(7))}
    for own, said in zip(found, many(), strict=True):
        assert own.body is not None
        assert strictjson.loads(own.body) == said


def test_a_batch_that_is_sent_again_in_another_order_gives_the_same_bytes() -> None:
    chance, said = random.Random(3), many()
    first = {each.key: each.body for each in heads(batch(*said))}
    for _ in range(5):
        chance.shuffle(said)
        turned = [dict(reversed(each.items())) for each in said]
        again = heads(batch(*turned, *turned[:20]))
        assert len(again) == 270
        assert {each.key: each.body for each in again} == first


def test_an_empty_batch_is_one() -> None:
    assert heads(batch()) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b"{}", b'{"events":{}}', b'{"events":null}', b"{" * 9_000]
    + [b'{"events":[],"events":[]}', b'{"events":[NaN]}'],
)
def test_what_is_no_batch_is_unreadable_and_never_crashes(body: bytes) -> None:
    with pytest.raises(UnreadableDelivery):
        heads(body)


@pytest.mark.parametrize(
    "bad",
    [None, 7, "event", [], {}, {"id": "EV1"}, event("payments.confirmed", id=7)]
    + [event("payments.confirmed", action=None), event("payments.confirmed", id="E" * 300)]
    + [event("payments.confirmed", resource_type="r" * 80), event("payments.confirmed", id="\0")],
)
def test_one_that_is_no_event_is_set_aside_alone(bad: object) -> None:
    good = event("payments.confirmed")
    first, found, last = heads(batch(good, bad, good))
    assert (first.key, last.key) == (good["id"], good["id"])
    assert (found.event_id, found.type) == (None, wire.UNREADABLE)
    assert found.body is not None
    assert heads(batch(bad, good))[0].key == found.key, "known when sent again"
    assert NOW is not None
    with pytest.raises(UnreadableDelivery):
        events.read_event(parse(found.body), now=NOW)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("billing_requests.fulfilled", "BRQ000123"), ("payments.confirmed", PAYMENT)]
    + [("refunds.paid", "RF000123"), ("payouts.paid", "PO000123"), ("mandates.active", None)],
)
def test_a_head_names_what_its_event_is_about(kind: str, name: str | None) -> None:
    [head] = heads(batch(event(kind)))
    assert (head.type, head.reference) == (kind, name)


def test_a_time_that_cannot_be_read_leaves_the_event_without_one() -> None:
    for text in ("yesterday", 7, None, "2026-11-20T10:00:03"):
        [head] = heads(batch(event("payments.confirmed", created_at=text)))
        assert head.said_at is None


def test_what_is_said_of_decimals_is_kept_as_their_text() -> None:
    said = event("payments.confirmed", details={"cause": "payment_confirmed", "rate": 1.5})
    [head] = heads(batch(said))
    assert head.body is not None
    assert b'"rate":"1.5"' in head.body
    assert heads(written({"events": [said]}))[0].body == head.body
