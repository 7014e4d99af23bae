"""Held calls under the real server on both databases: woken, timed out, capped, sent away, come again."""

from __future__ import annotations

import http.client
import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

import config
import wsgi
from core import ids
from core.states import Role
from domain import database, sequencer
from providers import registry
from tests.api import personas
from tests.api.personas import Persona, Personas
from tests.domain import transacting
from tests.domain.world import FakeRail
from tests.live.conftest import hush
from tests.rig import databases, environment, product
from tests.rig.process import Running
from tests.rig.run import Run
from web import identity
from web.waiters import board

PATIENCE = 20.0


@dataclass(frozen=True)
class Served:
    """Two web processes on one database: one where as many wait as want, and one where few may.

    app: of this process, on the same database and keys, to write with.
    """

    roomy: Running
    tight: Running
    app: Flask
    is_sqlite: bool

    def running(self) -> list[Running]:
        """Give both, started again if a test ended one."""
        for web in (self.roomy, self.tight):
            if not web.is_alive():
                web.restart()
        return [self.roomy, self.tight]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Started once for this file: most of a start is importing."""
    is_sqlite = request.param == "sqlite"
    instance = tmp_path_factory.mktemp("waiting") / "instance"
    clone = databases.sqlite_clone(run) if is_sqlite else databases.postgres_clone(run)
    with clone as url, product.processes(run, instance) as processes:
        roomy = processes.web(url)
        tight = processes.web(url, WAIT_LIMITS="2,3,30")
        environ = environment.settings(url, instance) | {"STRIPE_SECRET_KEY": "sk_test_world"}
        application = wsgi.create_app(config.load(environ))
        registry._built["stripe"] = FakeRail()  # type: ignore[assignment]
        yield Served(roomy, tight, application, is_sqlite)
        with application.app_context():
            hush()
            database.engine().dispose()


@pytest.fixture
def who(served: Served) -> Personas:
    """Fresh people, since the database is shared by the tests of this file."""
    for web in served.running():
        assert until(lambda each=web: waiting(each) == 0), "an earlier test's calls still wait"  # type: ignore[misc]
    identity.forget_cached()
    return Fresh()


@dataclass
class Fresh(Personas):
    suffix: str = field(default_factory=lambda: ids.token(4))

    def _user(self, name: str, role: Role, merchant_name: str | None = None) -> Persona:
        return super()._user(f"{name}-{self.suffix}", role, merchant_name)


@dataclass
class Held:
    """A call that was sent and perhaps not answered yet."""

    connection: http.client.HTTPConnection

    def answer(self) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
        """Wait for the answer."""
        found = self.connection.getresponse()
        said: dict[str, Any] = json.loads(found.read())
        self.connection.close()
        return found.status, said, found.headers

    def status(self) -> str:
        """Wait for the answer and give the transaction's status in it."""
        status, said, _ = self.answer()
        assert status == 200, said
        assert "timedOut" not in said
        return str(said["status"])


def ask(web: Running, transaction_id: str, who: Persona, asked: str | None = "succeeded") -> Held:
    parts = urlsplit(web.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE)
    query = f"?awaitStatus={asked}" if asked else ""
    path = f"/v1/stripe/transactions/{transaction_id}{query}"
    connection.request("GET", path, headers=who.headers)
    return Held(connection)


