"""Where a hosted checkout sends the payer back to when the caller names no address: our own pay page."""

from __future__ import annotations

from core.strictjson import Json
from domain.intents import Begun


def fill_in(begun: Begun, *, public_url: str) -> None:
    """Give a new checkout's request the return page of its payment where no address was named.

    Writes: operations.request. Transaction: caller's, the one that made the operation.
    """
    if not begun.is_new:
        return
    page = f"{public_url}/pay/{begun.payment.public_id}/return"
    said: dict[str, Json] = dict(begun.operation.request)
    for name in ("successUrl", "cancelUrl"):
        said[name] = said.get(name) or page
    begun.operation.request = said
