"""A topic is a room; who may enter is decided on the server, and SQL and the fan-out agree on what is in it."""

from __future__ import annotations

import itertools

import pytest

from core.errors import Forbidden, InvalidInput, NotFound
from domain import database, events, feed, sequencer, topics
from domain.actors import Actor
from domain.events import About
from domain.topics import Topic
from tests.live.conftest import Write


def test_topics_are_read_once_each_and_a_request_is_an_order() -> None:
    found = topics.parse(" payment:pay_1,request:ord_1 ,payment:pay_1, ops")
    assert found == (Topic("ops"), Topic("payment", "pay_1"), Topic("order", "ord_1"))
    assert topics.parse(None) == topics.parse("") == ()


@pytest.mark.parametrize("text", ["payment", "payment:", "ops:1", "cats:1", "x"])
def test_an_unknown_topic_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not a topic"):
        topics.parse(text)


def test_too_many_topics_are_refused() -> None:
    with pytest.raises(InvalidInput):
        topics.parse(",".join(f"payment:pay_{no}" for no in range(51)))


def test_rooms_of_the_staff_are_closed_to_others(write: Write, buyer: Actor, staff: Actor) -> None:
    with database.reading() as session:
        topics.assert_allowed(session, topics.parse("ops,queues"), actor=staff)
        with pytest.raises(Forbidden):
            topics.assert_allowed(session, topics.parse("queues"), actor=buyer)


def test_foreign_objects_are_not_found(write: Write, buyer: Actor, mel: Actor) -> None:
    with database.reading() as session:
        topics.assert_allowed(session, topics.parse("seller:usr_bo"), actor=buyer)
        topics.assert_allowed(session, topics.parse("merchant:mer_mel"), actor=mel)
        for text, actor in itertools.product(
            ("merchant:mer_eve", "seller:usr_sal", "payment:pay_1", "order:ord_1"), (buyer, mel)
        ):
            with pytest.raises(NotFound):
                topics.assert_allowed(session, topics.parse(text), actor=actor)


def test_the_feed_and_the_fan_out_agree_on_every_room(
    write: Write, staff: Actor, buyer: Actor, mel: Actor
) -> None:
    parties, rows = [None, "usr_bo"], []
    for payment, order, merchant, person, audience, live in itertools.product(
        (None, "pay_1"),
        (None, "ord_1"),
        (None, "mer_mel"),
        parties,
        ("parties", "staff", "held"),
        (False, True),
    ):
        about = About(
            object_id="usr_sue",
            payment_id=payment,
            order_id=order,
            merchant_id=merchant,
            buyer_id=person,
            seller_id=person,
            audience=audience,
            livemode=live,
        )
        kinds = ("inbound.received", "payment.created", "exception.opened", "ops.probe")
        rows += [events.row(kind, about, source="test:1") for kind in kinds]
    with database.transaction() as session:
        events.append(session, rows)
    sequencer.number_events(ring=False)
    follower = feed.Follower()
    everything = follower.read_after(0, 10_000)
    follower.close()
    assert len(everything) == 2**5 * 3 * 4
    rooms = (
        "",
        "ops",
        "queues",
        "payment:pay_1",
        "order:ord_1",
        "seller:usr_bo",
        "merchant:mer_mel",
    )
    for actor, room in itertools.product((staff, buyer, mel), (*rooms, "queues,payment:pay_1")):
        asked = topics.parse(room)
        by_hand = [
            event.id
            for event in everything
            if events.may_see(actor, event)
            and topics.may_receive(actor, event)
            and (not asked or any(topics.holds(topic, event) for topic in asked))
        ]
        in_sql = feed.read_backlog(0, 10_000, actor=actor, asked=asked, limit=10_000)
        assert [event.id for event in in_sql] == by_hand
        if actor is staff and room != "seller:usr_bo":
            assert by_hand
