"""Ending at the provider what has ended here: an attempt that is over must never be paid any more."""

from __future__ import annotations

from datetime import datetime

from core import clock, ids
from core.purposes import ONE_SHOT
from core.states import Payment as Status
from domain import database
from domain.actors import system
from domain.control import settling
from domain.payments import asking, operations
from domain.transitions import Why
from models.payments import Payment
from providers import registry
from providers.said import Reading

JANITOR = system("janitor")
AGAIN_SECONDS = 120
# What a provider says of an attempt that can still become money.
_OPEN = frozenset({"created", "requires_payment_method", "attempt_failed", "requires_action"})
_HELD = frozenset({"processing", "authorized"})
_OVER = frozenset({"cancelled", "succeeded"})


def is_left_open(payment: Payment) -> bool:
    """Tell whether a payment ended here by a refusal that leaves the provider's attempt open.

    Source: https://docs.stripe.com/payments/paymentintents/lifecycle (a declined intent waits for another card)
    """
    has_failed = payment.status == Status.FAILED and not payment.received_minor
    return has_failed and payment.purpose in ONE_SHOT


def end_at_provider(payment: Payment) -> datetime | None:
    """Have the provider end an attempt that is over here. Gives when to look again, None once it is over there.

    What it says first is applied like any other word of it: money that came after the end is a case.
    Calls: the provider, with no transaction open. Writes: operations and what settlement does.
    Raises: ProviderUnavailable. Transaction: opens its own.
    """
    rail = registry.configured(payment.provider, livemode=payment.livemode)
    reading = rail.fetch(str(payment.provider_reference))
    asking.apply_answer(payment.id, reading, why=Why(JANITOR, "janitor:abandon"))
    if not _can_be_paid(reading):
        return None
    with database.transaction() as session:
        settling.assert_may_settle(session, actor=JANITOR)
        key = f"abandon:{payment.id}"
        known = operations.find_by_key(session, key)
        if known is not None and known.state in operations.UNFINISHED:
            operation, fence = known, operations.take(session, known)
        else:
            # One that the provider refused may be asked for again: it moves no money.
            key = key if known is None else f"{key}:{ids.new('try')}"
            wanted = operations.Wanted("cancel", key, payment, {"reason": "abandoned"})
            operation = operations.prepare(session, wanted, actor=JANITOR)
            fence = operation.fence
    operations.finish_now(operation, payment, fence)
    return clock.after(AGAIN_SECONDS)


def _can_be_paid(reading: Reading) -> bool:
    said = {keyed.fact.kind for keyed in reading.facts}
    return bool(said & (_OPEN | _HELD)) and not said & _OVER
