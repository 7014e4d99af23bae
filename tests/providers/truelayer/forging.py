"""TrueLayer's side of a webhook, written with `cryptography` alone: keys, sets of keys, signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from providers.deliveries import Sent

JKU = "https://webhooks.truelayer-sandbox.com/.well-known/jwks"
PATH = "/api/webhooks/bank/truelayer"
NOW = 1_711_111_111
BODY = b'{"type":"payment_settled","event_version":1,"event_id":"e1","payment_id":"p1"}'


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def stamp(at: int = NOW) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Key:
    """One key of theirs. curve: theirs is P-521; a test may take another."""

    kid: str
    curve: ec.EllipticCurve = field(default_factory=ec.SECP521R1)

    def __post_init__(self) -> None:
        self.private = ec.generate_private_key(self.curve)

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        size = (self.curve.key_size + 7) // 8
        name = {"secp521r1": "P-521", "secp256r1": "P-256"}[self.curve.name]
        x, y = (b64(part.to_bytes(size, "big")) for part in (numbers.x, numbers.y))
        return {"kty": "EC", "alg": "ES512", "kid": self.kid, "crv": name, "x": x, "y": y}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def sign(self, data: bytes) -> bytes:
        """Sign as JWS does (RFC 7518, 3.4): r and s side by side, each 66 bytes."""
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA512())))
        return r.to_bytes(66, "big") + s.to_bytes(66, "big")


def key_set(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


def plaintext(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write what is signed: the request line, the headers in order, the body."""
    lines = [f"{method} {path}\n", *(f"{name}: {value}\n" for name, value in headers.items())]
    return "".join(lines).encode() + body


@dataclass
class Forger:
    """One webhook as somebody makes it; every part can be other than it should be."""

    key: Key
    header: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH
    body: bytes = BODY

    def __post_init__(self) -> None:
        self.headers = {"X-Tl-Webhook-Timestamp": stamp()} | self.headers
        self.header = {
            "alg": "ES512",
            "kid": self.key.kid,
            "tl_version": "2",
            "tl_headers": ",".join(self.headers),
            "jku": JKU,
        } | self.header

    def head(self) -> str:
        return b64(json.dumps(self.header, separators=(",", ":")).encode())

    def to_sign(self) -> bytes:
        written = plaintext(self.method, self.path, self.headers, self.body)
        return f"{self.head()}.{b64(written)}".encode()

    def token(self, signature: bytes | None = None) -> str:
        made = self.key.sign(self.to_sign()) if signature is None else signature
        return f"{self.head()}..{b64(made)}"

    def sent(self, token: str | None = None) -> Sent:
        return sent(
            self.token() if token is None else token,
            headers=self.headers,
            method=self.method,
            path=self.path,
            body=self.body,
        )


def sent(
    token: str | None,
    *,
    headers: Mapping[str, str],
    method: str = "POST",
    path: str = PATH,
    body: bytes = BODY,
) -> Sent:
    """Make a delivery as it comes in; header names are read without regard to case."""
    lower = {name.lower(): value for name, value in headers.items()}
    if token is not None:
        lower["tl-signature"] = token
    return Sent(method, path, body, lambda name: lower.get(name.lower()))
