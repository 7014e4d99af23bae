"""What Stripe's objects and events say, in our words: one function per object, one table per event type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core import clock
from core.errors import UnmappedProviderValue
from core.fold import REFUND_FAILED, REFUND_PENDING, REFUND_SUCCEEDED, Fact
from providers.seam import PROBE, KeyedFact, Oddity, Reading, SaidRefund, UnreadableDelivery
from providers.stripe.errors import decline_words
from providers.stripe.things import Thing, money, reference_of, thing, whole, word


def _minor(subject: Thing, field: str) -> int:
    return money(subject, field).minor


def _base(subject: Thing, kind: str, suffix: str = "") -> str:
    return f"stripe:{word(subject.get('id'))}:{kind}{suffix}"


def _error_fact(subject: Thing, said_at: datetime, kind: str = "attempt_failed") -> KeyedFact:
    error = thing(subject.get("last_payment_error"))
    code, decline = word(error.get("code")), word(error.get("decline_code"))
    attempt = reference_of(error.get("charge")) or reference_of(subject.get("latest_charge"))
    key = _base(subject, kind, f":{attempt or int(said_at.timestamp())}")
    fact = Fact(kind, said_at, code=decline or code, message=decline_words(code, decline))
    return KeyedFact(key, fact)


def _received(subject: Thing) -> int:
    """Give what an intent received; where the snapshot does not say it, its captured charge does."""
    charge = thing(subject.get("latest_charge"))
    if "amount_received" not in subject and charge.get("captured") is True:
        return _minor(charge, "amount")
    return _minor(subject, "amount_received")


def _intent_fact(subject: Thing, status: str, said_at: datetime) -> KeyedFact | None:
    """Turn a payment intent's status into the fact it states."""
    if status == "succeeded":
        received = _received(subject)
        fact = Fact("succeeded", said_at, amount_minor=received)
        return KeyedFact(_base(subject, "succeeded", f":{received}"), fact)
    if status == "requires_capture":
        held = _minor(subject, "amount_capturable")
        fact = Fact("authorized", said_at, amount_minor=held)
        return KeyedFact(_base(subject, "authorized", f":{held}"), fact)
    if status == "canceled":
        reason = word(subject.get("cancellation_reason")) or "canceled"
        return KeyedFact(_base(subject, "cancelled"), Fact("cancelled", said_at, code=reason))
    if status == "processing":
        key = _base(subject, "processing", f":{reference_of(subject.get('latest_charge'))}")
        return KeyedFact(key, Fact("processing", said_at))
    if status == "requires_action":
        key = _base(subject, "requires_action", f":{int(said_at.timestamp())}")
        return KeyedFact(key, Fact("requires_action", said_at))
    if status == "requires_payment_method":
        if thing(subject.get("last_payment_error")):
            return _error_fact(subject, said_at)
        return KeyedFact(_base(subject, "created"), Fact("created", said_at))
    if status == "requires_confirmation":
        return KeyedFact(_base(subject, "created"), Fact("created", said_at))
    raise UnmappedProviderValue("stripe", "payment_intent.status", status)


def _card(subject: Thing) -> tuple[str | None, str | None]:
    charge = thing(subject.get("latest_charge"))
    card = thing(thing(charge.get("payment_method_details")).get("card"))
    return word(card.get("brand")), word(card.get("last4"))


def read_intent(subject: Thing, *, said_at: datetime, status: str | None = None) -> Reading:
    """Read a payment intent; `status` overrides the snapshot's where the event's type says it.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/payment_intents/object
    """
    reference = word(subject.get("id"))
    found = status or word(subject.get("status"))
    if reference is None or found is None:
        raise UnreadableDelivery("the payment intent has no id or no status")
    fact = _intent_fact(subject, found, said_at)
    brand, last4 = _card(subject)
    charge = reference_of(subject.get("latest_charge"))
    currency = word(subject.get("currency"))
    return Reading(
        references=(reference,),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
        facts=(fact,) if fact else (),
        links={charge: "charge"} if charge else {},
        asset_code=currency.upper() if currency else None,
        card_brand=brand,
        card_last4=last4,
    )


