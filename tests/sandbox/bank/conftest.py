"""One bank per session as a process, a client and a receiver for each wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox.bank.wires import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    KID,
    SECRET,
    GoCardless,
    GoCardlessInbox,
    TrueLayer,
    TrueLayerInbox,
    pems,
)
from tests.sandbox.standin import StandIn, end, launch, starting

Start = Callable[..., StandIn]


@pytest.fixture(scope="session")
def key() -> ec.EllipticCurvePrivateKey:
    """The client's signing key."""
    return ec.generate_private_key(ec.SECP521R1())


@pytest.fixture(scope="session")
def truelayer_inbox() -> Iterator[TrueLayerInbox]:
    """Where TrueLayer's webhooks go."""
    with TrueLayerInbox() as inbox:
        yield inbox


@pytest.fixture(scope="session")
def gocardless_inbox() -> Iterator[GoCardlessInbox]:
    """Where GoCardless' webhooks go."""
    with GoCardlessInbox() as inbox:
        yield inbox


@pytest.fixture(scope="session")
def options(
    tmp_path_factory: pytest.TempPathFactory,
    key: ec.EllipticCurvePrivateKey,
    truelayer_inbox: TrueLayerInbox,
    gocardless_inbox: GoCardlessInbox,
) -> tuple[str, ...]:
    """How a bank of these tests is started."""
    file = tmp_path_factory.mktemp("keys") / "public"
    file.write_text(f"{KID}:{pems(key)[1]}")
    return (
        *("--truelayer-public-key", str(file), "--truelayer-client-id", CLIENT_ID),
        *("--truelayer-client-secret", CLIENT_SECRET, "--gocardless-access-token", ACCESS_TOKEN),
        *("--truelayer-webhook-url", truelayer_inbox.url),
        *("--gocardless-webhook-url", gocardless_inbox.url, "--gocardless-webhook-secret", SECRET),
        *("--settle-seconds", "0.2", "--refund-seconds", "0.1", "--batch-seconds", "0.1"),
        *("--retry-start", "0.1"),
    )


@pytest.fixture(scope="session")
def shared_bank(
    tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...]
) -> Iterator[StandIn]:
    """The session's bank."""
    running = launch("bank", tmp_path_factory.mktemp("bank"), *options)
    yield running
    end(running)


@pytest.fixture
def bank(
    shared_bank: StandIn, truelayer_inbox: TrueLayerInbox, gocardless_inbox: GoCardlessInbox
) -> StandIn:
    """The bank, with nothing in it."""
    for wire, inbox in (("truelayer", truelayer_inbox), ("gocardless", gocardless_inbox)):
        shared_bank.control("PUT", "webhooks", {"wire": wire, "url": inbox.url})
    shared_bank.control("POST", "reset")
    truelayer_inbox.forget()
    gocardless_inbox.forget()
    truelayer_inbox.jku = f"{shared_bank.url}/.well-known/jwks"
    return shared_bank


@pytest.fixture
def start_bank(tmp_path: Path, options: tuple[str, ...]) -> Iterator[Start]:
    """Start banks of one's own: `start_bank("--state", path)`."""
    with starting("bank", tmp_path, *options) as begin:
        yield begin


@pytest.fixture
def truelayer(bank: StandIn, key: ec.EllipticCurvePrivateKey) -> TrueLayer:
    """A client of TrueLayer's wire, with a token."""
    return connect(bank.url, key)


def connect(url: str, key: ec.EllipticCurvePrivateKey) -> TrueLayer:
    """Return a client with a token for a bank."""
    client = TrueLayer(url, key)
    client.bearer = client.grant().json()["access_token"]
    return client


@pytest.fixture
def gocardless(bank: StandIn) -> GoCardless:
    """A client of GoCardless' wire."""
    return GoCardless(bank.url)
