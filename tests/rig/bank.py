"""The stand-in for a bank as tests wire it to the product: settings, keys, control, and a payer without a browser."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

TRUELAYER_CLIENT_ID, TRUELAYER_CLIENT_SECRET = "standin", "standin-secret"
GOCARDLESS_TOKEN, GOCARDLESS_WEBHOOK_SECRET = "sandbox_standin-token", "standin-webhook-secret"
TRUELAYER_PATH, GOCARDLESS_PATH = "/api/webhooks/bank/truelayer", "/api/webhooks/bank/gocardless"
KID = "test-signing-key"


@dataclass(frozen=True)
class SigningKey:
    """What signs our requests to TrueLayer, made for one test."""

    held: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP521R1())
    )

    @property
    def private(self) -> str:
        """The key as a setting takes it."""
        pem = self.held.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return f"{KID}:{pem.decode()}"

    @property
    def public(self) -> str:
        """Its public half, for the bank."""
        pem = self.held.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem.decode()


def settings(url: str, key: SigningKey, *, provider: str = "truelayer") -> dict[str, str]:
    """Give the settings that point both bank providers at a stand-in. provider: for new payments."""
    return {
        "BANK_PROVIDER": provider,
        "TRUELAYER_API_URL": url,
        "TRUELAYER_CLIENT_ID": TRUELAYER_CLIENT_ID,
        "TRUELAYER_CLIENT_SECRET": TRUELAYER_CLIENT_SECRET,
        "TRUELAYER_SIGNING_KEY": key.private,
        "GOCARDLESS_API_URL": url,
        "GOCARDLESS_ACCESS_TOKEN": GOCARDLESS_TOKEN,
        "GOCARDLESS_WEBHOOK_SECRET": GOCARDLESS_WEBHOOK_SECRET,
    }


def control(url: str, path: str, body: object = None, *, method: str | None = None) -> Any:
    """Call the stand-in's control door: `payments/…/settle`, `faults`, `ledger` …"""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}/_sandbox/{path}", data=data, method=method or ("GET" if data is None else "POST")
    )
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def register(url: str, key: SigningKey) -> None:
    """Tell the stand-in whose signature it may believe."""
    control(url, "truelayer_keys", {"kid": KID, "pem": key.public}, method="PUT")
