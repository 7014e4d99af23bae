"""What TrueLayer's payments, refunds and events say, in our words; an event moves no money by itself.

No event says an amount. What tells of money that arrived or went back is a hint therefore, and the payment
is asked for; what only tells how far a payer or a bank is stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from core.errors import UnmappedProviderValue
from core.fold import (
    CHARGE_FAILED,
    CHARGE_PAID,
    REFUND_FAILED,
    REFUND_PENDING,
    REFUND_SUCCEEDED,
    Fact,
)
from core.money import Money
from providers.deliveries import PROBE, UnreadableDelivery
from providers.said import KeyedFact, Oddity, Reading, SaidConcern, SaidRefund
from providers.tags import tag_of
from providers.truelayer import wire, words
from providers.values import Thing, instant, money_of, word

NAME = "truelayer"
# The form of its events that is read here; in another one only the payment's name is believed.
EVENT_VERSION = "1"


def _keyed(reference: str, suffix: str, fact: Fact) -> KeyedFact:
    return KeyedFact(f"{NAME}:{reference}:{suffix}", fact)


def money(subject: Thing) -> Money:
    """Read the amount of an object. Raises: UnreadableDelivery, UnmappedProviderValue."""
    return money_of(subject, "amount_in_minor", provider=NAME)


# How far a payment is, by its status: the fact's kind, and where the object says since when.
# Source: https://docs.truelayer.com/docs/single-payment-statuses; executed is not settled.
_UNDER_WAY: Mapping[str, tuple[str, str]] = {
    "authorization_required": ("created", "created_at"),
    "authorizing": ("awaiting_payer", "authorizing_at"),
    "authorized": ("awaiting_bank", "authorized_at"),
    "executed": ("awaiting_bank", "executed_at"),
}


def _under_way(reference: str, status: str, subject: Thing, at: datetime) -> KeyedFact:
    kind, field = _UNDER_WAY[status]
    return _keyed(reference, status, Fact(kind, instant(subject.get(field)) or at))


def _settled(reference: str, subject: Thing, at: datetime) -> tuple[KeyedFact, ...]:
    """State what arrived, and by which debit: one that may be reversed later."""
    amount, since = money(subject).minor, instant(subject.get("settled_at")) or at
    return (
        _keyed(reference, f"succeeded:{amount}", Fact("succeeded", since, amount)),
        _keyed(reference, CHARGE_PAID, Fact(CHARGE_PAID, since, amount, code=reference)),
    )


def _failed(
    reference: str, subject: Thing, at: datetime, *, kind: str | None = None
) -> tuple[KeyedFact, ...]:
    """State an end, or the end of one attempt. kind: the fact's; None: what the reason means."""
    reason = word(subject.get("failure_reason"), longest=64)
    found = words.failure(reason)
    since = instant(subject.get("failed_at")) or at
    said = words.sentence(found, word(subject.get("failure_stage")))
    fact = Fact(kind or found.kind, since, code=reason or "failed", message=said)
    # An attempt may fail many times, a payment only once.
    suffix = f"attempt_failed:{int(since.timestamp())}" if kind else "failed"
    return (_keyed(reference, suffix, fact),)


def _unknown_reason(reference: str, subject: Thing) -> tuple[Oddity, ...]:
    """Show a reason that is in no table; that the payment failed is certain without it."""
    reason = word(subject.get("failure_reason"), longest=64)
    if reason is None or reason in words.REASONS:
        return ()
    unmapped = UnmappedProviderValue(NAME, "payment.failure_reason", reason)
    subject_key = f"{NAME}:payment.failure_reason:{reason}"
    said = f"{unmapped} Payment {reference} failed; its payer was told no reason."
    return (Oddity("UNMAPPED_VALUE", subject_key, said),)


