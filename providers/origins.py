"""Where a provider lies, as its setting says: an origin, and in production a safe one."""

from __future__ import annotations

from urllib.parse import urlsplit

from config import BadSettings


def origin(name: str, url: str, *, example: str, production: bool) -> str:
    """Read the address of a provider's API, nothing after the host. name: of the setting.

    Raises: BadSettings
    """
    parts = urlsplit(url)
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and not production)
    if not plain or not is_safe or not parts.hostname:
        raise BadSettings(f"{name} must be an address like {example}, nothing after it.")
    return f"{parts.scheme}://{parts.netloc}"
