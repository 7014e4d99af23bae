"""ES512 signatures with a detached payload, as TrueLayer signs; knows no key store.

Source: RFC 7515 (JWS), RFC 7518 §3.4 (ES512 is r and s, 66 bytes each), and
https://github.com/TrueLayer/truelayer-signing/blob/main/request-signing-v2.md.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from sandbox.common.wire import Obj

_HALF = 66
_ALGORITHM = ec.ECDSA(hashes.SHA512())


class BadSignature(Exception):
    """A signature that does not hold; says why."""


def payload(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """Return what is signed of a request."""
    lines = "".join(f"{name}: {value}\n" for name, value in headers)
    return f"{method} {path}\n{lines}".encode() + body


def sign(header: Obj, content: bytes, private_pem: str) -> str:
    """Return a `Tl-Signature`: header and signature, the payload left out."""
    head = encode(json.dumps(header, separators=(",", ":")).encode())
    signature = _private(private_pem).sign(f"{head}.{encode(content)}".encode(), _ALGORITHM)
    r, s = decode_dss_signature(signature)
    return f"{head}..{encode(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"


def header_of(signature: str) -> Obj:
    """Return the header of a `Tl-Signature`. Raises: BadSignature."""
    head, dots, mark = signature.partition("..")
    if not dots or not mark:
        raise BadSignature("it is no JWS with a detached payload")
    try:
        found = json.loads(decode(head))
    except (ValueError, binascii.Error) as error:
        raise BadSignature("its header is no JSON") from error
    if not isinstance(found, dict):
        raise BadSignature("its header is no JSON object")
    if found.get("alg") != "ES512" or found.get("tl_version") != "2":
        raise BadSignature("alg must be ES512 and tl_version 2")
    return found


def verify(signature: str, content: bytes, public_pem: str) -> None:
    """Check a `Tl-Signature` against a payload. Raises: BadSignature."""
    head, _, mark = signature.partition("..")
    try:
        raw = decode(mark)
    except (ValueError, binascii.Error) as error:
        raise BadSignature("the signature is no base64url") from error
    if len(raw) != 2 * _HALF:
        raise BadSignature("an ES512 signature has 132 bytes")
    der = encode_dss_signature(
        int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big")
    )
    try:
        _public(public_pem).verify(der, f"{head}.{encode(content)}".encode(), _ALGORITHM)
    except InvalidSignature as error:
        raise BadSignature("the signature does not fit the request") from error


def new_private_pem() -> str:
    """Return a fresh P-521 key."""
    return (
        ec.generate_private_key(ec.SECP521R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def jwk(kid: str, private_pem: str) -> Obj:
    """Return the public half as a JSON web key. Source: RFC 7518 §6.2."""
    numbers = _private(private_pem).public_key().public_numbers()
    x, y = (encode(n.to_bytes(_HALF, "big")) for n in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-521", "alg": "ES512", "use": "sig", "kid": kid, "x": x, "y": y}


def assert_public(public_pem: str) -> None:
    """Refuse what is no public P-521 key. Raises: ValueError."""
    _public(public_pem)


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@lru_cache(maxsize=64)
def _private(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("no elliptic curve key")
    return key


@lru_cache(maxsize=64)
def _public(pem: str) -> ec.EllipticCurvePublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size != 521:
        raise ValueError("no public key on P-521")
    return key