def _stated(reference: str, status: str, subject: Thing, at: datetime) -> tuple[KeyedFact, ...]:
    if status in _UNDER_WAY:
        return (_under_way(reference, status, subject, at),)
    if status == "settled":
        return _settled(reference, subject, at)
    if status == "failed":
        return _failed(reference, subject, at)
    if status == "attempt_failed":
        return _failed(reference, subject, at, kind="attempt_failed")
    raise UnmappedProviderValue(NAME, "payment.status", status)


def read_payment(
    subject: Thing, *, said_at: datetime, refunds: Sequence[SaidRefund] = ()
) -> Reading:
    """Read a payment that was asked for. refunds: what was given back of it, where that was asked too.

    Its payer's name and account are not read; nothing here needs them.
    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.truelayer.com/reference/get-payment-1
    """
    reference, status = word(subject.get("id"), longest=255), word(subject.get("status"))
    if reference is None or status is None:
        raise UnreadableDelivery("the payment has no id or no status")
    ended = status in ("failed", "attempt_failed")
    currency = word(subject.get("currency"))
    return Reading(
        references=(reference,),
        payment_id=tag_of(subject, "payment_id"),
        facts=_stated(reference, status, subject, said_at),
        asset_code=currency.upper() if currency else None,
        refunds=tuple(refunds),
        oddities=_unknown_reason(reference, subject) if ended else (),
    )


# Source: https://docs.truelayer.com/docs/payout-and-refund-statuses; an executed one may fail later.
_REFUND_KINDS: Mapping[str, str] = {
    "pending": REFUND_PENDING,
    "authorized": REFUND_PENDING,
    "executed": REFUND_SUCCEEDED,
    "failed": REFUND_FAILED,
}
_REFUND_TIMES = {REFUND_SUCCEEDED: "executed_at", REFUND_FAILED: "failed_at"}


def read_refund(subject: Thing, *, said_at: datetime, reference: str | None = None) -> SaidRefund:
    """Read a refund: how much was given back and how far it is. reference: its name, where not its `id`.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.truelayer.com/reference/get-payment-refund
    """
    own = reference or word(subject.get("id"), longest=255)
    status = word(subject.get("status"))
    if own is None or status is None:
        raise UnreadableDelivery("the refund has no id or no status")
    kind = _REFUND_KINDS.get(status)
    if kind is None:
        raise UnmappedProviderValue(NAME, "refund.status", status)
    amount = money(subject)
    since = instant(subject.get(_REFUND_TIMES.get(kind, "created_at"))) or said_at
    code = word(subject.get("failure_reason"), longest=64) if kind == REFUND_FAILED else None
    fact = Fact(kind, since, amount.minor, code=code, message=words.SENDING.get(code or ""))
    return SaidRefund(own, amount, _keyed(own, kind, fact), tag_of(subject, "refund_id"))


Reader = Callable[[str, Thing, datetime], Reading]


def _named(reference: str, event: Thing, facts: Sequence[KeyedFact] = ()) -> Reading:
    payment_id = tag_of(event, "payment_id")
    return Reading(references=(reference,), payment_id=payment_id, facts=tuple(facts))


def _hint(why: str) -> Reader:
    """Read an event that only says that something moved: its payment tells what."""

    def read(reference: str, event: Thing, _: datetime) -> Reading:
        payment_id = tag_of(event, "payment_id")
        return Reading(references=(reference,), payment_id=payment_id, fetch=why)

    return read


def _progress(status: str) -> Reader:
    return lambda reference, event, at: _named(
        reference, event, [_under_way(reference, status, event, at)]
    )


def _payment_failed(reference: str, event: Thing, at: datetime) -> Reading:
    return Reading(
        references=(reference,),
        payment_id=tag_of(event, "payment_id"),
        facts=_failed(reference, event, at),
        oddities=_unknown_reason(reference, event),
    )


