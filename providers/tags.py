"""What we write into the metadata of what providers make for us, so that their events find our payment, and what we read there."""

from __future__ import annotations

from providers.new_payment import NewPayment
from providers.values import Thing, thing, word


def tags_of(new: NewPayment) -> dict[str, str]:
    """Say which payment, operation and order something was made for; what there is none of is left out."""
    tags = {
        "payment_id": new.payment_id,
        "operation_id": new.operation_id,
        "order_id": new.order_id,
        "type": new.type or "",
        "demo": "true" if new.demo else "",
    }
    return {name: value for name, value in tags.items() if value}


def tag_of(subject: Thing, name: str, *, field: str = "metadata") -> str | None:
    """Give what we wrote into an object's metadata under a name, or None. field: where that lies."""
    return word(thing(subject.get(field)).get(name), longest=255)
