"""Every event reaches every stream that may see it, once and in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from domain import database, events, sequencer, topics
from domain.actors import Actor
from domain.events import About
from models.events import EventLog
from tests.live.conftest import Write, hush
from web.frames import Frame, Parcel, frame
from web.hub import Hub
from web.subscriber import Ending, Subscriber


@pytest.fixture
def hub(engine: Engine) -> Iterator[Hub]:
    made = Hub()
    yield made
    hush(made)


def received(subscriber: Subscriber, how_many: int, seconds: float = 5) -> list[EventLog]:
    until = time.monotonic() + seconds
    found: list[EventLog] = []
    while len(found) < how_many and time.monotonic() < until:
        for parcel in subscriber.take(timeout=until - time.monotonic()):
            if isinstance(parcel, Parcel):
                found += [each.event for each in parcel.frames]
    return found


def test_a_stream_receives_events_numbered_after_it_joined_in_order(
    hub: Hub, write: Write, staff: Actor
) -> None:
    write(times=3)
    subscriber = hub.subscribe(staff)
    assert subscriber.since == 3
    ids = write(times=4) + write(times=2)
    found = received(subscriber, 6)
    assert sorted(event.id for event in found) == sorted(ids)
    assert [event.seq for event in found] == [4, 5, 6, 7, 8, 9]


def test_a_merchant_sees_only_its_own_events(
    hub: Hub, write: Write, mel: Actor, staff: Actor
) -> None:
    own, everything = hub.subscribe(mel), hub.subscribe(staff)
    write(about=About(object_id="pay_2", payment_id="pay_2", merchant_id="mer_eve"))
    write(about=About(object_id="inb_1", merchant_id="mer_mel", audience="staff"))
    write(about=About(object_id="pay_3", payment_id="pay_3", merchant_id="mer_mel", livemode=True))
    [wanted] = write(about=About(object_id="pay_4", payment_id="pay_4", merchant_id="mer_mel"))
    assert len(received(everything, 4)) == 4
    assert [event.id for event in received(own, 1)] == [wanted]
    assert own.take(timeout=0.1) == []


def test_whoever_money_is_held_for_hears_of_it_in_either_mode_and_buyers_do_not(
    hub: Hub, write: Write, mel: Actor, staff: Actor, buyer: Actor
) -> None:
    live_key = replace(mel, id="key_live", livemode=True)
    hearing = [hub.subscribe(each) for each in (mel, live_key, staff)]
    deaf = hub.subscribe(buyer)
    [wanted] = write("freeze.engaged", about=About(object_id="frz_1", audience="held"))
    for subscriber in hearing:
        assert [event.id for event in received(subscriber, 1)] == [wanted]
    assert deaf.take(timeout=0.1) == []


def test_topics_narrow_what_a_stream_carries(hub: Hub, write: Write, staff: Actor) -> None:
    narrow = hub.subscribe(staff, topics.parse("payment:pay_9,queues"))
    wide = hub.subscribe(staff, topics.parse("ops"))
    write()
    [first] = write(about=About(object_id="pay_9", payment_id="pay_9"))
    [second] = write("inbound.received", about=About(object_id="inb_1", audience="staff"))
    assert len(received(wide, 3)) == 3
    assert [event.id for event in received(narrow, 2)] == [first, second]


def test_a_buyer_and_a_seller_see_the_order_they_share(
    hub: Hub, write: Write, buyer: Actor
) -> None:
    seller = Actor(id="usr_sal", kind="user", role=buyer.role, name="Sal")
    both = [hub.subscribe(buyer), hub.subscribe(seller)]
    [wanted] = write(
        about=About(object_id="ord_1", order_id="ord_1", buyer_id="usr_bo", seller_id="usr_sal")
    )
    for subscriber in both:
        assert [event.id for event in received(subscriber, 1)] == [wanted]


def test_a_probe_reaches_only_the_one_who_sent_it(hub: Hub, write: Write, staff: Actor) -> None:
    other = Actor(id="usr_abe", kind="user", role=staff.role, name="Abe")
    mine, theirs = hub.subscribe(staff), hub.subscribe(other)
    about = About(object_id=staff.id, audience="staff")
    with database.transaction() as session:
        rows = [
            events.row(kind, about, source="test:1")
            for kind in ("user.changed", "ops.probe", "user.changed")
        ]
        events.append(session, rows)
    sequencer.number_events(ring=False)
    assert [event.type for event in received(mine, 3)].count("ops.probe") == 1
    assert [event.type for event in received(theirs, 2)] == ["user.changed", "user.changed"]
    assert theirs.take(timeout=0.1) == []


def test_streams_of_equal_reach_share_one_frame(hub: Hub, write: Write, staff: Actor) -> None:
    crowd = [hub.subscribe(staff) for _ in range(20)]
    write()
    parcels = [subscriber.take(timeout=5)[0] for subscriber in crowd]
    assert len({id(parcel) for parcel in parcels}) == 1


def test_a_frame_says_id_type_and_data_on_three_lines(engine: Engine, write: Write) -> None:
    [event_id] = write()
    with database.reading() as session:
        told = frame(session.get_one(EventLog, event_id)).payload.decode()
    lines = told.split("\n")
    assert lines[:2] == [f"id: {event_id}", "event: payment.succeeded"]
    assert lines[2].startswith('data: {"id":') and lines[3:] == ["", ""]


def test_a_client_that_does_not_keep_up_is_let_go(staff: Actor) -> None:
    subscriber = Subscriber(staff, ())
    told: list[Ending] = []
    subscriber.on_end = told.append
    parcel = Parcel((Frame(1, EventLog(), b""),), b"x" * 300_000)
    for _ in range(3):
        subscriber.offer(parcel)
    assert subscriber.ending is None
    subscriber.offer(parcel)
    assert subscriber.ending is Ending.SLOW and told == [Ending.SLOW]


def test_reading_makes_room_again(staff: Actor) -> None:
    subscriber = Subscriber(staff, ())
    parcel = Parcel((Frame(1, EventLog(), b""),), b"x" * 300_000)
    for _ in range(10):
        subscriber.offer(parcel)
        assert subscriber.take(timeout=0) == [parcel]
    assert subscriber.ending is None


def test_the_hub_rests_when_the_last_stream_has_left(hub: Hub, write: Write, staff: Actor) -> None:
    first = hub.subscribe(staff)
    hub.unsubscribe(first)
    until = time.monotonic() + 3
    while hub._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert hub._thread is None
    write(times=2)
    again = hub.subscribe(staff)
    assert again.since == 2
    [wanted] = write()
    assert [event.id for event in received(again, 1)] == [wanted]


def test_writers_and_streams_at_the_same_time_lose_and_double_nothing(
    hub: Hub, write: Write, staff: Actor, mel: Actor
) -> None:
    crowd = [hub.subscribe(staff) for _ in range(5)] + [hub.subscribe(mel) for _ in range(5)]
    ids: list[str] = []

    def work() -> None:
        for _ in range(10):
            ids.extend(write(times=5))

    writers = [threading.Thread(target=work) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    sequencer.number_events(ring=False)
    for subscriber in crowd:
        found = received(subscriber, 200)
        assert [event.seq for event in found] == list(range(1, 201))
        assert {event.id for event in found} == set(ids)


def test_what_a_stream_missed_lately_needs_no_database(
    hub: Hub, write: Write, staff: Actor, mel: Actor
) -> None:
    ids = write(times=3)
    write(about=About(object_id="pay_2", payment_id="pay_2", merchant_id="mer_eve"))
    ids += write(times=2)
    watcher = hub.subscribe(staff)
    until = time.monotonic() + 5
    while hub.place_of(ids[0]) is None and time.monotonic() < until:
        time.sleep(0.01)
    ids += write(times=2)
    received(watcher, 2)
    back = hub.subscribe(mel)
    page = hub.backlog(back, hub.place_of(ids[1]) or 0)
    assert page is not None
    missed, reached = page
    assert [each.event.id for each in missed] == ids[2:]
    assert reached == back.since == 8


def test_when_the_fan_out_breaks_every_stream_is_sent_to_come_back(
    hub: Hub, write: Write, staff: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    subscriber = hub.subscribe(staff)
    [seen] = write()
    assert [event.id for event in received(subscriber, 1)] == [seen]

    def break_it(_: object) -> None:
        raise RuntimeError("a bug")

    hub.watch(break_it)
    write()
    received(subscriber, 1, seconds=3)
    until = time.monotonic() + 3
    while subscriber.ending is None and time.monotonic() < until:
        time.sleep(0.01)
    assert subscriber.ending is Ending.RESTART
    hub._watchers.clear()
    again = hub.subscribe(staff)
    [wanted] = write()
    assert wanted in [event.id for event in received(again, 1)]
