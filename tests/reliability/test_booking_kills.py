"""A worker killed while it reads the provider's account: the next one reads on, and posts each booking once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text

import config
from domain import database
from providers import registry
from tests.domain import booking
from tests.domain import world as worlds
from tests.domain.booking import entries
from tests.reliability.bookkeeping import Shop, cleared
from tests.reliability.clients import until
from tests.rig import environment, product
from tests.rig.process import Running

pytestmark = pytest.mark.kill
POINTS = ("bookings.after_lease", "bookings.before_commit")


@pytest.fixture
def shop(database_url: str, instance: Path, start_stripe: Callable[..., Running]) -> Iterator[Shop]:
    """Three payments and a payout at the stand-in, of whose costs nobody here has heard."""
    engine = sqlalchemy.create_engine(database_url)
    database.bind(engine)
    standin = start_stripe()
    more = product.stripe_settings(standin.url)
    settings = config.load(environment.settings(database_url, instance, **more))
    made = worlds.build(settings)
    registry.configure(settings)
    yield Shop(made, standin.url)
    engine.dispose()


@pytest.mark.parametrize("point", POINTS)
def test_killed_reader_loses_no_booking_and_posts_none_twice(
    shop: Shop, database_url: str, start_worker: Callable[..., Running], point: str
) -> None:
    for currency in ("EUR", "USD", "GBP"):
        shop.pay(4_000, currency)
    shop.hear()
    shop.control("pay_out", pending=True)
    rail = product.stripe_settings(shop.url)
    dead = start_worker(database_url, PAYDESK_CRASHPOINT=point, **rail)
    assert dead.wait_dead(seconds=30) == -signal.SIGKILL, dead.output()
    assert entries("fee") == []
    with database.engine().begin() as connection:
        over = "update schedules set lease_until = null, due_at = :now where name = :name"
        known = {"now": "2020-01-01 00:00:00+00", "name": "bookings:stripe:test"}
        connection.execute(text(over), known)
    # Two at once; one of them has the turn.
    for _ in range(2):
        start_worker(database_url, **rail)
    until(lambda: len(entries("provider_payout")) == 2, what="the account to be read")
    assert (len(entries("fee")), len(entries("exchange"))) == (3, 1)
    assert cleared() == shop.held()
    assert booking.problems() == []
