"""A security key in software: makes passkeys and signs with them, honestly or not."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import struct
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_numbers = itertools.count(1)
PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def text(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


@dataclass
class Authenticator:
    """One key of one device. counts: whether it says how often it signed."""

    host: str = "localhost"
    origin: str = "http://localhost"
    counts: bool = True
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(
        default_factory=lambda: hashlib.sha256(str(next(_numbers)).encode()).digest()
    )

    def _client(self, kind: str, challenge: bytes) -> bytes:
        said = {"type": kind, "challenge": text(challenge), "origin": self.origin}
        return json.dumps(said).encode()

    def _head(self, flags: int) -> bytes:
        self.count += 1 if self.counts else 0
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([flags]) + struct.pack(">I", self.count)

    def _public(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def make(self, challenge: bytes) -> str:
        """Answer what a browser is asked when a passkey is set up."""
        size = struct.pack(">H", len(self.credential_id))
        head = self._head(PRESENT | VERIFIED | HAS_KEY)
        whole = head + bytes(16) + size + self.credential_id + self._public()
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": whole})
        client = self._client("webauthn.create", challenge)
        return self._answer(clientDataJSON=text(client), attestationObject=text(attested))

    def sign(self, challenge: bytes, *, flags: int = PRESENT | VERIFIED) -> str:
        """Answer what a browser is asked when a passkey is shown."""
        head, client = self._head(flags), self._client("webauthn.get", challenge)
        whole = head + hashlib.sha256(client).digest()
        signature = self.key.sign(whole, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=text(client),
            authenticatorData=text(head),
            signature=text(signature),
        )

    def _answer(self, **response: str) -> str:
        name = text(self.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def challenge_of(options: str) -> bytes:
    """Read what is to be signed out of the options that a browser gets."""
    said = str(json.loads(options)["challenge"])
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
