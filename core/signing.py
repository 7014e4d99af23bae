"""Signatures that anybody can check and only the holder of a master key can make: Ed25519, nothing stored.

The private key is derived from a master key and never written anywhere; the public one may be given away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.vault import MasterKey


@dataclass(frozen=True)
class Signer:
    """One signing key. id: the beginning of its public key's SHA-256, the same wherever it is derived."""

    id: str
    public: bytes
    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.id})"

    def sign(self, message: bytes) -> str:
        """Sign bytes; gives the signature as base64."""
        return base64.b64encode(self._private.sign(message)).decode()


def derive(master: MasterKey, *, purpose: str) -> Signer:
    """Derive the signing key of a purpose from a master key; the same one every time.

    Source: RFC 5869 (HKDF), RFC 8032 (Ed25519)
    """
    hkdf = HKDF(hashes.SHA256(), 32, salt=None, info=f"paydesk sign {purpose}".encode())
    private = Ed25519PrivateKey.from_private_bytes(hkdf.derive(master.key))
    public = private.public_key().public_bytes_raw()
    return Signer(key_id(public), public, private)


def key_id(public: bytes) -> str:
    """Name a public key by its own bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def is_signed(message: bytes, signature: str, *, public: bytes) -> bool:
    """Tell whether a signature is that of a public key over exactly these bytes."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(raw, message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def to_pem(public: bytes) -> str:
    """Write a public key as PEM, as `openssl` reads it."""
    key = Ed25519PublicKey.from_public_bytes(public)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def from_pem(text: str) -> bytes:
    """Read a public key from PEM.

    Raises: ValueError when it is none of this kind
    """
    key = serialization.load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004  # what was read is wrong, not who calls
    return key.public_bytes_raw()
