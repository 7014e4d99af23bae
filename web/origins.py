"""Which origins are ours or trusted: for cross-site requests, preflights and return addresses."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request

from config import Settings


def origin_of(url: str) -> str:
    """Give `scheme://host[:port]` of a URL, lower case; empty when it has none."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def is_own(origin: str, asked: Request, settings: Settings) -> bool:
    """Tell whether an Origin header names this very installation."""
    return origin.lower() in (origin_of(settings.public_url), origin_of(asked.host_url))


def is_allowed(origin: str, settings: Settings) -> bool:
    """Tell whether an origin is on the list of trusted frontends."""
    return origin.lower() in {origin_of(each) for each in settings.cors_origins}


def is_trusted(asked: Request, settings: Settings) -> bool:
    """Tell whether a request with a cookie comes from our own pages or a trusted frontend.

    Source: Fetch Metadata (W3C), OWASP CSRF cheat sheet: Sec-Fetch-Site, then Origin
    """
    origin = asked.headers.get("Origin")
    if origin is not None:
        return is_own(origin, asked, settings) or is_allowed(origin, settings)
    # Same-origin pages only, and what a person typed; an old browser sends neither header.
    return asked.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
