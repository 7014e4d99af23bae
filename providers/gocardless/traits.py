"""What is always so of GoCardless, whatever the keys: what it is called, what it makes, how its deliveries come."""

from __future__ import annotations

from providers.gocardless import signing


class GoCardlessTraits:
    """Constants of the seam; none of them comes from the environment."""

    name = "gocardless"
    rail = "bank"
    label = "GoCardless"
    set_by = "GOCARDLESS_ACCESS_TOKEN"
    methods = frozenset({"link"})
    # Instant payments are taken in these two.
    # Source: https://developer.gocardless.com/billing-requests/taking-an-instant-bank-payment/
    currencies: frozenset[str] | None = frozenset({"GBP", "EUR"})
    # Its page asks the payer for what the scheme needs.
    names_payer = False
    # What stands on a statement GoCardless chooses.
    reference_scheme: str | None = None
    # Each flow has an address of its own to come back to.
    returns_by: str | None = None
    door = "bank/gocardless"
    signed_by = signing.SIGNATURE
    # Source: protocols 4C; https://developer.gocardless.com/getting-started/api/staying-up-to-date-with-webhooks/
    taken_status = 204
    refused_status = 498
    publishable_key = ""
    js_url = ""
    # Up to 250 events at once.
    body_limit = 1024 * 1024
    # How long it is remembered is promised nowhere. A used key never does a thing twice: it names what was
    # made, and before it is used again a day later the lists are read.
    key_lifetime_seconds = 23 * 3600