def read_session(subject: Thing, *, said_at: datetime, kind: str | None = None) -> Reading:
    """Read a checkout session. kind: the fact that the event's type states, else from its status.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/checkout/sessions/object
    """
    reference = word(subject.get("id"))
    if reference is None:
        raise UnreadableDelivery("the checkout session has no id")
    intent = reference_of(subject.get("payment_intent"))
    stated = kind or _session_kind(subject)
    facts: tuple[KeyedFact, ...] = ()
    paid_by: Thing = {"id": intent or reference, "currency": subject.get("currency")}
    if stated == "succeeded":
        total = _minor(subject, "amount_total")
        key = _base(paid_by, "succeeded", f":{total}")
        facts = (KeyedFact(key, Fact("succeeded", said_at, amount_minor=total)),)
    elif stated is not None:
        code = "expired" if stated == "expired" else None
        key = _base({"id": reference}, stated)
        facts = (KeyedFact(key, Fact(stated, said_at, code=code)),)
    currency = word(subject.get("currency"))
    return Reading(
        references=tuple(name for name in (reference, intent) if name),
        payment_id=word(thing(subject.get("metadata")).get("payment_id"))
        or word(subject.get("client_reference_id")),
        facts=facts,
        links={intent: "payment_intent"} if intent else {},
        asset_code=currency.upper() if currency else None,
    )


def _session_kind(subject: Thing) -> str | None:
    status, paid = word(subject.get("status")), word(subject.get("payment_status"))
    if status == "open":
        return "created"
    if status == "expired":
        return "expired"
    if status == "complete":
        if paid in ("paid", "no_payment_required"):
            return "succeeded"
        if paid == "unpaid":
            return "processing"
        raise UnmappedProviderValue("stripe", "checkout.session.payment_status", str(paid))
    raise UnmappedProviderValue("stripe", "checkout.session.status", str(status))


def read_charge(subject: Thing) -> Reading:
    """Read a charge as evidence only: which card, and which payment it belongs to."""
    reference, intent = word(subject.get("id")), reference_of(subject.get("payment_intent"))
    card = thing(thing(subject.get("payment_method_details")).get("card"))
    if reference is None:
        raise UnreadableDelivery("the charge has no id")
    return Reading(
        references=tuple(name for name in (intent, reference) if name),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
        links={reference: "charge"},
        card_brand=word(card.get("brand")),
        card_last4=word(card.get("last4")),
    )


_REFUND_KINDS = {
    "pending": REFUND_PENDING,
    # The payer has to name an account first; the money is on its way no less.
    "requires_action": REFUND_PENDING,
    "succeeded": REFUND_SUCCEEDED,
    "failed": REFUND_FAILED,
    "canceled": REFUND_FAILED,
}


def read_refund(subject: Thing, *, said_at: datetime) -> Reading:
    """Read a refund: what was given back of which payment, and how far it is.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/refunds/object
    """
    own, status = word(subject.get("id")), word(subject.get("status"))
    if own is None or status is None:
        raise UnreadableDelivery("the refund has no id or no status")
    kind = _REFUND_KINDS.get(status)
    if kind is None:
        raise UnmappedProviderValue("stripe", "refund.status", status)
    amount = money(subject, "amount")
    code = word(subject.get("failure_reason")) or ("canceled" if status == "canceled" else None)
    fact = Fact(kind, said_at, amount_minor=amount.minor, code=code)
    names = (reference_of(subject.get("payment_intent")), reference_of(subject.get("charge")))
    metadata = thing(subject.get("metadata"))
    said = SaidRefund(
        reference=own,
        amount=amount,
        keyed=KeyedFact(f"stripe:{own}:{kind}", fact),
        refund_id=word(metadata.get("refund_id")),
    )
    return Reading(
        references=tuple(name for name in names if name),
        payment_id=word(metadata.get("payment_id")),
        refunds=(said,),
    )


def _refunded(subject: Thing) -> Reading:
    """Read a charge whose total of refunds has changed: only its refunds tell which, and how far."""
    names = _reference_only(subject)
    why = "a charge tells how much was refunded, not by which refunds"
    return Reading(references=names.references, payment_id=names.payment_id, fetch=why)


def _disputed(subject: Thing) -> Reading:
    """Read a dispute: money that the payer's bank asks back; a person decides."""
    reference = reference_of(subject.get("payment_intent"))
    charge = reference_of(subject.get("charge"))
    amount = money(subject, "amount")
    sentence = f"Stripe disputed {amount.major()} {amount.asset.code} of this payment."
    return Reading(
        references=tuple(name for name in (reference, charge) if name),
        oddities=(
            Oddity("DISPUTE", f"{word(subject.get('id'))}:{amount.minor}", sentence, amount),
        ),
    )


Reader = Callable[[Thing, datetime], Reading]


def _intent(status: str | None = None) -> Reader:
    return lambda subject, said_at: read_intent(subject, said_at=said_at, status=status)


def _session(kind: str | None = None) -> Reader:
    return lambda subject, said_at: read_session(subject, said_at=said_at, kind=kind)


