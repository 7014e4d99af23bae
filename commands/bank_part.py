"""The stand-in bank of `run-all`: where it listens, the keys it shares with us, its part of the group."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commands import parts
from commands.supervisor import Part
from config import Settings
from providers import registry

PORT_OFFSET = 422
DOOR = "/api/webhooks/bank"
KID = "paydesk-sandbox"


@dataclass(frozen=True)
class StandInBank:
    """The stand-in for a bank behind two providers: where it is, and what it and we share."""

    port: int
    host: str
    public_url: str
    webhook_url: str
    client_id: str
    client_secret: str
    access_token: str
    webhook_secret: str
    signing_key: Path
    public_key: Path
    state: Path

    def settings(self) -> dict[str, str]:
        """Give the settings that make Paydesk use it. Its pages and keys lie where its API does."""
        return {
            "TRUELAYER_API_URL": self.public_url,
            "TRUELAYER_CLIENT_ID": self.client_id,
            "TRUELAYER_CLIENT_SECRET": self.client_secret,
            "TRUELAYER_SIGNING_KEY": self.signing_key.read_text(encoding="ascii"),
            "GOCARDLESS_API_URL": self.public_url,
            "GOCARDLESS_ACCESS_TOKEN": self.access_token,
            "GOCARDLESS_WEBHOOK_SECRET": self.webhook_secret,
        }


def own_providers(settings: Settings) -> list[str]:
    """List the settings by which the operator uses a bank provider of their own."""
    return [name for name in choices() if settings.given(name)]


def choices() -> list[str]:
    """List what an operator may set to use a bank provider of their own."""
    return [rail.set_by for rail in registry.every() if rail.rail == "bank"]


def stand_in(settings: Settings) -> StandInBank:
    """Choose the port and keys of the stand-in; its state survives in the instance folder."""
    folder = settings.instance.resolve() / "stand-in"
    keys = parts.kept_keys(
        folder / "bank.json",
        {
            "client_secret": parts.letters(),
            "access_token": f"sandbox_{parts.letters()}",
            "webhook_secret": parts.letters(),
        },
    )
    private, public = _signing_keys(folder)
    port = parts.free_port(settings.host, settings.port + PORT_OFFSET)
    seen_as = urlsplit(settings.public_url).hostname or "localhost"
    own = parts.address(parts.reachable(settings.host), settings.port)
    return StandInBank(
        port=port,
        host=settings.host,
        public_url=parts.address(seen_as, port),
        webhook_url=f"{own}{DOOR}",
        client_id="paydesk-sandbox",
        client_secret=keys["client_secret"],
        access_token=keys["access_token"],
        webhook_secret=keys["webhook_secret"],
        signing_key=private,
        public_key=public,
        state=folder / "bank.db",
    )


def _signing_keys(folder: Path) -> tuple[Path, Path]:
    """Give the files of the key that signs our requests and of its public half, made once."""
    private, public = folder / "bank-signing.pem", folder / "bank-signing.pub"
    made = ec.generate_private_key(ec.SECP521R1())
    secret = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    kept = parts.kept(private, f"{KID}:{secret.decode()}").partition(":")[2]
    held = serialization.load_pem_private_key(kept.encode(), password=None)
    known = held.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    public.write_text(f"{KID}:{known.decode()}", encoding="ascii")
    return private, public


def part(chosen: StandInBank, env: Mapping[str, str]) -> Part:
    """Give the stand-in's process; it ends last, since the others may be calling it."""
    argv = [sys.executable, "-m", "sandbox.bank", "--host", chosen.host]
    argv += ["--port", str(chosen.port), "--public-url", chosen.public_url]
    argv += ["--state", str(chosen.state), "--settle-seconds", "20", "--payout-seconds", "1200"]
    argv += ["--truelayer-webhook-url", f"{chosen.webhook_url}/truelayer"]
    argv += ["--truelayer-client-id", chosen.client_id]
    argv += ["--truelayer-client-secret", chosen.client_secret]
    argv += ["--truelayer-public-key", str(chosen.public_key)]
    argv += ["--gocardless-webhook-url", f"{chosen.webhook_url}/gocardless"]
    argv += ["--gocardless-access-token", chosen.access_token]
    argv += ["--gocardless-webhook-secret", chosen.webhook_secret]
    return Part("bank", argv, env, rank=2)
