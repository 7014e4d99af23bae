"""What GoCardless' events say: each a hint or a word about progress; what moved is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from providers.deliveries import PROBE, UnreadableDelivery
from providers.gocardless import progress, wire
from providers.gocardless.reading import PAYMENT_LINK
from providers.said import Oddity, Reading
from providers.tags import tag_of
from providers.values import Thing, instant, word

_NOT_OURS = "a payment that was not asked for here"


def _of_requests(event: Thing, action: str, at: datetime) -> Reading:
    reference = wire.link_of(event, "billing_request")
    if reference is None:
        raise UnreadableDelivery("the event names no billing request")
    payment = wire.link_of(event, "payment_request_payment")
    stating = progress.OF_REQUESTS.get(action)
    if stating is None:
        return Reading(ignored=f"billing_requests.{action}: {_NOTED_OF_REQUESTS[action]}")
    return Reading(
        references=(reference,),
        payment_id=tag_of(event, "payment_id", field="resource_metadata"),
        facts=(stating(reference, event, at),),
        links={payment: PAYMENT_LINK} if payment else {},
        unowned=_unowned(event),
    )


def _unowned(event: Thing) -> str | None:
    """Say of what was made without us that it is not ours: it carries none of our words."""
    if not isinstance(event.get("resource_metadata"), dict):
        return None
    is_tagged = tag_of(event, "payment_id", field="resource_metadata") is not None
    return None if is_tagged else _NOT_OURS


_STEP = "a step of the payer's on the page, with no effect"
_NOTED_OF_REQUESTS: Mapping[str, str] = {
    "created": "we made it ourselves",
    "flow_created": "we made it ourselves",
    "flow_visited": _STEP,
    "flow_exited": "the payer left the page, and may come back to it",
    "select_institution": _STEP,
    "collect_amount": _STEP,
    "collect_customer_details": _STEP,
    "collect_bank_account": _STEP,
    "choose_currency": _STEP,
    "payer_details_confirmed": _STEP,
}

# What a payment's event says beyond what it states: why the payment is asked, where it is.
_TELLS_NO_AMOUNT = "the event tells that money moved, not how much"
_ASKED_OF_PAYMENTS: Mapping[str, str] = {
    "confirmed": _TELLS_NO_AMOUNT,
    "paid_out": _TELLS_NO_AMOUNT,
    "failed": "the event does not tell whether the payment had been good",
    "late_failure_settled": "the event does not tell whether we heard of the failure",
    "chargeback_settled": "the event does not tell whether we heard of the chargeback",
    "resubmission_requested": "the payment is tried again",
}
_NOTED_OF_PAYMENTS: Mapping[str, str] = {
    "customer_approval_granted": "the payment goes on, and says so itself",
}


def _of_payments(event: Thing, action: str, at: datetime) -> Reading:
    reference = wire.link_of(event, "payment")
    if reference is None:
        raise UnreadableDelivery("the event names no payment")
    if action in _NOTED_OF_PAYMENTS:
        return Reading(ignored=f"payments.{action}: {_NOTED_OF_PAYMENTS[action]}")
    stating = progress.OF_PAYMENTS.get(action)
    return Reading(
        references=(reference,),
        facts=(stating(reference, event, at),) if stating else (),
        oddities=_won_back(reference, at) if action == "chargeback_cancelled" else (),
        fetch=_ASKED_OF_PAYMENTS.get(action),
        unowned=_unowned(event),
    )


def _won_back(reference: str, at: datetime) -> tuple[Oddity, ...]:
    """Show money that came back after it had been taken: nothing here books a reversal away again."""
    said = (
        f"GoCardless cancelled the chargeback of payment {reference} at {at:%Y-%m-%d %H:%M} UTC:"
        " its amount is ours again. The reversal booked for it still stands; decide what becomes of it."
    )
    return (Oddity("RECON_DIFFERENCE", f"{reference}:chargeback_cancelled", said),)


def _of_refunds(event: Thing, _: str, __: datetime) -> Reading:
    """Ask what was given back: the refund's own name leads to its payment where the event names none."""
    named = [found for name in ("payment", "refund") if (found := wire.link_of(event, name))]
    if not named:
        raise UnreadableDelivery("the event names no refund")
    return Reading(
        references=tuple(named),
        fetch="a refund's event tells of no amount",
    )


_REFUND_ACTIONS = frozenset({"created", "paid", "failed", "bounced", "cancelled"}) | {
    *("refund_settled", "funds_returned", "submitted"),
}
_PAYOUT_ACTIONS = frozenset(
    {"paid", "bounced", "fx_rate_confirmed", "tax_exchange_rates_confirmed"}
)


def _of_payouts(_: Thing, action: str, __: datetime) -> Reading:
    return Reading(ignored=f"payouts.{action}: the list of payouts is read now", books=True)


Reader = Callable[[Thing, str, datetime], Reading]
# resource → its reader, and the actions that it knows
READERS: Mapping[str, tuple[Reader, frozenset[str]]] = {
    "billing_requests": (
        _of_requests,
        frozenset(progress.OF_REQUESTS) | frozenset(_NOTED_OF_REQUESTS),
    ),
    "payments": (
        _of_payments,
        frozenset(progress.OF_PAYMENTS)
        | frozenset(_ASKED_OF_PAYMENTS)
        | frozenset(_NOTED_OF_PAYMENTS)
        | {"chargeback_cancelled"},
    ),
    "refunds": (_of_refunds, _REFUND_ACTIONS),
    "payouts": (_of_payouts, _PAYOUT_ACTIONS),
}


def read_event(event: Thing, *, now: datetime) -> Reading:
    """Read what an event says. now: where it does not say when it happened.

    Raises: UnreadableDelivery
    """
    kind = wire.kind_of(event)
    if kind is None or word(event.get("id"), longest=255) is None:
        raise UnreadableDelivery("no event id or no type")
    if kind == PROBE:
        return Reading(ignored="a probe of our own; it says nothing of any payment")
    resource, _, action = kind.partition(".")
    reader, actions = READERS.get(resource, (None, frozenset[str]()))
    if reader is None or action not in actions:
        return Reading(ignored=f"{kind}: a type that is not ours")
    return reader(event, action, instant(event.get("created_at")) or now)
