"""TrueLayer's signatures: ours over requests, theirs over webhooks; no storage, no socket of its own.

A webhook's signature names by itself the key and the place where it is to be had. All of that is the
sender's to choose, so every part is compared with what we expect before anything is looked up.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from truelayer_signing import HttpMethod, JwsHeader, sign_with_pem, verify_with_jwks
from truelayer_signing.errors import TlSigningException

from core import strictjson
from core.errors import BadSignature
from providers.deliveries import Sent, Verified

SIGNATURE, TIMESTAMP = "Tl-Signature", "X-Tl-Webhook-Timestamp"
SCHEME = "truelayer_es512"
TOLERANCE_SECONDS = 300
LONGEST_SIGNATURE = 2048
LONGEST_VALUE = 4096
LONGEST_PATH = 512
MOST_HEADERS = 16
# A P-521 signature is 132 bytes, which base64 writes without a rest: no character of it is free.
_FORM = re.compile(r"([A-Za-z0-9_-]{40,1600})\.\.([A-Za-z0-9_-]{176})", re.ASCII)
KID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_FIELDS = ("alg", "kid", "tl_version", "tl_headers", "jku")
# What the library and `cryptography` below it raise on input that nobody has ever signed.
_REFUSALS = (
    TlSigningException,
    UnsupportedAlgorithm,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

Jwk = Mapping[str, str]
# Gives a key by the address of its set and its name in there, or None.
FindKey = Callable[[str, str], "Jwk | None"]


@dataclass(frozen=True)
class SigningKey:
    """Our own key. kid: as TrueLayer's console calls it; pem: its private half."""

    kid: str
    pem: str = field(repr=False)


def sign(key: SigningKey, method: str, path: str, *, idempotency_key: str, body: str) -> str:
    """Sign a request: method, path, its idempotency key and its body exactly as sent.

    Source: https://github.com/TrueLayer/truelayer-signing (request-signing-v2.md)
    """
    signer = sign_with_pem(key.kid, key.pem).set_method(HttpMethod(method)).set_path(path)
    signed: str = signer.add_header("Idempotency-Key", idempotency_key).set_body(body).sign()
    return signed


def verify(
    sent: Sent, *, jkus: Collection[str], find_key: FindKey, mode: str, now: int
) -> Verified:
    """Check `Tl-Signature`: its form, where its key comes from, when it was made, then the signature.

    1. everything that costs nothing; 2. the key, by its exact address and name; 3. the library's check
    over method, path, the headers it names and the raw body. now: seconds since the epoch.
    Raises: BadSignature, whatever was sent.
    Source: https://docs.truelayer.com/docs/payments-api-webhook-reference; the library's README
    """
    signature = sent.header(SIGNATURE)
    header = _read_header(signature)
    if header.jku not in jkus:
        # Whoever may choose the address chooses the key; and we would call it from our network.
        raise BadSignature
    named = _signed_headers(header, sent.header)
    _assert_fresh(named, now)
    if len(sent.path) > LONGEST_PATH:
        raise BadSignature
    key = find_key(str(header.jku), header.kid)
    if key is None:
        raise BadSignature
    try:
        verifier = verify_with_jwks({"keys": [key]}, header).set_method(HttpMethod(sent.method))
        verifier.set_path(sent.path).add_headers(named).add_required_header(TIMESTAMP)
        # It gives nothing when all is well, and raises otherwise.
        verifier.set_body(sent.body.decode("utf-8")).verify(str(signature))
    except _REFUSALS as error:
        raise BadSignature from error
    return Verified(None, SCHEME, mode)


def _read_header(signature: str | None) -> JwsHeader:
    """Read the first part of a detached JWS; only the one way of writing it that the library signs."""
    if not signature or len(signature) > LONGEST_SIGNATURE or not signature.isascii():
        raise BadSignature
    form = _FORM.fullmatch(signature)
    if form is None:
        raise BadSignature
    text = _decoded(form[1])
    try:
        said = strictjson.loads_object(text)
    except strictjson.Unreadable as error:
        raise BadSignature from error
    if set(said) != set(_FIELDS) or not all(isinstance(value, str) for value in said.values()):
        # Also what would ask for another way of verifying: `jwk`, `x5u`, `crit`, `b64`.
        raise BadSignature
    if said["alg"] != "ES512" or said["tl_version"] != "2":
        raise BadSignature
    if not KID.fullmatch(str(said["kid"])):
        raise BadSignature
    plain = {name: said[name] for name in _FIELDS}
    if json.dumps(plain, separators=(",", ":")).encode() != text:
        # The library verifies its own spelling of the header, so another one would pass unnoticed.
        raise BadSignature
    return JwsHeader(**{name: str(value) for name, value in plain.items()})


def _decoded(part: str) -> bytes:
    """Decode base64url strictly: what decodes to the same bytes must be the same text."""
    try:
        found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadSignature from error
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part.encode():
        raise BadSignature
    return found


def _signed_headers(header: JwsHeader, value_of: Callable[[str], str | None]) -> dict[str, str]:
    """Collect the headers that the signature covers; the time of sending must be one of them."""
    names = header.tl_headers.split(",")
    lower = [name.lower() for name in names]
    if len(names) > MOST_HEADERS or len(set(lower)) != len(names):
        raise BadSignature
    if TIMESTAMP.lower() not in lower:
        raise BadSignature
    found: dict[str, str] = {}
    for name in names:
        value = value_of(name) if _NAME.fullmatch(name) else None
        if value is None or len(value) > LONGEST_VALUE or not value.isascii():
            raise BadSignature
        if not value.isprintable():
            raise BadSignature
        found[name] = value
    return found


def _assert_fresh(named: Mapping[str, str], now: int) -> None:
    stamp = next(value for name, value in named.items() if name.lower() == TIMESTAMP.lower())
    if len(stamp) > 40:
        raise BadSignature
    try:
        sent_at = datetime.fromisoformat(stamp)
        is_zoned = sent_at.tzinfo is not None
        distance = abs(now - sent_at.timestamp()) if is_zoned else None
    except (ValueError, OverflowError) as error:
        raise BadSignature from error
    if distance is None or distance > TOLERANCE_SECONDS:
        raise BadSignature
