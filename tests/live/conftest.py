"""Events, principals and readers of streams for the tests of live delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from core.states import Role
from domain import database, events, sequencer
from domain.actors import Actor
from domain.events import About
from domain.listening import waker
from models.events import EventLog
from tests.api.conftest import who
from web.hub import Hub, hub
from web.waiters import board

__all__ = ["who"]

Write = Callable[..., list[str]]
PAYMENT = About(object_id="pay_1", payment_id="pay_1", merchant_id="mer_mel", buyer_id="usr_bo")


def hush(*hubs: Hub) -> None:
    """Leave no thread behind that would follow this test's database when it is gone."""
    board.break_off()
    while (waiting := board._thread) is not None:
        waiting.join(0.05)
    for each in (hub, *hubs):
        for member in each.members():
            each.unsubscribe(member)
        while (thread := each._thread) is not None:
            thread.join(0.05)
    waker.stop()


@pytest.fixture
def engine(engine: Engine) -> Iterator[Engine]:
    yield engine
    hush()


@pytest.fixture
def app(app: Flask) -> Iterator[Flask]:
    yield app
    hush()


@pytest.fixture
def staff() -> Actor:
    return Actor(id="usr_sue", kind="user", role=Role.SUPPORT, name="Sue")


@pytest.fixture
def mel() -> Actor:
    return Actor(
        id="key_mel",
        kind="key",
        role=Role.MERCHANT,
        name="Mel",
        merchant_id="mer_mel",
        livemode=False,
    )


@pytest.fixture
def buyer() -> Actor:
    return Actor(id="usr_bo", kind="user", role=Role.BUYER, name="Bo")


def happened(
    kind: str = "payment.succeeded", *, times: int = 1, about: About = PAYMENT, **body: str
) -> list[str]:
    """Commit events and number them, as a process of ours does. Gives their ids, in their order."""
    rows = [
        events.row(kind, about, source="test:1", sequence=no, body=dict(body))
        for no in range(times)
    ]
    with database.transaction() as session:
        events.append(session, rows)
    sequencer.number_events(ring=False)
    with database.reading() as session:
        mine = EventLog.id.in_([row["id"] for row in rows])
        return list(session.scalars(select(EventLog.id).where(mine).order_by(EventLog.seq)))


@pytest.fixture
def write(engine: Engine) -> Write:
    """`happened`, on a fresh database."""
    del engine
    return happened
