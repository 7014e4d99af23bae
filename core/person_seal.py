"""Sealing values under the key of one person, so that destroying that one key makes every copy unreadable.

Where the keys are kept is not known here. Format: `p1.<key id>.` + 12-byte nonce + ciphertext with tag.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.vault import CannotOpen

KEY_BYTES = 32
_NONCE = 12
HEAD = b"p1."


class KeyDestroyed(CannotOpen):
    """The key of the person was destroyed; what it sealed cannot be read any more."""


def new_key() -> bytes:
    """Make the key of a person."""
    return os.urandom(KEY_BYTES)


def seal(plain: bytes, *, key_id: str, key: bytes, purpose: str, place: str) -> bytes:
    """Encrypt bytes for one place under a person's key. As `vault.Vault.seal`.

    Source: NIST SP 800-38D; RFC 5869 (HKDF)
    """
    nonce = os.urandom(_NONCE)
    sealed = _cipher(key, purpose).encrypt(nonce, plain, _bound(place, key_id))
    return HEAD + key_id.encode() + b"." + nonce + sealed


def key_id_of(sealed: bytes) -> str | None:
    """Name the key that sealed a value; None when it was no person's."""
    head = bytes(sealed[: len(HEAD) + 64])
    if not head.startswith(HEAD):
        return None
    name, dot, _ = head[len(HEAD) :].partition(b".")
    return name.decode(errors="replace") if dot else None


def open_sealed(sealed: bytes, *, key: bytes, purpose: str, place: str) -> bytes:
    """Decrypt what `seal` made for the same purpose and place.

    Raises: CannotOpen when the key is another, the place differs or a bit changed.
    """
    key_id = key_id_of(sealed)
    if key_id is None:
        raise CannotOpen("not sealed under a person's key")
    rest = bytes(sealed)[len(HEAD) + len(key_id.encode()) + 1 :]
    try:
        return _cipher(key, purpose).decrypt(rest[:_NONCE], rest[_NONCE:], _bound(place, key_id))
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("the sealed value was changed or belongs elsewhere") from error


def _bound(place: str, key_id: str) -> bytes:
    return f"{place}|{key_id}".encode()


def _cipher(key: bytes, purpose: str) -> AESGCM:
    info = f"paydesk|person|{purpose}".encode()
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(key))
