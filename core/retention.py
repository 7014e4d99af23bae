"""For how long what may go is kept: the settings, their defaults and the least they may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LONGEST = 3650


@dataclass(frozen=True)
class Retention:
    """The terms. invoice_years: from the end of the year of an invoice; the others in days."""

    invoice_years: int = 10
    inbound_days: int = 90
    payment_days: int = 90
    mail_days: int = 30
    session_days: int = 30
    export_days: int = 7


# Each setting: its field, and the least it may be. A provider sends an event again for up to
# thirty days, and asks as long what became of a call; no state of the EU is content with invoices kept for
# less than five years.
# Source: https://docs.stripe.com/workbench/event-destinations (resending), directive 2006/112/EC article 247
SETTINGS: Mapping[str, tuple[str, int]] = {
    "INVOICE_RETENTION_YEARS": ("invoice_years", 5),
    "INBOUND_RETENTION_DAYS": ("inbound_days", 35),
    "PAYMENT_RETENTION_DAYS": ("payment_days", 35),
    "MAIL_RETENTION_DAYS": ("mail_days", 1),
    "SESSION_RETENTION_DAYS": ("session_days", 30),
    "EXPORT_RETENTION_DAYS": ("export_days", 1),
}


def read(number: Callable[[str, int], int]) -> Retention:
    """Read the terms. number: gives a setting by its name, or its default.

    Raises: ValueError with a sentence
    """
    found = {}
    for name, (field, least) in SETTINGS.items():
        found[field] = number(name, getattr(Retention, field))
        if not least <= found[field] <= LONGEST:
            raise ValueError(f"{name} must be from {least} to {LONGEST}, not {found[field]}.")
    return Retention(**found)
