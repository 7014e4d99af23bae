"""What kinds of secrets there are, as data: how long two versions live together, when the old may go, how old."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core import ids
from core.errors import InvalidInput
from core.vault import MasterKey
from domain.secrets.keyring import INDEXES
from providers import registry

OURS = "paydesk"
WEBHOOK, PROVIDER_KEY, SIGNING_KEY, JWT, SESSION, ENDPOINT = (
    "webhook",
    "provider_key",
    "signing_key",
    "jwt",
    "session",
    "endpoint",
)
INDEX = INDEXES[1]
# What calls to a provider are made with; the environment's value stands in until the store is read.
CALLING = frozenset({PROVIDER_KEY, SIGNING_KEY})
LONGEST_OVERLAP_HOURS = 30 * 24
# A value somebody typed: long, and not the same few characters again and again.
SHORTEST, FEWEST_CHARACTERS = 32, 12


@dataclass(frozen=True)
class Kind:
    """One kind. overlap_hours: how long the old version lives on by default; quiet_hours: how long it
    must go unused before it is safe to retire, and quiet_why says why; max_age_days: when it is overdue.

    we_sign: we sign with it ourselves, so a new version must first be known to every process.
    """

    name: str
    label: str
    purpose: str
    overlap_hours: int
    quiet_hours: int
    quiet_why: str
    max_age_days: int
    we_sign: bool
    generate: Callable[[], str] | None


def _jwt_key() -> str:
    return base64.b64encode(ids.secret_bytes(32)).decode()


def _webhook_secret() -> str:
    return f"whsec_{ids.token(32)}"


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            WEBHOOK,
            "Webhook signing secret",
            "proves that a delivery comes from the provider",
            overlap_hours=72,
            quiet_hours=72,
            # Source: https://docs.stripe.com/webhooks#automatic-retries (up to three days, live mode)
            quiet_why="the provider retries a delivery for up to 72 h",
            max_age_days=180,
            we_sign=False,
            generate=_webhook_secret,
        ),
        Kind(
            PROVIDER_KEY,
            "Provider API key",
            "proves to the provider that a call is ours",
            overlap_hours=24,
            quiet_hours=1,
            quiet_why="every process calls with the newest key within seconds",
            max_age_days=180,
            we_sign=True,
            generate=None,
        ),
        Kind(
            SIGNING_KEY,
            "Request signing key",
            "signs what we ask of the provider",
            overlap_hours=24,
            quiet_hours=1,
            quiet_why="every process signs with the newest key within seconds",
            max_age_days=365,
            we_sign=True,
            generate=None,
        ),
        Kind(
            JWT,
            "Token signing key",
            "signs the bearer tokens of people",
            overlap_hours=LONGEST_OVERLAP_HOURS,
            quiet_hours=LONGEST_OVERLAP_HOURS,
            quiet_why="a token lives for at most 30 days",
            max_age_days=180,
            we_sign=True,
            generate=_jwt_key,
        ),
        Kind(
            SESSION,
            "Session signing key",
            "signs the desk's form cookie and the tokens of its forms",
            overlap_hours=12,
            quiet_hours=12,
            quiet_why="a sign-in lasts at most 12 h, and a form no longer than it",
            max_age_days=180,
            we_sign=True,
            generate=lambda: ids.token(48),
        ),
        Kind(
            ENDPOINT,
            "Outbound endpoint secret",
            "signs the deliveries to one endpoint",
            overlap_hours=24,
            quiet_hours=24,
            quiet_why="a delivery is repeated for a day",
            max_age_days=365,
            we_sign=True,
            generate=_webhook_secret,
        ),
    )
}


def assert_strong(kind: Kind, value: str, *, provider: str) -> None:
    """Check a value that somebody entered: what the kind asks for, and what the provider does.

    Raises: InvalidInput SECRET_WEAK
    """
    said = _weakness(kind, value)
    if said is None and provider != OURS and kind.name in {WEBHOOK, *CALLING}:
        said = registry.get(provider).weakness(kind.name, value)
    if said is not None:
        raise InvalidInput(said, code="SECRET_WEAK")


def _weakness(kind: Kind, value: str) -> str | None:
    if not value.isascii() or not value.isprintable() or " " in value:
        return "A secret is made of printable ASCII characters without spaces."
    if kind.name == JWT:
        return None if is_key(value) else "A token signing key is 32 random bytes in base64."
    if len(value) < SHORTEST or len(set(value)) < FEWEST_CHARACTERS:
        return f"Use at least {SHORTEST} random characters."
    return None


def is_key(value: str) -> bool:
    """Tell whether a text is 32 bytes in base64, alone or with a name before it as in JWT_KEYS."""
    try:
        key = base64.b64decode(value.rpartition(":")[2], validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) == 32 and len(set(key)) >= FEWEST_CHARACTERS


def identity(kind: str, value: str) -> str:
    """Give what makes a value the secret it is: of a token signing key its bytes, not how it is called."""
    if kind != JWT:
        return value
    try:
        return base64.b64encode(read_key(value, name="").key).decode()
    except (binascii.Error, ValueError):
        return value


def read_key(value: str, *, name: str) -> MasterKey:
    """Read a token signing key. name: its kid, when the value does not bring one."""
    kid, _, encoded = value.rpartition(":")
    return MasterKey(kid or name, base64.b64decode(encoded))
