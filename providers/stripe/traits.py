"""What is always so of Stripe, whatever the keys: what it is called, what it makes, how its deliveries come."""

from __future__ import annotations


class StripeTraits:
    """Constants of the seam; none of them comes from the environment."""

    name = "stripe"
    rail = "card"
    label = "Stripe"
    set_by = "STRIPE_SECRET_KEY"
    methods = frozenset({"intent", "checkout", "setup", "invoice"})
    currencies: frozenset[str] | None = None
    names_payer = False
    reference_scheme: str | None = None
    returns_by: str | None = None
    door = "stripe"
    signed_by = "Stripe-Signature"
    taken_status = 200
    refused_status = 401
    body_limit = 256 * 1024
    # Stripe forgets keys after 24 h; an hour is left for clocks and slow calls.
    key_lifetime_seconds = 23 * 3600
