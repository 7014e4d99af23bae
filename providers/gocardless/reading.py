"""What GoCardless' billing requests, payments and refunds say, in our words.

A billing request is what we ask for; once its payer has agreed it has a payment, which tells of money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from providers.deliveries import UnreadableDelivery
from providers.gocardless import progress, words
from providers.gocardless.progress import NAME, keyed
from providers.said import KeyedFact, Reading, SaidRefund
from providers.tags import tag_of
from providers.values import Thing, instant, money_of, thing, word

# As what these names are remembered beside that of the billing request.
PAYMENT_LINK, REFUND_LINK = "payment", "refund"


def money(subject: Thing) -> Money:
    """Read the amount of an object. Raises: UnreadableDelivery, UnmappedProviderValue."""
    return money_of(subject, "amount", provider=NAME)


def _head(subject: Thing, what: str) -> tuple[str, str]:
    reference, status = word(subject.get("id"), longest=255), word(subject.get("status"))
    if reference is None or status is None:
        raise UnreadableDelivery(f"the {what} has no id or no status")
    return reference, status


def payment_of(request: Thing) -> str | None:
    """Name the payment that a billing request has, once its payer has agreed."""
    return word(thing(request.get("links")).get("payment_request_payment"), longest=255)


# Source: https://developer.gocardless.com/api-reference/#billing-requests-billing-requests
_PAYABLE = frozenset({"pending", "ready_to_fulfil"})
_OPEN = _PAYABLE | {"fulfilling"}
# Statuses of which the object does not say why or since when: its events do.
UNSAID = frozenset({"failed", "cancelled", "customer_approval_denied", "charged_back"})
_ENDS = frozenset({"failed", "cancelled"})


def is_payable(request: Thing) -> bool:
    """Tell whether a payer may still agree to a billing request, so that a page of it is of use."""
    return request.get("status") in _PAYABLE


def read_request(
    subject: Thing,
    *,
    said_at: datetime,
    payment: Reading | None = None,
    history: Sequence[Thing] = (),
) -> Reading:
    """Read a billing request. payment: what its payment says; history: its own events.

    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    reference, status = _head(subject, "billing request")
    made_at = instant(subject.get("created_at")) or said_at
    facts = [keyed(reference, "created", Fact("created", made_at))]
    facts += progress.stated(reference, history, progress.OF_REQUESTS)
    if status == "fulfilled":
        facts.append(keyed(reference, "fulfilled", Fact("awaiting_bank", said_at)))
    elif status == "cancelled":
        if not any(each.fact.kind in _ENDS for each in facts):
            facts.append(keyed(reference, "cancelled", Fact("cancelled", said_at)))
    elif status not in _OPEN:
        raise UnmappedProviderValue(NAME, "billing_request.status", status)
    name = payment_of(subject)
    said = Reading(
        references=(reference,),
        payment_id=tag_of(subject, "payment_id"),
        facts=tuple({each.key: each for each in reversed(facts)}.values())[::-1],
        links={name: PAYMENT_LINK} if name else {},
        asset_code=word(thing(subject.get("payment_request")).get("currency"), longest=8),
    )
    if payment is None:
        return said
    return replace(
        said,
        facts=(*said.facts, *payment.facts),
        refunds=payment.refunds,
        links={**said.links, **payment.links},
        asset_code=payment.asset_code or said.asset_code,
    )


# How far a payment is that is neither good nor over: the key of the event that tells the same.
# Source: https://developer.gocardless.com/api-reference/#core-endpoints-payments
_UNDER_WAY: Mapping[str, str] = {
    "pending_customer_approval": "created",
    "pending_submission": "created",
    "submitted": "submitted",
}
_GOOD = frozenset({"confirmed", "paid_out", "charged_back"})


def _succeeded(reference: str, subject: Thing, at: datetime) -> list[KeyedFact]:
    """State what arrived, and by which debit: one that may be taken back later."""
    minor = money(subject).minor
    return [
        keyed(reference, f"succeeded:{minor}", Fact("succeeded", at, minor)),
        keyed(reference, CHARGE_PAID, Fact(CHARGE_PAID, at, minor, code=reference)),
    ]


