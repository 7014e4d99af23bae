"""Where GoCardless lies: its API and its pages, told by one address or by how the access token begins."""

from __future__ import annotations

from dataclasses import dataclass

from config import BadSettings, Settings
from providers import origins
from providers.gocardless import secrets

# Source: https://developer.gocardless.com/api-reference/#making-requests-base-urls
APIS = {"live": "https://api.gocardless.com", "test": "https://api-sandbox.gocardless.com"}
PAGES = {"live": "https://pay.gocardless.com", "test": "https://pay-sandbox.gocardless.com"}


@dataclass(frozen=True)
class Places:
    """One GoCardless. api, pages: origins; is_stand_in: whether somebody else answers in its place."""

    mode: str
    api: str
    pages: str
    is_stand_in: bool = False


def of(settings: Settings) -> Places:
    """Find the places that the environment means.

    Without an address the token tells; GoCardless' own two addresses know by themselves which mode they
    are in; any other one is a stand-in, which production does not take.
    Raises: BadSettings
    """
    production = settings.is_production
    said = secrets.mode_of(settings.given("GOCARDLESS_ACCESS_TOKEN"))
    default = APIS[said or ("live" if production else "test")]
    given = settings.given("GOCARDLESS_API_URL", default).rstrip("/")
    api = origins.origin("GOCARDLESS_API_URL", given, example=APIS["live"], production=production)
    mode = next((mode for mode, address in APIS.items() if address == api), None)
    if mode is None and production:
        raise BadSettings("GOCARDLESS_API_URL must be GoCardless' own in production.")
    if (mode or "test") != (said or mode or "test"):
        raise BadSettings("GOCARDLESS_ACCESS_TOKEN and GOCARDLESS_API_URL are of different modes.")
    if mode is None:
        return Places("test", api, api, is_stand_in=True)
    return Places(mode, api, PAGES[mode])
