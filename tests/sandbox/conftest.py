"""One stand-in per session as a process, the unmodified SDK as its client, and a receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe
from stripe import StripeClient

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import SECRET_KEY, Client, StandIn, end, launch, starting

Start = Callable[..., StandIn]


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A webhook receiver that verifies signatures."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[StandIn]:
    """The session's stand-in."""
    running = launch(
        "stripe",
        tmp_path_factory.mktemp("stripe"),
        *("--webhook-url", receiver.url, "--settle-seconds", "0.2", "--balance-seconds", "0.05"),
        *("--retry-start", "0.1"),
        *(part for secret in receiver.secrets for part in ("--webhook-secret", secret)),
    )
    yield running
    end(running)


@pytest.fixture
def standin(shared: StandIn, receiver: Receiver) -> StandIn:
    """The stand-in, empty."""
    shared.control("POST", "reset")
    receiver.forget()
    return shared


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start stand-ins of one's own: `start("--state", path)`."""
    with starting("stripe", tmp_path) as begin:
        yield begin


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
