"""What TrueLayer's secrets look like: the client secret, and the key that signs our requests."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from providers.truelayer.signing import KID, SigningKey

PROVIDER_KEY, SIGNING_KEY = "provider_key", "signing_key"
_SECRET = re.compile(r"[!-~]{20,250}", re.ASCII)
_BEGINS = "-----BEGIN"
_PEM = re.compile(r"-----BEGIN ([A-Z ]{1,40})-----([^-]*)-----END \1-----", re.ASCII)
LARGEST_KEY = 8192


def written(value: str, kid: str) -> str:
    """Write a signing key as `kid:PEM`, from that form, from the PEM alone, or from base64 of either.

    A PEM has line ends, which not every place for settings can hold. kid: for a PEM that comes alone.
    """
    text = value.strip()
    if len(text) > LARGEST_KEY:
        return text
    if text and _BEGINS not in text:
        text = _unpacked(text)
    text = _PEM.sub(_in_lines, text).strip()
    return f"{kid}:{text}" if text.startswith(_BEGINS) and kid else text


def _in_lines(pem: re.Match[str]) -> str:
    """Give a PEM the line ends back that a one-line field took, or wrote as a backslash and an n."""
    body = "".join(pem[2].replace("\\n", "").split())
    lines = [body[place : place + 64] for place in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {pem[1]}-----", *lines, f"-----END {pem[1]}-----"])


def _unpacked(text: str) -> str:
    """Take base64 off what it may lie on; a name may stand before it in clear."""
    kid, colon, rest = text.rpartition(":")
    try:
        found = base64.b64decode("".join(rest.split()), validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        return text
    return f"{kid}{colon}{found}" if _BEGINS in found else text


def read_key(value: str) -> SigningKey | None:
    """Read a signing key that was written as `kid:PEM`; None when it is none."""
    kid, _, pem = written(value, "").partition(":")
    if not KID.fullmatch(kid) or not pem.startswith(_BEGINS):
        return None
    return SigningKey(kid, pem + "\n")


def _curve(pem: str) -> str | None:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.curve.name if isinstance(key, ec.EllipticCurvePrivateKey) else None


def weakness(kind: str, value: str) -> str | None:
    """Say why a value cannot be a secret for TrueLayer; None when it can.

    Source: https://github.com/TrueLayer/truelayer-signing (request-signing-v2.md) (ES512: an EC key on P-521)
    """
    if kind == PROVIDER_KEY:
        good = _SECRET.fullmatch(value) is not None
        return None if good else "TrueLayer's client secrets have 20 characters or more, no spaces."
    if kind != SIGNING_KEY:
        return "TrueLayer signs with its own key; there is no secret of this kind."
    key = read_key(value)
    if key is None:
        return "Write it as the key's id, a colon and the PEM (or base64 of it): kid:-----BEGIN …"
    if _curve(key.pem) != "secp521r1":
        return "TrueLayer takes an unencrypted private EC key on the curve P-521 (secp521r1)."
    return None
