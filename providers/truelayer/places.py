"""Where TrueLayer lies: its API, its sign-in, its pages and its keys, all told by one address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from config import BadSettings, Settings
from providers import origins

LIVE, TEST = "truelayer.com", "truelayer-sandbox.com"
KEYS_PATH = "/.well-known/jwks"
_MODES = {LIVE: "live", TEST: "test"}


@dataclass(frozen=True)
class Places:
    """One TrueLayer. api, auth, pages: origins; jkus: the exact addresses of key sets that are believed.

    is_stand_in: whether somebody else answers in its place.
    """

    mode: str
    api: str
    auth: str
    pages: str
    jkus: Sequence[str]
    is_stand_in: bool = False


def _jkus(given: str, own: str, *, production: bool) -> Sequence[str]:
    found = [each.strip() for each in given.split(",") if each.strip()] or [own]
    for each in found:
        parts = urlsplit(each)
        is_safe = parts.scheme == "https" or not production
        if not is_safe or not parts.hostname or parts.username or not each.isascii():
            raise BadSettings("TRUELAYER_JKU must list addresses of key sets, https in production.")
    return tuple(found)


def of(settings: Settings) -> Places:
    """Find the places that the environment means.

    TrueLayer's own two know by themselves which mode they are in; any other address is a stand-in, which
    production does not take. Raises: BadSettings
    Source: https://github.com/TrueLayer/truelayer-php (src/Constants/Endpoints.php)
    """
    production = settings.is_production
    default = f"https://api.{LIVE if production else TEST}"
    given = settings.given("TRUELAYER_API_URL", default).rstrip("/")
    api = origins.origin(
        "TRUELAYER_API_URL", given, example=f"https://api.{LIVE}", production=production
    )
    domain = next((each for each in _MODES if api == f"https://api.{each}"), None)
    if domain is None and production:
        raise BadSettings("TRUELAYER_API_URL must be TrueLayer's own in production.")
    jku = settings.given("TRUELAYER_JKU")
    if domain is None:
        jkus = _jkus(jku, api + KEYS_PATH, production=production)
        return Places("test", api, api, api, jkus, is_stand_in=True)
    return Places(
        mode=_MODES[domain],
        api=api,
        auth=f"https://auth.{domain}",
        pages=f"https://payment.{domain}",
        jkus=_jkus(jku, f"https://webhooks.{domain}{KEYS_PATH}", production=production),
    )
