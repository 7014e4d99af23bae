"""What is always so of TrueLayer, whatever the keys: what it is called, what it makes, how its deliveries come."""

from __future__ import annotations

from providers.truelayer import signing


class TrueLayerTraits:
    """Constants of the seam; none of them comes from the environment."""

    name = "truelayer"
    rail = "bank"
    label = "TrueLayer"
    set_by = "TRUELAYER_CLIENT_ID"
    methods = frozenset({"link"})
    # Source: https://github.com/TrueLayer/truelayer-php (src/Constants/Currencies.php)
    currencies: frozenset[str] | None = frozenset({"GBP", "EUR"})
    names_payer = True
    # It takes letters, digits and few signs, whatever the scheme that it chooses carries.
    reference_scheme: str | None = "generic"
    # Source: https://docs.truelayer.com/docs/hosted-payment-page (what is added to the address to come back to)
    returns_by: str | None = "payment_id"
    door = "bank/truelayer"
    signed_by = signing.SIGNATURE
    taken_status = 200
    refused_status = 401
    publishable_key = ""
    js_url = ""
    # Its events are about a kilobyte each.
    body_limit = 64 * 1024
    # One page of theirs says 30 days, another six hours; an hour is left for clocks and slow calls.
    # Source: https://docs.truelayer.com/docs/idempotency
    key_lifetime_seconds = 5 * 3600
