"""The long tests of the spine: hundreds of kills at random moments under traffic, and a flood of copies."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import OperationalError

from bench.report import Report
from tests.reliability import stage as stages
from tests.reliability.clients import BROKEN, Answer, at_once, deliver, json_of, until
from tests.reliability.stage import Stage

pytestmark = [pytest.mark.soak, pytest.mark.kill, pytest.mark.timeout(1800)]

WEB_PROCESSES = 2
KILLS = 300  # on each database
WORKERS = 2
SHOPPERS = 3
CARDS = ("visa", "visa", "visa", "mastercard", "visa_chargeDeclined")
REPORT = Report("soak", "make soak")
COPIES, FLOODED = 64, 40


@dataclass
class Traffic:
    """Shoppers that order and pay without a pause, and a provider that tells of it until it is heard."""

    stage: Stage
    over: threading.Event = field(default_factory=threading.Event)
    failed: list[BaseException] = field(default_factory=list)
    bought: Counter[str] = field(default_factory=Counter)
    last: str = ""

    def _keep_on(self, act: object, *, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not self.over.is_set():
                act(chance)  # type: ignore[operator]
        except BaseException as error:
            self.failed.append(error)
            self.over.set()
            raise

    def shop(self, chance: random.Random) -> None:
        """Order, pay with some card, and sometimes ask for the payment twice or change one's mind."""
        buyer, provider = self.stage.buyer, self.stage.provider
        order_id = buyer.order(minor=chance.randrange(100, 90_000))
        begun = buyer.intent(order_id)
        if chance.random() < 0.2:
            assert buyer.intent(order_id)["paymentId"] == begun["paymentId"]
        reference = begun.get("providerReference")
        if reference is None:
            self.bought["unknown"] += 1
            return
        card = chance.choice(CARDS)
        provider.pay(reference, card=card)
        self.bought[card] += 1

    def tell(self, chance: random.Random) -> None:
        """Deliver what is new until it is acknowledged; some of it again, and some never."""
        provider = self.stage.provider
        after = f"&ending_before={self.last}" if self.last else ""
        page = provider.call("GET", f"events?limit=100{after}")["data"]
        for event in reversed(page):
            self.last = event["id"]
            if chance.random() < 0.05:
                provider.skipped.add(event["id"])
                continue
            provider.deliver(event)
            if chance.random() < 0.1:
                provider.deliver(event)
        if not page:
            time.sleep(0.02)

    @contextmanager
    def running(self) -> Iterator[None]:
        acts = [self.shop] * SHOPPERS + [self.tell]
        threads = [
            threading.Thread(target=self._keep_on, args=(act,), kwargs={"seed": seed})
            for seed, act in enumerate(acts)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(120)
        assert not self.failed


def hurry(stage: Stage) -> None:
    """Let hours pass under traffic: a statement that meets the product's own locks is left for the next time."""
    for statement in stages.hours_later(stage.engine):
        with suppress(OperationalError):
            stage.execute(statement)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill_web(stage: Stage, chance: random.Random) -> bool:
    """Kill one of the web's processes; its master forks another."""
    alive = [pid for pid, _ in stage.born() if is_alive(pid)]
    if not alive:
        return False
    with suppress(ProcessLookupError):
        os.kill(chance.choice(alive), signal.SIGKILL)
    return True


def kill_worker(stage: Stage, chance: random.Random) -> bool:
    """Kill a worker and start another in its place, without waiting for it."""
    worker = chance.choice(stage.workers)
    stage.workers.remove(worker)
    stage.processes.started.remove(worker)
    worker.kill()
    stage.start_worker()
    return True


def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(stage: Stage) -> None:
    chance = random.Random(20261121)
    engine = stage.engine.dialect.name
    for _ in range(WORKERS):
        stage.start_worker()
    traffic, killed = Traffic(stage), Counter[str]()
    stage.buyer.hurry = lambda: hurry(stage)
    stage.bind()
    began = time.monotonic()
    with traffic.running():
        while sum(killed.values()) < KILLS and not traffic.over.is_set():
            time.sleep(chance.expovariate(2.0))
            # A worker takes a second to come up; the web is forked from a master that has it all.
            what = "worker" if chance.random() < 0.3 else "web"
            killed[what] += (kill_worker if what == "worker" else kill_web)(stage, chance)
    seconds = time.monotonic() - began
    stage.end_workers()
    stage.buyer.hurry = stage.hurry
    until(lambda: stage.provider.deliver_new() == 0, what="the rest to be told")
    stage.conclude(about=f"after {dict(killed)}")
    counted = dict(stage.ask("select status, count(*) from payments group by status"))
    assert counted.get("completed", 0) > KILLS / 10
    REPORT.add(
        test="random kills",
        engine=engine,
        web_killed=killed["web"],
        workers_killed=killed["worker"],
        seconds=round(seconds),
        payments=sum(counted.values()),
        completed=counted.get("completed", 0),
        events_acknowledged=len(stage.provider.acked),
    )
    REPORT.expect(f"{engine}: {KILLS} kills, nothing lost, nothing twice", holds=True)
    REPORT.keep()


def test_a_flood_of_copies_through_two_processes_has_one_effect_each(stage: Stage) -> None:
    """Each event in 64 copies at once, by every thread of both processes, while workers apply them."""
    engine = stage.engine.dialect.name
    for _ in range(WORKERS):
        stage.start_worker()
    began = [stage.buyer.intent(stage.buyer.order()) for _ in range(FLOODED)]
    for each in began:
        stage.provider.pay(str(each["providerReference"]))
    fresh = [e for e in stage.provider.events() if e["id"] not in stage.provider.acked]
    since = time.monotonic()
    told = Counter[int]()
    for event in fresh:
        body = json_of(event)

        def send(body: bytes = body) -> Answer:
            for _ in range(20):
                with suppress(*BROKEN):
                    return deliver(stage.web.url, body)
            raise AssertionError("no answer")

        told.update(answer.status for answer in at_once([send] * COPIES))
        stage.provider.acked.add(event["id"])
    seconds = time.monotonic() - since
    assert set(told) == {200}
    stage.end_workers()
    stage.conclude()
    REPORT.add(
        test="flood of copies",
        engine=engine,
        events=len(fresh),
        deliveries=sum(told.values()),
        seconds=round(seconds),
    )
    REPORT.expect(f"{engine}: {COPIES} copies at once, one effect each", holds=True)
    REPORT.keep()
