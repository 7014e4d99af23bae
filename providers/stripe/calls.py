"""The calls that make, ask for, end and give back payments at Stripe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import stripe

from core import clock
from core.errors import ProviderReference, ProviderRefused
from core.money import Money
from core.strictjson import Json
from providers.new_payment import Created, NewPayment
from providers.said import Reading
from providers.stripe import disputes, reading, sessions
from providers.stripe.amounts import to_stripe
from providers.stripe.sdk import asked, done, every, plain, through
from providers.stripe.things import Thing, reference_of, thing, word
from providers.tags import tags_of


def _whole(amount: Money) -> int:
    try:
        return to_stripe(amount)
    except ValueError as error:
        code = ProviderReference(None, "invalid_amount")
        raise ProviderRefused(f"{error}.", provider=code) from error


def create_intent(api: stripe.StripeClient, new: NewPayment, *, key: str) -> Created:
    """Create a payment intent for a card; one for a kept card is confirmed at once.

    Source: https://docs.stripe.com/api/payment_intents/create
    """
    params: dict[str, object] = {
        "amount": _whole(new.amount),
        "currency": new.amount.asset.code.lower(),
        "metadata": tags_of(new) | {"description": new.description[:500]},
        "capture_method": "manual" if new.manual_capture else "automatic",
        "payment_method_types": ["card"],
    }
    if new.customer is not None:
        params["customer"] = new.customer
    if new.card is not None:
        params |= {"payment_method": new.card, "confirm": True}
    answer = done(
        lambda: api.v1.payment_intents.create(params, {"idempotency_key": key})  # type: ignore[arg-type]
    )
    return created_intent(plain(answer))


def created_intent(subject: Thing) -> Created:
    """Read a payment intent as the answer to its creation."""
    return Created(
        reference=str(subject["id"]),
        client_secret=word(subject.get("client_secret")),
        hosted_url=None,
        expires_at=None,
        reading=reading.read_intent(subject, said_at=clock.now()),
    )


def create_checkout(api: stripe.StripeClient, new: NewPayment, *, key: str) -> Created:
    """Create a checkout session with one line: what the order is for.

    Source: https://docs.stripe.com/api/checkout/sessions/create
    """
    params: dict[str, object] = {
        "mode": "payment",
        "client_reference_id": new.payment_id,
        "success_url": new.success_url,
        "cancel_url": new.cancel_url,
        "metadata": tags_of(new),
        # The intent is made later by Stripe; its events find the payment by this metadata.
        "payment_intent_data": {"metadata": tags_of(new), "description": new.description[:500]},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": new.amount.asset.code.lower(),
                    "unit_amount": _whole(new.amount),
                    "product_data": {"name": new.description[:250] or "Order"},
                },
            }
        ],
    }
    if new.expires_at is not None:
        params["expires_at"] = int(new.expires_at.timestamp())
    answer = done(
        lambda: api.v1.checkout.sessions.create(params, {"idempotency_key": key})  # type: ignore[arg-type]
    )
    return created_session(plain(answer))


def created_session(subject: Thing) -> Created:
    """Read a checkout session as the answer to its creation."""
    expires = subject.get("expires_at")
    return Created(
        reference=str(subject["id"]),
        client_secret=None,
        hosted_url=word(subject.get("url")),
        expires_at=clock.from_unix(expires) if isinstance(expires, int) else None,
        reading=reading.read_session(subject, said_at=clock.now()),
    )


def fetch(api: stripe.StripeClient, reference: str) -> Reading:
    """Ask for the present truth of a payment intent, a checkout session or the intent of a charge, with
    what was given back of it and what its bank asks back.
    """
    if reference.startswith("cs_"):
        options: Mapping[str, Json] = {"expand": ["payment_intent.latest_charge"]}
        session = plain(asked(lambda: api.v1.checkout.sessions.retrieve(reference, options)))  # type: ignore[arg-type]
        said = sessions.read_truth(session, said_at=clock.now())
        return _with_all(api, said, thing(session.get("payment_intent")))
    if reference.startswith(("ch_", "py_")):
        charge = plain(asked(lambda: api.v1.charges.retrieve(reference)))
        reference = reference_of(charge.get("payment_intent")) or reference
    intent = plain(
        asked(lambda: api.v1.payment_intents.retrieve(reference, {"expand": ["latest_charge"]}))
    )
    return _with_all(api, reading.read_intent(intent, said_at=clock.now()), intent)


def find(
    api: stripe.StripeClient, payment_id: str, *, since: datetime, method: str
) -> Created | None:
    """Look through the newest intents or sessions for ours, by metadata; listing is consistent,
    Stripe's search is not, so absence can be believed.

    since: how far back to look.
    """
    window: Mapping[str, Json] = {
        "limit": 100,
        "created": {"gte": int(since.timestamp()) - 60},
    }
    if method == "checkout":
        for found in through(api, "checkout/sessions", window):
            if found.get("client_reference_id") == payment_id:
                return created_session(found)
        return None
    for listed in through(api, "payment_intents", window):
        if thing(listed.get("metadata")).get("payment_id") == payment_id:
            return created_intent(listed)
    return None


def cancel(api: stripe.StripeClient, reference: str, *, key: str) -> Reading:
    """Cancel a payment intent, or expire a checkout session."""
    if reference.startswith("cs_"):
        session = done(
            lambda: api.v1.checkout.sessions.expire(reference, None, {"idempotency_key": key})
        )
        return reading.read_session(plain(session), said_at=clock.now())
    # Whether there was a hold is said by its charge alone.
    options: Mapping[str, Json] = {"expand": ["latest_charge"]}
    intent = done(
        lambda: api.v1.payment_intents.cancel(reference, options, {"idempotency_key": key})  # type: ignore[arg-type]
    )
    return reading.read_intent(plain(intent), said_at=clock.now())


def capture(api: stripe.StripeClient, reference: str, amount: Money, *, key: str) -> Reading:
    """Take what is held on a card, or a part of it; Stripe lets the rest go.

    Nothing asks it to: `final_capture` is true unless an account takes several captures of one hold.
    Source: https://docs.stripe.com/api/payment_intents/capture
    """
    intent = _intent_of(api, reference)
    params = {"amount_to_capture": _whole(amount)}
    options = {"idempotency_key": key}
    answer = done(lambda: api.v1.payment_intents.capture(intent, params, options))  # type: ignore[arg-type]
    return reading.read_intent(plain(answer), said_at=clock.now())


def refund(
    api: stripe.StripeClient,
    reference: str,
    amount: Money,
    *,
    key: str,
    metadata: Mapping[str, str],
) -> Reading:
    """Give money back to the card that paid.

    Source: https://docs.stripe.com/api/refunds/create
    """
    params = {
        "payment_intent": _intent_of(api, reference),
        "amount": _whole(amount),
        "metadata": dict(metadata),
    }
    answer = done(lambda: api.v1.refunds.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]
    return reading.read_refund(plain(answer), said_at=clock.now())


def find_refund(api: stripe.StripeClient, reference: str, refund_id: str) -> Reading | None:
    """Look among a payment's refunds for ours, by metadata; listing is consistent, so absence counts."""
    for found in _refunds_of(api, _intent_of(api, reference)):
        if thing(found.get("metadata")).get("refund_id") == refund_id:
            return reading.read_refund(found, said_at=clock.now())
    return None