def _stalled(reference: str, event: Thing, at: datetime) -> Reading:
    """Show a payment that the bank accepted and that does not arrive; the case is the one that waiting opens."""
    payment_id = tag_of(event, "payment_id")
    said = f"TrueLayer said at {at:%Y-%m-%d %H:%M} UTC that this payment was accepted and had not settled."
    return Reading(
        references=(reference,),
        payment_id=payment_id,
        oddities=(Oddity("STUCK_PAID", payment_id or reference, said),),
    )


def _disputed(reference: str, event: Thing, _: datetime) -> Reading:
    """Hold what a payer's claim asks back; the money goes only when it is decided, which `reversed` tells.

    Source: https://docs.truelayer.com/docs/payment_disputed-webhook
    """
    reason = word(event.get("disputed_reason"), longest=64) or "no reason given"
    until = instant(event.get("expires_at"))
    by = f" Unanswered, it is decided for the payer on {until:%Y-%m-%d}." if until else ""
    said = f"The payer's bank claims this payment back ({reason.replace('_', ' ')}).{by}"
    concern = SaidConcern("PAYMENT_REVIEW", f"{reference}:claim", said)
    return Reading(
        references=(reference,), payment_id=tag_of(event, "payment_id"), concerns=(concern,)
    )


def _reversed(reference: str, event: Thing, at: datetime) -> Reading:
    """State that what had settled was taken back, all of it: no event says an amount."""
    reason = word(event.get("reversed_reason"), longest=64) or word(event.get("reason"), longest=64)
    fact = Fact(CHARGE_FAILED, at, code=reference, message=reason)
    return _named(reference, event, [_keyed(reference, CHARGE_FAILED, fact)])


# Source: protocols 4B; https://docs.truelayer.com/docs/payment-webhook-specifications
READERS: Mapping[str, Reader] = {
    "payment_authorized": _progress("authorized"),
    "payment_executed": _progress("executed"),
    "payment_settled": _hint("the event tells that it settled, not how much"),
    "payment_failed": _payment_failed,
    "payment_settlement_stalled": _stalled,
    "payment_funds_received": _hint("the event tells that money came, not whether it may still go"),
    "payment_disputed": _disputed,
    "payment_reversed": _reversed,
    "refund_executed": _hint("a refund's event tells of no amount"),
    "refund_failed": _hint("a refund's event tells of no amount"),
}

# Known words of TrueLayer's that have no effect on a payment here; stored, counted, shown as ignored.
NOTED: Mapping[str, str] = {
    "payment_creditable": "money counts here when it has settled, not when TrueLayer would vouch for it",
    "payment_link_payment_created": "we make payments ourselves, not by its links",
    "payment_link_disabled": "we make payments ourselves, not by its links",
    "mandate_authorized": "we take single payments, no mandates",
    "mandate_failed": "we take single payments, no mandates",
    "mandate_revoked": "we take single payments, no mandates",
}
# They say that our merchant account has changed; what of it, its own list tells.
OF_BOOKS = frozenset({"payout_executed", "payout_failed", "external_payment_received"})


def read_event(event: Thing, *, now: datetime) -> Reading:
    """Read what an event says. now: where it does not say when it happened.

    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    kind = word(event.get("type")) or ""
    if kind == PROBE:
        return Reading(ignored="a probe of our own; it says nothing of any payment")
    if kind in OF_BOOKS:
        return Reading(ignored=f"{kind}: the merchant account's own list is read now", books=True)
    if kind in NOTED:
        return Reading(ignored=f"{kind}: {NOTED[kind]}")
    reader = READERS.get(kind)
    if reader is None:
        return Reading(ignored=f"{kind}: a type that is not ours")
    reference = word(event.get("payment_id"), longest=255)
    if reference is None:
        raise UnreadableDelivery("the event names no payment")
    # Written as a number in what is sent, and called a text by the page that describes it.
    version = str(event.get("event_version"))
    if version != EVENT_VERSION:
        why = f"the event is written in version {version[:16]}, we read {EVENT_VERSION}"
        return _hint(why)(reference, event, now)
    return reader(reference, event, wire.said_at(event) or now)
