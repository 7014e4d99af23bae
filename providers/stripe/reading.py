"""What Stripe's objects and events say, in our words: one function per object, one table per event type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from core import clock
from core.errors import UnmappedProviderValue
from core.fold import REFUND_FAILED, REFUND_PENDING, REFUND_SUCCEEDED, Fact
from providers.deliveries import PROBE, UnreadableDelivery
from providers.said import KeyedFact, Reading, SaidRefund
from providers.stripe import charges, disputes, invoices, setups
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
    if attempt is None:
        # An ended intent tells of its last attempt for ever, each time as of now.
        is_over = subject.get("status") == "canceled"
        attempt = "last" if is_over else str(int(said_at.timestamp()))
    key = _base(subject, kind, f":{attempt}")
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


def _ended_attempt(subject: Thing, status: str, said_at: datetime) -> tuple[KeyedFact, ...]:
    """Find how the last attempt of a cancelled intent had failed, where that event has not come yet."""
    if status != "canceled" or not thing(subject.get("last_payment_error")):
        return ()
    return (_error_fact(subject, said_at),)


def receipt_of(charge: Thing) -> str | None:
    """Give the address of Stripe's receipt for a charge; never one that a browser would run."""
    url = word(charge.get("receipt_url"))
    return url if url is not None and url.startswith(("https://", "http://")) else None


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
    charge = reference_of(subject.get("latest_charge"))
    told = thing(subject.get("latest_charge"))
    card = thing(thing(told.get("payment_method_details")).get("card"))
    currency = word(subject.get("currency"))
    said = Reading(
        references=(reference,),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
        facts=(
            *((fact,) if fact else ()),
            *_ended_attempt(subject, found, said_at),
            *charges.paid_by(subject, found, said_at),
        ),
        links={charge: "charge"} if charge else {},
        asset_code=currency.upper() if currency else None,
        card_brand=word(card.get("brand")),
        card_last4=word(card.get("last4")),
        receipt_url=receipt_of(told),
        hold_ends_at=charges.hold_ends_at(told),
    )
    return setups.with_hold(said, subject, said_at=said_at) if found == "canceled" else said


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
        receipt_url=receipt_of(subject),
        hold_ends_at=charges.hold_ends_at(subject),
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
        # Money that left has a booking of its own; what was only held has none to undo.
        moved=status != "succeeded" or subject.get("balance_transaction", "") is not None,
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


Reader = Callable[[Thing, datetime], Reading]


def _intent(status: str | None = None) -> Reader:
    return lambda subject, said_at: read_intent(subject, said_at=said_at, status=status)


def _session(kind: str | None = None) -> Reader:
    return lambda subject, said_at: read_session(subject, said_at=said_at, kind=kind)


def _refund(subject: Thing, said_at: datetime) -> Reading:
    return read_refund(subject, said_at=said_at)


def _dispute(subject: Thing, said_at: datetime) -> Reading:
    return disputes.read_dispute(subject, said_at=said_at, is_present=False)


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
    "payment_intent.partially_funded": lambda subject, at: charges.partly_funded(
        subject, read_intent(subject, said_at=at)
    ),
    "checkout.session.completed": _session(),
    "checkout.session.async_payment_succeeded": _session("succeeded"),
    "checkout.session.async_payment_failed": _session("failed"),
    "checkout.session.expired": _session("expired"),
    "charge.succeeded": lambda subject, at: charges.debit(subject, at, read_charge(subject)),
    "charge.captured": lambda subject, at: charges.captured(subject, at, read_charge(subject)),
    "charge.expired": lambda subject, _: charges.lapsed(read_charge(subject)),
    "charge.pending": lambda subject, _: read_charge(subject),
    "charge.failed": lambda subject, at: charges.debit(subject, at, read_charge(subject)),
    "charge.updated": lambda subject, _: read_charge(subject),
    "charge.refunded": lambda subject, _: _refunded(subject),
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
    "radar.early_fraud_warning.created": lambda subject, _: disputes.read_warning(subject),
    "review.opened": lambda subject, _: disputes.read_review(subject),
    "review.closed": lambda subject, _: disputes.read_review(subject),
    **setups.READERS,
    **setups.VAULT_READERS,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    # What `refund.updated` was called before it had a name of its own; both may be sent.
    "charge.refund.updated": _refund,
    **invoices.READERS,
}

# Known words of Stripe's that have no effect on a payment yet; stored, counted, shown as ignored.
LATER = frozenset(
    "radar.early_fraud_warning.updated customer.created customer.updated customer.deleted".split()
)

# They say that Stripe's account of ours has changed; what of it, its own lists tell.
OF_BOOKS = frozenset(
    "payout.created payout.paid payout.failed payout.updated payout.canceled "
    "payout.reconciliation_completed balance.available".split()
)

# They only place or lift a hold, by fields that no version changes; nothing could be asked for instead.
VERSIONLESS = frozenset(
    {"radar.early_fraud_warning.created", "review.opened", "review.closed", *setups.VAULT_READERS}
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
    if kind in invoices.NOTED:
        return Reading(ignored=f"{kind}: {invoices.NOTED[kind]}")
    if kind in OF_BOOKS:
        return Reading(ignored=f"{kind}: Stripe's own bookings are read now", books=True)
    if reader is None:
        known = "known, no effect on payments yet" if kind in LATER else "a type that is not ours"
        return Reading(ignored=f"{kind}: {known}")
    subject = thing(thing(event.get("data")).get("object"))
    said_at = clock.from_unix(whole(event.get("created"), "created"))
    sent_version = word(event.get("api_version"))
    if sent_version != api_version and kind not in VERSIONLESS:
        reading = _reference_only(subject)
        why = f"the event speaks API version {sent_version}, we speak {api_version}"
        return replace(reading, fetch=why)
    try:
        return reader(subject, said_at)
    except UnreadableDelivery as error:
        reading = _reference_only(subject)
        if not reading.references:
            raise
        return replace(reading, fetch=str(error))


def _reference_only(subject: Thing) -> Reading:
    """Find the payment intent, session or invoice to ask for, whatever else the snapshot lacks."""
    own = word(subject.get("id"))
    if own and own.startswith("in_"):
        return invoices.named(subject)
    intent = reference_of(subject.get("payment_intent"))
    names = (intent, own) if own and own.startswith("ch_") else (own, intent)
    if own and own.startswith(("re_", "dp_", "du_")):
        names = (intent, reference_of(subject.get("charge")))
    return Reading(
        references=tuple(name for name in names if name),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
    )