def _refunds_of(api: stripe.StripeClient, intent: str) -> list[Thing]:
    params: Mapping[str, Json] = {"payment_intent": intent, "limit": 100}
    return every(lambda: api.v1.refunds.list(params))  # type: ignore[arg-type]


def _intent_of(api: stripe.StripeClient, reference: str) -> str:
    """Name the payment intent behind a checkout session; an intent is its own.

    Raises: ProviderRefused when nothing was paid there
    """
    if not reference.startswith("cs_"):
        return reference
    session = plain(asked(lambda: api.v1.checkout.sessions.retrieve(reference)))
    intent = reference_of(session.get("payment_intent"))
    if intent is None:
        said = ProviderReference(reference, "payment_intent_missing")
        raise ProviderRefused("Nothing was paid on this checkout page.", provider=said)
    return intent


def _with_all(api: stripe.StripeClient, said: Reading, subject: Thing) -> Reading:
    """Add what was given back of a payment that has arrived, and what its bank asks back."""
    arrived = any(keyed.fact.kind == "succeeded" for keyed in said.facts)
    intent = next((name for name in said.references if name.startswith("pi_")), None)
    if not arrived or intent is None:
        return said
    found = [reading.read_refund(each, said_at=clock.now()) for each in _refunds_of(api, intent)]
    refunds = tuple(each for one in found for each in one.refunds)
    is_disputed = thing(subject.get("latest_charge")).get("disputed") is True
    asked_back = tuple(disputes.of_intent(api, intent)) if is_disputed else ()
    return replace(said, refunds=refunds, disputes=asked_back)
