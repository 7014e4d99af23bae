"""Rows of a provider's lists that cannot be read: shown to a person, and hiding nothing after them."""

from __future__ import annotations

from core.errors import UnmappedProviderValue
from providers.deliveries import UnreadableDelivery
from providers.said import Oddity


def unread(
    error: UnmappedProviderValue | UnreadableDelivery, *, label: str, what: str, name: str
) -> Oddity:
    """Say of a row why it could not be read. label: the provider's; what: the row is; name: its own."""
    if isinstance(error, UnmappedProviderValue):
        key = f"{error.provider_name}:{error.field}:{error.value}"
        return Oddity("UNMAPPED_VALUE", key, str(error))
    said = f"{label} lists a {what} that cannot be read: {error}"
    return Oddity("RECON_DIFFERENCE", f"unreadable:{name}", said)
