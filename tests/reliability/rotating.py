"""What the tests of rotation share: a storm of requests while a secret changes, and a way to end the old one."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.states import Role
from domain.database import reading
from domain.secrets import secret_queries, secrets
from domain.secrets.secrets import CACHE_SECONDS
from tests.api import personas
from tests.api.personas import Persona
from tests.reliability.clients import Answer, new_key, send, until
from tests.reliability.stage import Stage

THREADS = 8
AGREED = 100
# Longer than a process goes on with what it has read.
REMEMBERED = CACHE_SECONDS + 0.5
_numbers = itertools.count(1)
Ask = Callable[[http.client.HTTPConnection, str], int]


@dataclass
class Storm:
    """Requests from several threads, each with one of the credentials that are held at that moment."""

    url: str
    ask: Ask
    good: int
    held: list[str]
    refused: list[int] = field(default_factory=list)
    count: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, work: Callable[[], None], *, total: int) -> None:
        """Ask all the time while `work` is done, before and after it too, `total` times at least."""
        with ThreadPoolExecutor(THREADS + 1) as pool:
            asking = [pool.submit(self._go_on) for _ in range(THREADS)]
            try:
                self._until(total // 3)
                work()
                self._until(max(total, self.count + total // 3))
            finally:
                self._stop.set()
            for each in asking:
                each.result()

    def _until(self, number: int) -> None:
        until(lambda: self.count >= number or self.refused, what="requests", seconds=300)

    def _go_on(self) -> None:
        chance = random.Random(next(_numbers))
        while not self._stop.is_set():
            # A new connection now and then, so that every process is met.
            with closing(connect(self.url)) as connection:
                for _ in range(25):
                    status = self.ask(connection, chance.choice(self.held))
                    with self._lock:
                        self.count += 1
                        if status != self.good:
                            self.refused.append(status)
                    if self._stop.is_set():
                        return


def connect(url: str) -> http.client.HTTPConnection:
    """Open a connection to the web."""
    address = urlsplit(url)
    return http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)


def ask_once(url: str, ask: Ask, credential: str) -> int:
    """Ask over a connection of its own."""
    with closing(connect(url)) as connection:
        return ask(connection, credential)


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Send one request on an open connection; gives the status."""
    connection.request(method, path, body=body, headers=dict(headers or {}))
    answer = connection.getresponse()
    answer.read()
    return answer.status


def assert_refused_by_all(url: str, ask: Ask, credential: str, *, status: int) -> None:
    """Wait until every process refuses a credential; from then on none accepts it.

    Connections may all come to the same process for a while: refused for longer than any of them
    remembers is refused by all.
    """
    begin = last = time.monotonic()
    while time.monotonic() - last < REMEMBERED:
        if ask_once(url, ask, credential) != status:
            last = time.monotonic()
        assert last - begin < 60, "the old one is accepted for ever"
        time.sleep(0.05)
    found_all = {ask_once(url, ask, credential) for _ in range(AGREED)}
    assert found_all == {status}


@dataclass
class Cockpit:
    """An admin at the API who has just shown a second factor."""

    stage: Stage
    ada: Persona

    @classmethod
    def enter(cls, stage: Stage) -> Cockpit:
        """Add an admin to the stage."""
        stage.bind()
        admin = personas.user(f"ada-{next(_numbers)}-{time.time_ns()}@people.test", role=Role.ADMIN)
        return cls(stage, personas.fresh(admin))

    def post(self, path: str, **body: object) -> Answer:
        """Do an act."""
        headers = self.ada.headers | {
            "Content-Type": "application/json",
            "Idempotency-Key": new_key(),
        }
        sent = json.dumps({"reason": "rotation under load"} | body).encode()
        answer = send(self.stage.web.url, "POST", path, body=sent, headers=headers)
        assert answer.status in (200, 201), answer.body[:400]
        return answer

    def secret(self, kind: str) -> dict[str, Any]:
        """Read the one secret of a kind."""
        path = f"/api/secrets?kind={kind}"
        answer = send(self.stage.web.url, "GET", path, headers=self.ada.headers)
        assert answer.status == 200, answer.body[:400]
        found: dict[str, Any] = answer.json["items"][0]
        return found

    def rotate(self, kind: str, **body: object) -> str | None:
        """Rotate; gives the generated value."""
        path = f"/api/secrets/{self.secret(kind)['secretId']}/versions"
        made = self.post(path, **({"generate": True} | body)).json["value"]
        secrets.forget_cached()
        return None if made is None else str(made)

    def revoke_old(self, kind: str) -> None:
        """Revoke every version but the newest."""
        found = self.secret(kind)
        for version in found["versions"][1:]:
            if version["state"] in ("active", "retiring"):
                self.post(f"/api/secrets/{found['secretId']}/versions/{version['version']}/revoke")
        secrets.forget_cached()

    def wait_until_signing(self, kind: str) -> None:
        """Wait until the newest version signs."""

        def is_signing() -> bool:
            secrets.forget_cached()
            with reading() as session:
                found = secret_queries.list_secrets(session, kinds=[kind])[0]
            in_use = found.in_use
            signer = secrets.live(found.row.provider, kind)[0]
            return in_use is not None and signer.version_id == in_use.row.id

        until(is_signing, what=f"the new {kind} to sign")
