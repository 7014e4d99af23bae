"""The table of event types is what is told: its schemas hold, its pages are fresh, nothing is missing."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest
from flask.testing import FlaskClient

from commands import docs
from domain import event_types
from domain.event_types import EventType
from tests.architecture import source
from tests.rig.locate import ROOT

AREAS = (
    "order|payment|exception|inbound|user|session|api_key|ops"
    "|approval|freeze|control|refund|rule|secret"
    "|transaction|wallet|payment_method|trial|entitlement|dispute"
    "|journal|period|reconciliation|invoice|credit_note|invariant|person|notice|statement|line"
)
# Crash points, actions of the audit log and lines of the log are written alike, but are not events.
NOT_EVENTS = re.compile(r"^ops\.(?!probe)|\.(before|after|not)_")


def emitted() -> set[str]:
    """Find the names by which events are made: texts `noun.past_verb` where rows of the log are written."""
    name = re.compile(rf"^({AREAS})\.[a-z_]+$")
    found = set()
    for path in source.python_files("domain", "api"):
        if (
            path.parent.name == "event_types"
            or path.name in ("crash.py", "topics.py")
            or path.match("api/contract/*")
        ):
            continue
        text = path.read_text(encoding="utf-8")
        if (
            "events.row(" in text
            or "tell(" in text
            or "_EVENT" in text
            or path.name in ("payment_events.py", "transactions.py", "invoice_events.py", "news.py")
        ):
            found |= {each for each, _ in source.texts(path) if name.match(each)}
    return {
        each for each in found if each.split(".")[1].endswith(PAST) and not NOT_EVENTS.search(each)
    }


PAST = tuple("ed red green paid dead action processing probe overdue payment progress".split())


def test_every_event_that_is_told_is_in_the_table() -> None:
    assert emitted() == set(event_types.BY_NAME)


@pytest.mark.parametrize("kind", event_types.TYPES, ids=lambda kind: kind.name)
def test_each_example_fits_its_own_schema_and_no_other(kind: EventType) -> None:
    for other in event_types.TYPES:
        fits = jsonschema_rs.validator_for(event_types.schema(other)).is_valid(
            event_types.example(kind)
        )
        assert fits == (other is kind)


def test_the_pages_of_the_event_types_are_fresh() -> None:
    folder = ROOT / docs.FOLDER
    drawn = docs.pages()
    assert {path.name for path in folder.iterdir()} == drawn.keys()
    stale = [name for name, text in drawn.items() if (folder / name).read_text() != text]
    assert not stale, "run: flask --app wsgi docs-write"


def test_the_api_lists_the_types_to_anybody(client: FlaskClient) -> None:
    items = client.get("/api/events/types").get_json()["items"]
    assert [item["type"] for item in items] == [kind.name for kind in event_types.TYPES]
    by_name = {item["type"]: item for item in items}
    created = by_name["payment.created"]
    assert (created["alias"], created["aliasType"]) == ("payment-created", "payment_created")
    assert created["schema"] == json.loads(
        (ROOT / docs.FOLDER / "payment.created.json").read_text()
    )
