"""One stand-in per session as a process, the unmodified SDK as its client, and a receiver."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe
from stripe import StripeClient

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import SECRET_KEY, Client, StandIn

Start = Callable[..., StandIn]


def _launch(folder: Path, *options: str) -> StandIn:
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.stripe", "--port-file", str(port_file), *options],
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    log.close()
    deadline = time.monotonic() + 15
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail((folder / "log").read_text())
        time.sleep(0.02)
    return StandIn(process, f"http://127.0.0.1:{port_file.read_text().strip()}")


def _end(standin: StandIn) -> None:
    standin.process.send_signal(signal.SIGTERM)
    assert standin.process.wait(timeout=10) == 0


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A webhook receiver that verifies signatures."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[StandIn]:
    """The session's stand-in."""
    running = _launch(
        tmp_path_factory.mktemp("stripe"),
        *("--webhook-url", receiver.url, "--settle-seconds", "0.2", "--balance-seconds", "0.05"),
        *("--retry-start", "0.1"),
        *(part for secret in receiver.secrets for part in ("--webhook-secret", secret)),
    )
    yield running
    _end(running)


@pytest.fixture
def standin(shared: StandIn, receiver: Receiver) -> StandIn:
    """The stand-in, empty."""
    shared.control("POST", "reset")
    receiver.forget()
    return shared


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start stand-ins of one's own: `start("--state", path)`."""
    started: list[StandIn] = []

    def begin(*options: str) -> StandIn:
        started.append(_launch(tmp_path / str(len(started)), *options))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            _end(running)


@pytest.fixture
def client(standin: StandIn) -> Client:
    """The real SDK, pointed at the stand-in, without retries of its own."""
    return connect(standin.url)


def connect(url: str, *, retries: int = 0) -> Client:
    """Return an SDK client for a stand-in."""
    return StripeClient(
        SECRET_KEY,
        base_addresses={"api": url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=10),
    )
