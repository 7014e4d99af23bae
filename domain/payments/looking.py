"""Looking whether an act that ends a hold or an attempt has been done, before it is asked for again."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import AppError
from domain.payments import captures
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.said import Reading

# By which fact each act shows that it was done.
_SHOWN: Mapping[str, frozenset[str]] = {
    captures.KIND: frozenset({"succeeded"}),
    "cancel": frozenset({"cancelled", "expired"}),
    "expire": frozenset({"cancelled", "expired"}),
}


def done_already(operation: Operation, payment: Payment) -> Reading | None:
    """Ask how the payment stands before an act is asked for again. Gives what shows it done, or None.

    Providers forget a key after a day, and may answer the same stored failure under it until then; what
    a capture took shows on the payment itself.
    Calls: the provider.
    """
    shown = _SHOWN.get(operation.kind)
    if shown is None or payment.provider_reference is None:
        return None
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    try:
        reading = rail.fetch(payment.provider_reference)
    except (AppError, UnreadableDelivery):
        # The act itself is asked for then; its answer says more.
        return None
    kinds = {keyed.fact.kind for keyed in reading.facts}
    return reading if kinds & shown else None