def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def waiting(web: Running) -> int:
    with urllib.request.urlopen(f"{web.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    [line] = [line for line in lines if line.startswith("paydesk_waiters{")]
    return int(float(line.rsplit(" ", 1)[1]))


def made(who: Persona) -> str:
    return transacting.begin(who.id).payment.id


def moved(transaction_id: str, kind: str = "succeeded") -> None:
    transacting.says(transaction_id, kind)
    sequencer.number_events(ring=True)


def test_every_end_is_told_at_once_by_either_process(served: Served, who: Personas) -> None:
    for kind, word in transacting.ENDINGS.items():
        transaction_id = made(who.bo)
        held = [ask(web, transaction_id, who.bo) for web in served.running() for _ in range(2)]
        for web in served.running():
            assert until(lambda each=web: waiting(each) == 2)  # type: ignore[misc]
        moved(transaction_id, kind)
        assert [each.status() for each in held] == [word] * 4
        # Whoever comes when all is over is answered without waiting, whatever they ask for.
        for asked in ("succeeded", "pending", "refunded", word, None):
            assert ask(served.roomy, transaction_id, who.bo, asked).status() == word


def test_a_step_on_the_way_is_told_to_whoever_asked_for_it_only(
    served: Served, who: Personas
) -> None:
    transaction_id = made(who.bo)
    step = ask(served.roomy, transaction_id, who.bo, "requires_action")
    end = ask(served.roomy, transaction_id, who.bo, "canceled")
    assert until(lambda: waiting(served.roomy) == 2)
    moved(transaction_id, "requires_action")
    assert step.status() == "requires_action"
    assert waiting(served.roomy) == 1
    moved(transaction_id, "cancelled")
    assert end.status() == "canceled"


def test_a_crowd_is_woken_by_one_event_each(served: Served, who: Personas) -> None:
    people = [who.bo, *(personas.user(f"{ids.token(6)}@people.test") for _ in range(3))]
    each = 15 if served.is_sqlite else 25
    mine = [(person, made(person)) for person in people for _ in range(each)]
    held = [ask(served.roomy, transaction_id, person) for person, transaction_id in mine]
    assert until(lambda: waiting(served.roomy) == len(mine))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(moved, transaction_id) for _, transaction_id in mine]:
            done.result()
    for (_, transaction_id), call in zip(mine, held, strict=True):
        status, said, _ = call.answer()
        assert (status, said["transactionId"], said["status"]) == (200, transaction_id, "succeeded")
    assert until(lambda: waiting(served.roomy) == 0)


def test_time_is_up_with_a_status_and_a_wish_to_come_again(
    served: Served, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = replace(served.app.config["PAYDESK"], wait_seconds=1)
    monkeypatch.setitem(served.app.config, "PAYDESK", hasty)
    path = f"/v1/stripe/transactions/{made(who.bo)}?awaitStatus=succeeded"
    began = time.monotonic()
    answer = served.app.test_client().get(path, headers=who.bo.headers)
    assert time.monotonic() - began >= 1
    said = answer.get_json()
    assert (answer.status_code, said["status"], said["timedOut"]) == (200, "created", True)
    assert answer.headers["Retry-After"] == "1"
    assert board.count == 0


def test_so_many_wait_and_no_more_and_places_come_back(served: Served, who: Personas) -> None:
    bo, bob = who.bo, personas.user(f"{ids.token(6)}@people.test")
    sue = who.sue
    transaction_id, bobs = made(bo), made(bob)
    own = [ask(served.tight, transaction_id, bo) for _ in range(2)]
    assert until(lambda: waiting(served.tight) == 2)
    status, said, headers = ask(served.tight, transaction_id, bo).answer()
    assert (status, said["error"]["code"]) == (503, "WAITERS_LIMIT")
    assert int(headers["Retry-After"]) > 0 and "one person or key" in said["message"]
    another = ask(served.tight, bobs, bob)
    assert until(lambda: waiting(served.tight) == 3)
    status, said, _ = ask(served.tight, bobs, sue).answer()
    assert (status, said["error"]["code"]) == (503, "WAITERS_LIMIT")
    assert "this server" in said["message"]
    # What is there already needs no place, and what is not there is said first.
    assert ask(served.tight, transaction_id, bo, "created").status() == "created"
    assert ask(served.tight, "pay_none", bo).answer()[0] == 404
    for each in (transaction_id, bobs):
        moved(each)
    assert [call.status() for call in (*own, another)] == ["succeeded"] * 3
    fresh = made(bo)
    again = ask(served.tight, fresh, bo)
    assert until(lambda: waiting(served.tight) == 1)
    moved(fresh)
    assert again.status() == "succeeded"


def test_a_client_that_went_away_frees_its_place(served: Served, who: Personas) -> None:
    transaction_id = made(who.bo)
    held = [ask(served.roomy, transaction_id, who.bo) for _ in range(5)]
    assert until(lambda: waiting(served.roomy) == 5)
    for call in held:
        call.connection.close()
    assert until(lambda: waiting(served.roomy) == 0, 5)


def test_a_revoked_token_ends_its_wait_without_a_word_of_the_transaction(
    served: Served, who: Personas
) -> None:
    held = ask(served.roomy, made(who.bo), who.bo)
    assert until(lambda: waiting(served.roomy) == 1)
    request = urllib.request.Request(
        f"{served.roomy.url}/api/users/{who.bo.id}/sessions",
        headers=who.ada.headers,
        method="DELETE",
    )
    urllib.request.urlopen(request, timeout=10).close()
    status, said, _ = held.answer()
    assert (status, said["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert "transactionId" not in said


def test_a_restart_answers_who_waits_and_their_next_call_has_the_news(
    served: Served, who: Personas
) -> None:
    transaction_id = made(who.bo)
    with ThreadPoolExecutor(1) as pool:
        held: Future[tuple[int, dict[str, Any], http.client.HTTPMessage]] = pool.submit(
            ask(served.roomy, transaction_id, who.bo).answer
        )
        assert until(lambda: waiting(served.roomy) == 1)
        began = time.monotonic()
        served.roomy.tell(signal.SIGTERM)
        status, said, headers = held.result(PATIENCE)
        assert time.monotonic() - began < 3
    assert (status, said["status"], said["timedOut"]) == (200, "created", True)
    assert 1 <= int(headers["Retry-After"]) <= 3
    assert served.roomy.stop() == 0
    moved(transaction_id)
    served.roomy.restart()
    assert ask(served.roomy, transaction_id, who.bo).status() == "succeeded"


def test_a_kill_loses_nothing_but_the_connection(served: Served, who: Personas) -> None:
    transaction_id = made(who.bo)
    lost = ask(served.roomy, transaction_id, who.bo)
    assert until(lambda: waiting(served.roomy) == 1)
    served.roomy.kill()
    with pytest.raises((OSError, http.client.HTTPException)):
        lost.answer()
    served.roomy.restart()
    again = ask(served.roomy, transaction_id, who.bo)
    assert until(lambda: waiting(served.roomy) == 1)
    moved(transaction_id)
    assert again.status() == "succeeded"


def test_with_every_place_taken_the_api_and_streams_still_answer(
    served: Served, who: Personas
) -> None:
    transaction_id = made(who.bo)
    held = [ask(served.roomy, transaction_id, who.bo) for _ in range(64)]
    assert until(lambda: waiting(served.roomy) == 64)
    one_more = ask(served.roomy, transaction_id, who.bo)
    if served.is_sqlite:
        # Threads end; on PostgreSQL who waits costs none.
        assert one_more.answer()[0] == 503
    for _ in range(5):
        assert ask(served.roomy, transaction_id, who.bo, None).status() == "created"
    moved(transaction_id)
    if not served.is_sqlite:
        held.append(one_more)
    assert {call.status() for call in held} == {"succeeded"}
