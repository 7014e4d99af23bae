"""Object ids and secrets in Stripe's spelling; no state."""

from __future__ import annotations

from sandbox.common import ids

new_id, random_text, random_digits = ids.new_id, ids.random_text, ids.random_digits


def client_secret(object_id: str) -> str:
    """Return the secret that lets a browser act on one intent."""
    return f"{object_id}_secret_{random_text(25)}"
