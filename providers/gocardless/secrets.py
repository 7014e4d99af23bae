"""What GoCardless' secrets look like: the access token, and the secret of its webhook endpoint."""

from __future__ import annotations

import re

PROVIDER_KEY, WEBHOOK = "provider_key", "webhook"
# How an access token begins tells whose money it moves.
# Source: https://developer.gocardless.com/getting-started/api/introduction/
MODES = {"live_": "live", "sandbox_": "test"}
_TOKEN = re.compile(r"(live_|sandbox_)[A-Za-z0-9_-]{20,250}", re.ASCII)
_WEBHOOK = re.compile(r"[!-~]{16,250}", re.ASCII)
_OF_A_STAND_IN = re.compile(r"[!-~]{8,250}", re.ASCII)


def mode_of(token: str) -> str | None:
    """Say which mode an access token is of; None when it does not say."""
    return next((mode for prefix, mode in MODES.items() if token.startswith(prefix)), None)


def weakness(kind: str, value: str, *, mode: str, is_stand_in: bool) -> str | None:
    """Say why a value cannot be a secret of GoCardless'; None when it can. mode: that of the rail."""
    if kind == WEBHOOK:
        good = _WEBHOOK.fullmatch(value) is not None
        return None if good else "A webhook secret has 16 characters or more, no spaces."
    if kind != PROVIDER_KEY:
        return "GoCardless has no secret of this kind."
    if is_stand_in:
        good = _OF_A_STAND_IN.fullmatch(value) is not None and mode_of(value) != "live"
        return (
            None if good else "A stand-in takes no live token, nor one shorter than 8 characters."
        )
    if _TOKEN.fullmatch(value) is None:
        return "GoCardless' tokens begin with live_ or sandbox_, 20 characters or more follow."
    if mode_of(value) != mode:
        return f"This is a {mode_of(value)} token; this installation works in {mode} mode."
    return None
