"""Stripe's disputes and Radar: what their objects say, in our words, and the calls that answer a dispute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO

import stripe

from core import clock
from core.disputes import Status
from core.errors import UnmappedProviderValue
from core.fold import DISPUTE_FEE, DISPUTE_REINSTATED, DISPUTE_WITHDRAWN, Fact
from core.money import Money
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery
from providers.dispute_seam import Evidence, EvidenceFile
from providers.said import DisputedFunds, KeyedFact, Reading, SaidConcern, SaidDispute
from providers.stripe.amounts import from_stripe
from providers.stripe.sdk import asked, done, every, plain
from providers.stripe.things import Thing, money, reference_of, thing, whole, word

# Where Stripe takes one file each; the first are the least particular.
# Source: https://docs.stripe.com/api/disputes/evidence_object
FILE_SLOTS = (
    "uncategorized_file",
    "customer_communication",
    "service_documentation",
    "receipt",
    "shipping_documentation",
)


def read_dispute(subject: Thing, *, said_at: datetime, is_present: bool = True) -> Reading:
    """Read a dispute: how it stands, until when to answer, and what it has moved so far.

    is_present: Stripe was asked for it; an event tells how it stood when the event was made.
    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/disputes/object
    """
    own, status = word(subject.get("id")), word(subject.get("status"))
    if own is None or status is None:
        raise UnreadableDelivery("the dispute has no id or no status")
    if status not in set(Status):
        raise UnmappedProviderValue("stripe", "dispute.status", status)
    amount = money(subject, "amount")
    if amount.minor <= 0:
        raise UnreadableDelivery("the dispute is over nothing")
    details = thing(subject.get("evidence_details"))
    due, submissions = details.get("due_by"), details.get("submission_count")
    said = SaidDispute(
        reference=own,
        amount=amount,
        status=status,
        reason=word(subject.get("reason")),
        said_at=said_at,
        opened_at=_at(subject.get("created"), "created"),
        evidence_due_at=_at(due, "due_by") if due else None,
        submissions=whole(submissions, "submission_count") if submissions else 0,
        funds=tuple(_funds(subject, amount)),
        is_present=is_present,
    )
    return Reading(references=names(subject), disputes=(said,))


def _at(value: Json, field: str) -> datetime:
    seconds = whole(value, field)
    if not 0 < seconds < 2**33:
        raise UnreadableDelivery(f"{field} is no time")
    return clock.from_unix(seconds)


def names(subject: Thing) -> tuple[str, ...]:
    """Give what Stripe calls the payment that an object is about."""
    found = (reference_of(subject.get("payment_intent")), reference_of(subject.get("charge")))
    return tuple(name for name in found if name)


def _funds(subject: Thing, disputed: Money) -> Iterator[DisputedFunds]:
    """Read each booking of a dispute on Stripe's balance: below nothing is taken, above is brought back."""
    listed = subject.get("balance_transactions")
    for one in listed if isinstance(listed, list) else []:
        booked = thing(one)
        reference = word(booked.get("id"))
        if reference is None:
            raise UnreadableDelivery("a balance transaction of the dispute has no id")
        signed, fee = whole(booked.get("amount"), "amount"), booked.get("fee")
        cost = _fee(booked) if fee else None
        if not signed and cost is None:
            continue
        amount = _principal(booked, disputed) if signed else None
        kind = DISPUTE_FEE
        if signed:
            kind = DISPUTE_WITHDRAWN if signed < 0 else DISPUTE_REINSTATED
        said_at = _at(booked.get("created"), "created")
        fact = Fact(kind, said_at, amount_minor=amount.minor if amount else None)
        yield DisputedFunds(KeyedFact(f"stripe:{reference}", fact), amount, cost)


def _principal(booked: Thing, disputed: Money) -> Money:
    """Give what a booking moved in the payment's own currency, in which its charge was booked here too.

    Stripe books in the currency that it settles in; of another one the disputed amount is what moved.
    """
    amount = money(booked, "amount")
    return abs_of(amount) if amount.asset == disputed.asset else disputed


def abs_of(amount: Money) -> Money:
    """Give an amount without its sign."""
    return Money(abs(amount.minor), amount.asset)


