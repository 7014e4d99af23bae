"""A provider sends an event as often as it likes, to as many processes: it is stored once and has one effect."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

import config
from domain import sequencer
from domain.books import chains
from tests.domain import world as worlds
from tests.domain.world import World
from tests.reliability.clients import Answer, at_once, deliver, signed, until
from tests.rig import checker
from tests.rig.checker import Claim
from tests.rig.ports import free_port
from tests.rig.process import Running

pytestmark = pytest.mark.kill

THREADS = 64
EVENTS, COPIES = 50, 8


@pytest.fixture
def rail_env() -> dict[str, str]:
    """The rail as the web and the worker see it: nobody to call, deliveries to verify."""
    return {
        "STRIPE_SECRET_KEY": "sk_test_world",
        "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET,
        "STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}",
    }


@pytest.fixture
def world(engine: Engine, environ: dict[str, str], rail_env: dict[str, str]) -> World:
    """Payments to speak of, made in this process on the same database."""
    del engine
    return worlds.build(config.load(environ | rail_env))


def copy_of(url: str, body: bytes) -> Callable[[], Answer]:
    return lambda: deliver(url, body, header=signed(body, secret=worlds.WEBHOOK_SECRET))


def event_ids(bodies: list[bytes]) -> frozenset[str]:
    return frozenset(body.decode().split('"id": "', 1)[1].split('"', 1)[0] for body in bodies)


def judge(url: str, world: World, bodies: list[bytes]) -> None:
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    claim = Claim(truth=world.rail.intents, events=event_ids(bodies))  # type: ignore[arg-type]
    checker.assert_whole(url, claim)


def test_sixty_four_copies_at_once_have_one_effect(
    world: World,
    database_url: str,
    rail_env: dict[str, str],
    start_web: Callable[..., Running],
    start_worker: Callable[..., Running],
) -> None:
    body = world.paid(world.payment())
    web = start_web(database_url, **rail_env | {"WEB_CONCURRENCY": "2"})
    answers = at_once([copy_of(web.url, body)] * THREADS)
    assert {answer.status for answer in answers} == {200}
    assert counted(database_url) == (1, THREADS - 1, 0, 0)
    worker = start_worker(database_url, **rail_env)
    until(lambda: applied(database_url) == 1, what="the worker to apply the event")
    assert at_once([copy_of(web.url, body)] * 8)[0].status == 200
    assert counted(database_url) == (1, THREADS + 7, 1, 0)
    worker.stop()
    judge(database_url, world, [body])


def applied(url: str) -> int:
    found = checker.rows(url, "select count(*) from inbound_events where state = 'processed'")
    return int(found[0][0])


def counted(url: str) -> tuple[int, ...]:
    """Count inbox rows, redeliveries, entries and cases."""
    query = """select count(*), sum(duplicates), (select count(*) from journal_entries),
      (select count(*) from exception_cases) from inbound_events"""
    return tuple(int(number) for number in checker.rows(url, query)[0])


def test_fifty_events_shuffled_among_their_copies_have_fifty_effects(
    world: World,
    database_url: str,
    rail_env: dict[str, str],
    start_web: Callable[..., Running],
    start_worker: Callable[..., Running],
) -> None:
    bodies = [world.paid(world.payment()) for _ in range(EVENTS)]
    web = start_web(database_url, **rail_env | {"WEB_CONCURRENCY": "2"})
    worker = start_worker(database_url, **rail_env)
    copies = bodies * COPIES
    random.Random(20261121).shuffle(copies)
    shares = [copies[start::THREADS] for start in range(THREADS)]

    def sender(share: list[bytes]) -> Callable[[], Answer]:
        def send_all() -> Answer:
            return [copy_of(web.url, body)() for body in share][-1]

        return send_all

    assert {answer.status for answer in at_once([sender(share) for share in shares])} == {200}
    until(lambda: applied(database_url) == EVENTS, what="the worker to apply every event")
    assert counted(database_url) == (EVENTS, EVENTS * (COPIES - 1), EVENTS, 0)
    worker.stop()
    judge(database_url, world, bodies)
