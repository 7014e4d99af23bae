"""The page of the payer's bank in the demo: where it is, and pressing its button."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from commands import demo_wire
from commands.demo_shop import Shop, Unexpected


def challenge(intent: dict[str, Any]) -> str:
    """Find where an intent sends its payer to. Raises: Unexpected."""
    action = intent.get("next_action") or {}
    by_script = action.get("use_stripe_sdk", {}).get("stripe_js")
    url = by_script or action.get("redirect_to_url", {}).get("url")
    if not url:
        raise Unexpected(f"no challenge to answer: the intent is {intent.get('status')}")
    return str(url)


def decide(shop: Shop, url: str, *, passed: bool) -> None:
    """Press the button of the bank's page, at the stand-in by whichever name the page calls it.

    Raises: Unexpected, OSError
    """
    page = urlsplit(url)
    form = {"outcome": "complete" if passed else "fail"}
    answered = demo_wire.send("POST", f"{shop.stripe}{page.path}?{page.query}", form=form)
    if not answered.is_success:
        raise Unexpected(f"the bank's page answered {answered.status}")
