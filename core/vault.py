"""Encryption at rest, blind indexes and the wrapper that keeps secrets out of logs; no storage."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12
_FORMAT = b"v1"
# What blind indexes are made of. A new purpose needs nothing stored anew: its key comes from the root.
INDEX_PURPOSES = (
    "address",
    "email",
    "person",
    "sandbox password",
    "secret",
    "sign-in account",
    "sign-in address",
)
INDEX_ROOT = "root"


class Secret:
    """A value that prints as `***` wherever it lands; `reveal()` is the one way to read it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value; only where it is used."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True)
class MasterKey:
    """One 256-bit key with the name that ciphertexts carry."""

    kid: str
    key: bytes


class CannotOpen(ValueError):
    """The ciphertext was not sealed here, for this row, with a key we hold."""


def parse_master_keys(text: str) -> tuple[MasterKey, ...]:
    """Read `kid2:base64,kid1:base64`; the first encrypts, all decrypt.

    Raises: ValueError when a key is missing, malformed or not 256 bits.
    """
    found = []
    for part in text.split(","):
        kid, _, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError("a master key is not base64") from error
        if not kid.isalnum() or len(key) != 32:
            raise ValueError("a master key must be kid:base64 of exactly 32 bytes")
        found.append(MasterKey(kid, key))
    if len({key.kid for key in found}) != len(found):
        raise ValueError("two master keys have the same kid")
    return tuple(found)


def generate_master_key(kid: str) -> str:
    """Make a `kid:base64` master key."""
    return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"


class Vault:
    """Seals and opens values with AES-256-GCM under keys derived per purpose from the master keys.

    The place (`table|column|row`) is bound as associated data, so a ciphertext moved to another
    row does not open. Format: `v1.kid.` + 12-byte nonce + ciphertext with tag.
    stored_indexes: gives the keys of the blind indexes once they are kept by themselves, so that the
    master key they once came from can go.
    Source: NIST SP 800-38D; RFC 5869 (HKDF)
    """

    def __init__(
        self,
        keys: Sequence[MasterKey],
        *,
        stored_indexes: Callable[[], Mapping[str, bytes] | None] = lambda: None,
    ) -> None:
        if not keys:
            raise ValueError("no master key")
        self._current = keys[0].kid
        self._keys = {key.kid: key.key for key in keys}
        self._ciphers: dict[tuple[str, str], AESGCM] = {}
        self._index_keys: dict[str, bytes] = {}
        self._index_roots: Mapping[str, bytes] | None = None
        self._oldest = keys[-1].key
        self._stored_indexes = stored_indexes

    @property
    def kid(self) -> str:
        """The name of the key that seals now."""
        return self._current

    @property
    def kids(self) -> tuple[str, ...]:
        """The names of all keys that open, the one that seals first."""
        return tuple(self._keys)

    def _cipher(self, kid: str, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((kid, purpose))
        if cipher is None:
            if kid not in self._keys:
                raise CannotOpen(f"no master key named {kid!r}")
            cipher = AESGCM(_derive(self._keys[kid], f"seal|{purpose}"))
            self._ciphers[kid, purpose] = cipher
        return cipher

    def seal(self, plain: bytes, *, purpose: str, place: str) -> bytes:
        """Encrypt bytes for one place. purpose: the kind of data; place: `table|column|row id`."""
        nonce = os.urandom(_NONCE)
        bound = f"{place}|{self._current}".encode()
        sealed = self._cipher(self._current, purpose).encrypt(nonce, plain, bound)
        return b".".join((_FORMAT, self._current.encode(), nonce + sealed))

    def open(self, sealed: bytes, *, purpose: str, place: str) -> bytes:
        """Decrypt what `seal` made for the same purpose and place.

        Raises: CannotOpen when the key is gone, the place differs or a bit changed.
        """
        try:
            version, kid, rest = bytes(sealed).split(b".", 2)
        except ValueError as error:
            raise CannotOpen("not a sealed value") from error
        if version != _FORMAT:
            raise CannotOpen("not a sealed value")
        name = kid.decode(errors="replace")
        try:
            return self._cipher(name, purpose).decrypt(
                rest[:_NONCE], rest[_NONCE:], f"{place}|{name}".encode()
            )
        except InvalidTag as error:
            raise CannotOpen("the sealed value was changed or belongs elsewhere") from error

    def blind_index(self, value: str, *, purpose: str) -> str:
        """Give a keyed hash by which an encrypted value can be found again, exact match only.

        Keyed by the stored index keys; until there are some, by the oldest master key they come from.
        """
        key = self._index_keys.get(purpose)
        if key is None:
            key = self._index_keys[purpose] = index_key(self._roots(), purpose)
        return hmac.new(key, value.strip().casefold().encode(), hashlib.sha256).hexdigest()

    def _roots(self) -> Mapping[str, bytes]:
        """Give the index keys, asked for once: whoever asks may have a transaction open."""
        if self._index_roots is None:
            stored = self._stored_indexes()
            self._index_roots = self.derived_indexes() if stored is None else stored
        return self._index_roots

    def derived_indexes(self) -> dict[str, bytes]:
        """Derive the keys of the blind indexes from the oldest master key, to be stored.

        None of them tells anything about that key, nor about what it sealed.
        """
        names = (*INDEX_PURPOSES, INDEX_ROOT)
        return {name: _derive(self._oldest, f"index|{name}") for name in names}


def index_key(stored: Mapping[str, bytes], purpose: str) -> bytes:
    """Choose the key of one index: its own, or one derived from the root for a purpose that came later."""
    found = stored.get(purpose)
    return found if found is not None else _derive(stored[INDEX_ROOT], f"index|{purpose}")


def head(kid: str) -> bytes:
    """Give the bytes with which everything begins that a key sealed."""
    return b".".join((_FORMAT, kid.encode(), b""))


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"paydesk|{purpose}".encode()).derive(key)