def _failed(
    reference: str, subject: Thing, history: Sequence[Thing], at: datetime
) -> list[KeyedFact]:
    """State a failure; one after the payment had been good took back all that it had brought."""
    event = progress.last(history, "failed") or {}
    since = instant(event.get("created_at")) or at
    cause = progress.cause_of(event) or "failed"
    said = words.of_cause(cause)
    gone = keyed(reference, CHARGE_FAILED, Fact(CHARGE_FAILED, since, code=reference, message=said))
    good = progress.last(history, "confirmed")
    if good is not None:
        return [*_succeeded(reference, subject, instant(good.get("created_at")) or at), gone]
    return [keyed(reference, "failed", Fact("failed", since, code=cause, message=said)), gone]


def _stated(
    reference: str, status: str, subject: Thing, history: Sequence[Thing], at: datetime
) -> list[KeyedFact]:
    told = progress.stated(reference, history, progress.OF_PAYMENTS)
    if status in _UNDER_WAY:
        since = instant(subject.get("created_at")) or at
        return [*told, keyed(reference, _UNDER_WAY[status], Fact("awaiting_bank", since))]
    if status in _GOOD:
        facts = [*told, *_succeeded(reference, subject, at)]
        if status == "charged_back" and not any(e.fact.kind == CHARGE_FAILED for e in told):
            fact = Fact(CHARGE_FAILED, at, code=reference, message=words.of_cause(None))
            facts.append(keyed(reference, CHARGE_FAILED, fact))
        return facts
    if status == "failed":
        return [*told, *_failed(reference, subject, history, at)]
    if status in ("cancelled", "customer_approval_denied"):
        return [*told, keyed(reference, "cancelled", Fact("cancelled", at))]
    raise UnmappedProviderValue(NAME, "payment.status", status)


def read_payment(
    subject: Thing,
    *,
    said_at: datetime,
    history: Sequence[Thing] = (),
    refunds: Sequence[SaidRefund] = (),
) -> Reading:
    """Read a payment. history: its events, where its status alone does not tell all.

    It is ours when its billing request is: that names it. Our id in its metadata is not believed, for
    whoever copies a payment copies that too.
    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    reference, status = _head(subject, "payment")
    facts = _stated(reference, status, subject, history, said_at)
    return Reading(
        references=(reference,),
        facts=tuple({each.key: each for each in reversed(facts)}.values())[::-1],
        asset_code=word(subject.get("currency"), longest=8),
        refunds=tuple(refunds),
        links={each.reference: REFUND_LINK for each in refunds},
    )


# Source: https://developer.gocardless.com/api-reference/#core-endpoints-refunds; a paid one may come back.
_REFUND_KINDS: Mapping[str, str] = {
    "created": REFUND_PENDING,
    "pending_submission": REFUND_PENDING,
    "submitted": REFUND_PENDING,
    "paid": REFUND_SUCCEEDED,
    "cancelled": REFUND_FAILED,
    "bounced": REFUND_FAILED,
    "failed": REFUND_FAILED,
    "funds_returned": REFUND_FAILED,
}


def read_refund(subject: Thing, *, said_at: datetime) -> SaidRefund:
    """Read a refund: how much is given back and how far it is.

    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    reference, status = _head(subject, "refund")
    kind = _REFUND_KINDS.get(status)
    if kind is None:
        raise UnmappedProviderValue(NAME, "refund.status", status)
    amount = money(subject)
    since = instant(subject.get("created_at")) if kind == REFUND_PENDING else None
    code = status if kind == REFUND_FAILED else None
    fact = Fact(kind, since or said_at, amount.minor, code=code, message=words.REFUNDS.get(status))
    return SaidRefund(reference, amount, keyed(reference, kind, fact), tag_of(subject, "refund_id"))
