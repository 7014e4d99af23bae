"""A provider's API key rotates under calls: none fails, and once the new one is known none carries the old."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import time_machine
from flask import Flask

import config
import wsgi
from core import clock
from core.errors import ProviderUnavailable
from domain import database
from domain.actors import system
from domain.database import reading, transaction
from domain.secrets import rotation, secret_queries, secrets
from domain.secrets.rotation import Rotation
from domain.transitions import Why
from providers import registry

OLD = "sk_test_" + "Old7Lw9Rt2y5Uv8Kp4n6Mb1Hd0q"
NEW = "sk_test_" + "New7Lw9Rt2y5Uv8Kp4n6Mb1Hd0q"
CALLS = 2_000
WHY = Why(system("test"), "test", "rotation under load")
_EMPTY = b'{"object":"list","data":[],"has_more":false,"url":"/v1/payment_intents"}'
_WRONG = b'{"error":{"type":"invalid_request_error","message":"Invalid API Key"}}'


class Provider(ThreadingHTTPServer):
    """Answers a list of nothing to whoever has a key that is good at the moment."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.good = {OLD, NEW}
        self.seen: list[str] = []


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_GET(self) -> None:
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.server.seen.append(key)
        body = _EMPTY if key in self.server.good else _WRONG
        self.send_response(200 if key in self.server.good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the signature is the library's
        del format, args


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that this process serves."""
    serving = Provider()
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


@pytest.fixture
def app(environ: dict[str, str], provider: Provider) -> Iterator[Flask]:
    """The application with its card rail at that provider."""
    more = {
        "STRIPE_SECRET_KEY": OLD,
        "STRIPE_API_BASE": f"http://127.0.0.1:{provider.server_port}",
    }
    yield wsgi.create_app(config.load(environ | more))
    database.engine().dispose()


def call(_: int = 0) -> bool:
    """Ask the provider something that changes nothing."""
    return registry.get("stripe").find("pay_none", since=clock.now(), method="intent") is None


def rotate() -> str:
    """Enter the new key. Gives the secret's id."""
    with reading() as session:
        secret_id = secret_queries.list_secrets(session, kinds=["provider_key"])[0].row.id
    with transaction() as session:
        rotation.rotate(session, secret_id, Rotation(value=NEW), why=WHY)
    secrets.forget_cached()
    return secret_id


def test_no_call_fails_while_the_key_changes(app: Flask, provider: Provider) -> None:
    del app
    assert call()
    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(call) for _ in range(CALLS // 2)]
        secret_id = rotate()
        assert all(each.result() for each in first)
        # The old one goes on being used until every process knows the new one.
        assert provider.seen[0] == OLD and set(provider.seen) <= {OLD, NEW}
        with time_machine.travel(clock.now() + timedelta(seconds=secrets.SETTLE_SECONDS + 1)):
            provider.good = {NEW}
            provider.seen.clear()
            assert all(pool.map(call, range(CALLS // 2)))
            assert set(provider.seen) == {NEW}
    # The provider ended it; going back to it is refused there, and shows as such.
    with transaction() as session:
        rotation.restore(session, secret_id, 1, why=WHY)
    secrets.forget_cached()
    with pytest.raises(ProviderUnavailable):
        call()


def test_a_key_of_the_other_mode_is_never_used(app: Flask) -> None:
    del app
    assert registry.get("stripe").mode == "test"
    weak = registry.get("stripe").weakness("provider_key", NEW.replace("test", "live"))
    assert weak is not None and "live" in weak
