"""The desk's stream names what changed, each list and page once, and misses nothing in between."""

from __future__ import annotations

import pytest

from dashboard import stream as desk
from domain import database, events, feed, sequencer
from domain.events import About
from models.events import EventLog
from tests.live import reader
from tests.live.conftest import Write
from web.frames import Frame, frame
from web.stream import LONGEST_BACKLOG


def made(engine_write: Write, *rows: dict[str, object]) -> list[Frame]:
    with database.transaction() as session:
        events.append(session, rows)
    sequencer.number_events(ring=False)
    follower = feed.Follower()
    found = [frame(event) for event in follower.read_after(0)]
    follower.close()
    return found


PAYMENT = About(object_id="pay_1", payment_id="pay_1", order_id="ord_1")


def test_one_write_names_each_changed_list_and_page_once(write: Write) -> None:
    told = made(
        write,
        events.row("payment.processing", PAYMENT, source="t"),
        events.row("payment.succeeded", PAYMENT, source="t"),
        events.row(
            "inbound.processed", events.about_staff("inb_1", payment_id="pay_1"), source="t"
        ),
        events.row("exception.opened", PAYMENT, source="t", body={"caseId": "exc_1"}),
        events.row("user.created", About(object_id="usr_1"), source="t"),
    )
    found = {each.event: each for each in reader.frames([desk.tell(told)])}
    assert {name: each.data for name, each in found.items() if name != "home"} == {
        # What became of money may have been booked.
        "journal": [each.event.id for each in told if each.event.type.startswith("payment.")],
        "payments": ["pay_1"],
        "payment-pay_1": ["pay_1"],
        "orders": ["ord_1"],
        "order-ord_1": ["ord_1"],
        "webhooks": ["inb_1"],
        "webhook-inb_1": ["inb_1"],
        "exceptions": ["exc_1"],
        "exception-exc_1": ["pay_1"],
        "users": ["usr_1"],
        "user-usr_1": ["usr_1"],
    }
    assert "home" in found
    assert [each.id for each in found.values() if each.id] == [told[-1].event.id]


def test_what_changes_no_page_is_not_told(write: Write) -> None:
    probe = events.row("ops.probe", About(object_id="usr_1"), source="t")
    assert desk.tell(made(write, probe)) == b""


def test_a_page_that_was_away_too_long_fetches_every_list_anew() -> None:
    told = list(reader.frames([desk.reset("evt_9")]))
    assert [each.event for each in told] == [*desk.LISTS, "reset"]
    assert told[-1].id == "evt_9"
    assert desk.LONGEST_BACKLOG < LONGEST_BACKLOG


@pytest.mark.parametrize("kind", ["inbound.received", "inbound.dead"])
def test_a_webhook_without_a_payment_changes_only_the_inbox_and_home(kind: str) -> None:
    event = EventLog(id="evt_1", type=kind, object_id="inb_2", body={})
    assert [name for name, _ in desk.changed(event)] == ["webhooks", "webhook-inb_2", "home"]