def _refund(subject: Thing, said_at: datetime) -> Reading:
    return read_refund(subject, said_at=said_at)


def _failed_attempt(subject: Thing, said_at: datetime) -> Reading:
    reading = read_intent(subject, said_at=said_at, status="requires_payment_method")
    return Reading(
        references=reading.references,
        payment_id=reading.payment_id,
        facts=(_error_fact(subject, said_at),),
        links=reading.links,
        asset_code=reading.asset_code,
    )


# Source: protocols 4E; https://docs.stripe.com/api/events/types
READERS: dict[str, Reader] = {
    "payment_intent.created": _intent("requires_confirmation"),
    "payment_intent.requires_action": _intent("requires_action"),
    "payment_intent.processing": _intent("processing"),
    "payment_intent.amount_capturable_updated": _intent("requires_capture"),
    "payment_intent.succeeded": _intent("succeeded"),
    "payment_intent.payment_failed": _failed_attempt,
    "payment_intent.canceled": _intent("canceled"),
    "checkout.session.completed": _session(),
    "checkout.session.async_payment_succeeded": _session("succeeded"),
    "checkout.session.async_payment_failed": _session("failed"),
    "checkout.session.expired": _session("expired"),
    "charge.succeeded": lambda subject, _: read_charge(subject),
    "charge.captured": lambda subject, _: read_charge(subject),
    "charge.pending": lambda subject, _: read_charge(subject),
    "charge.failed": lambda subject, _: read_charge(subject),
    "charge.updated": lambda subject, _: read_charge(subject),
    "charge.refunded": lambda subject, _: _refunded(subject),
    "charge.dispute.created": lambda subject, _: _disputed(subject),
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    # What `refund.updated` was called before it had a name of its own; both may be sent.
    "charge.refund.updated": _refund,
}

# Known words of Stripe's that have no effect on a payment yet; stored, counted, shown as ignored.
LATER = frozenset(
    "payment_intent.partially_funded charge.expired charge.dispute.updated charge.dispute.closed charge.dispute.funds_withdrawn "
    "charge.dispute.funds_reinstated radar.early_fraud_warning.created radar.early_fraud_warning.updated "
    "review.opened review.closed invoice.created invoice.finalized invoice.paid invoice.payment_succeeded "
    "invoice.payment_failed invoice.payment_action_required invoice.voided invoice.marked_uncollectible "
    "invoice.overpaid invoice.overdue setup_intent.created setup_intent.succeeded setup_intent.requires_action "
    "setup_intent.setup_failed setup_intent.canceled payment_method.attached payment_method.detached "
    "payment_method.updated payment_method.automatically_updated customer.created customer.updated "
    "customer.deleted customer.discount.created customer.discount.deleted customer.discount.updated "
    "coupon.created coupon.updated coupon.deleted promotion_code.created promotion_code.updated "
    "payout.created payout.paid payout.failed payout.updated payout.canceled "
    "payout.reconciliation_completed balance.available".split()
)


def read_event(event: Thing, *, api_version: str) -> Reading:
    """Read what an event says.

    An event written in another API version than ours is only a hint: its object must be fetched.
    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    kind = word(event.get("type")) or ""
    reader = READERS.get(kind)
    if kind == PROBE:
        return Reading(ignored="a probe of our own; it says nothing of any payment")
    if reader is None:
        known = "known, no effect on payments yet" if kind in LATER else "a type that is not ours"
        return Reading(ignored=f"{kind}: {known}")
    subject = thing(thing(event.get("data")).get("object"))
    said_at = clock.from_unix(whole(event.get("created"), "created"))
    sent_version = word(event.get("api_version"))
    if sent_version != api_version:
        reading = _reference_only(subject)
        why = f"the event speaks API version {sent_version}, we speak {api_version}"
        return Reading(references=reading.references, payment_id=reading.payment_id, fetch=why)
    try:
        return reader(subject, said_at)
    except UnreadableDelivery as error:
        reading = _reference_only(subject)
        if not reading.references:
            raise
        return Reading(
            references=reading.references, payment_id=reading.payment_id, fetch=str(error)
        )


def _reference_only(subject: Thing) -> Reading:
    """Find the payment intent or session to ask for, whatever else the snapshot lacks."""
    own = word(subject.get("id"))
    intent = reference_of(subject.get("payment_intent"))
    names = (intent, own) if own and own.startswith("ch_") else (own, intent)
    if own and own.startswith("re_"):
        names = (intent, reference_of(subject.get("charge")))
    return Reading(
        references=tuple(name for name in names if name),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
    )