def _fee(booked: Thing) -> Money:
    currency = word(booked.get("currency")) or ""
    fee = whole(booked.get("fee"), "fee")
    try:
        return from_stripe(fee, currency)
    except ValueError as error:
        raise UnmappedProviderValue("stripe", "currency", currency) from error


def read_warning(subject: Thing) -> Reading:
    """Read an early fraud warning: the issuer expects that this payment will be disputed.

    Source: https://docs.stripe.com/api/radar/early_fraud_warnings/object
    """
    own = word(subject.get("id"))
    if own is None:
        raise UnreadableDelivery("the warning has no id")
    kind = (word(subject.get("fraud_type")) or "unknown").replace("_", " ")
    sentence = f"The card's issuer warns of fraud ({kind}). A refund now may spare a dispute."
    said = SaidConcern("EARLY_FRAUD_WARNING", own, sentence)
    return Reading(references=names(subject), concerns=(said,))


def read_review(subject: Thing) -> Reading:
    """Read a review of Radar: somebody is to look at this payment at Stripe; approved, all is well.

    Source: https://docs.stripe.com/api/radar/reviews/object
    """
    own = word(subject.get("id"))
    if own is None:
        raise UnreadableDelivery("the review has no id")
    why = "by hand" if subject.get("opened_reason") == "manual" else "by a rule of Radar"
    is_over = subject.get("open") is False and subject.get("closed_reason") == "approved"
    sentence = f"Stripe holds this payment for review, opened {why}. Approve or refund it there."
    said = SaidConcern("PAYMENT_REVIEW", own, sentence, is_over=is_over)
    return Reading(references=names(subject), concerns=(said,))


def fetch(api: stripe.StripeClient, reference: str) -> Reading:
    """Ask for a dispute. Source: https://docs.stripe.com/api/disputes/retrieve"""
    found = plain(asked(lambda: api.v1.disputes.retrieve(reference)))
    return read_dispute(found, said_at=clock.now())


def of_intent(api: stripe.StripeClient, intent: str) -> Sequence[SaidDispute]:
    """List the disputes of a payment intent. Source: https://docs.stripe.com/api/disputes/list"""
    found = every(lambda: api.v1.disputes.list({"payment_intent": intent, "limit": 100}))
    said_at = clock.now()
    return [each for one in found for each in read_dispute(one, said_at=said_at).disputes]


def submit(api: stripe.StripeClient, reference: str, evidence: Evidence, *, key: str) -> Reading:
    """Hand evidence to the bank: its files first, then all of it at once.

    Source: https://docs.stripe.com/api/disputes/update, https://docs.stripe.com/api/files/create
    """
    fields: dict[str, Json] = dict(_fields(evidence))
    for place, (slot, file) in enumerate(zip(FILE_SLOTS, evidence.files, strict=False)):
        fields[slot] = _upload(api, file, key=f"{key}-file{place}")
    params: Mapping[str, Json] = {"evidence": fields, "submit": True}
    answer = done(
        lambda: api.v1.disputes.update(reference, params, {"idempotency_key": key})  # type: ignore[arg-type]
    )
    return read_dispute(plain(answer), said_at=clock.now())


def _fields(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Write evidence under Stripe's names; for words of a conversation it has a file only, so they go
    with the text.
    """
    if evidence.product_description:
        yield "product_description", evidence.product_description
    if evidence.service_date:
        yield "service_date", evidence.service_date
    texts = [evidence.uncategorized_text] if evidence.uncategorized_text else []
    if evidence.customer_communication:
        texts.append(f"Communication with the customer:\n{evidence.customer_communication}")
    if texts:
        yield "uncategorized_text", "\n\n".join(texts)


def _upload(api: stripe.StripeClient, file: EvidenceFile, *, key: str) -> str:
    def call() -> stripe.File:
        body = BytesIO(file.body)
        body.name = file.name
        params = {"purpose": "dispute_evidence", "file": body}
        return api.v1.files.create(params, {"idempotency_key": key})  # type: ignore[arg-type]

    return str(done(call).id)


def close(api: stripe.StripeClient, reference: str, *, key: str) -> Reading:
    """Give a dispute up; it is lost then. Source: https://docs.stripe.com/api/disputes/close"""
    answer = done(lambda: api.v1.disputes.close(reference, None, {"idempotency_key": key}))
    return read_dispute(plain(answer), said_at=clock.now())
