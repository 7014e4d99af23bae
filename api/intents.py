"""Starting a payment: on our own pay page (intent), on Stripe's (checkout session) or at the payer's bank (link)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, StringConstraints

from api import steps
from api.begun import CheckoutOut, IntentOut, LinkOut, begun_answer
from api.contract import (
    Answer,
    Call,
    In,
    Metadata,
    NoQuery,
    Session,
    endpoint,
)
from api.contract.records import ErrorOut
from api.shapes import UnknownOut
from api.steps import Step, Told
from core.errors import invalid
from core.permissions import Permission
from domain.payments import starting
from domain.payments.intents import PaymentWanted
from models.payments import Payment
from web import identity, origins

blueprint = Blueprint("intents", __name__)
Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Ref = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(min_length=8, max_length=2048)]
Purpose = Literal["deposit", "balance"]
ERRORS = (
    "KYC_REQUIRED",
    "PAYMENT_FAILED",
    "ORDER_ALREADY_PAID",
    "INVALID_TRANSITION",
    "LOST_RACE",
    "RAIL_NOT_CONFIGURED",
    "PROVIDER_UNAVAILABLE",
)


class IntentIn(In):
    """What to pay. `deposit`: the unpaid deposit, or the total when there is none; `balance`: the rest."""

    order_id: Id
    purpose: Purpose = "deposit"
    capture_method: Literal["automatic", "manual"] = "automatic"
    reference: Ref | None = None
    metadata: Metadata = Field(default_factory=dict)


class LinkIn(In):
    """What to pay, and where a payer who comes back from their bank is sent on to (on PUBLIC_URL or
    CORS_ORIGINS). reference: your own name of it, which the bank statement shows as well.
    """

    order_id: Id
    purpose: Purpose = "deposit"
    return_url: Url | None = None
    reference: Ref | None = None


class CheckoutIn(In):
    """What to pay, and where Stripe's page sends the payer back to (on PUBLIC_URL or CORS_ORIGINS)."""

    order_id: Id
    purpose: Purpose = "deposit"
    success_url: Url | None = None
    cancel_url: Url | None = None
    reference: Ref | None = None


def _pay(call: Call[Any, Any], wanted: PaymentWanted) -> Answer:
    """Begin a payment, or take up the open one; a new one answers 201, an open one 200."""
    made: list[bool] = []

    def begin(session: Session) -> Step:
        begun = starting.start(
            session,
            wanted,
            actor=call.actor,
            source=call.source,
            public_url=identity.settings().public_url,
        )
        made.append(begun.is_new)
        return Step(begun.payment, begun.operation, begun.fence)

    def done(session: Session, payment: Payment) -> Answer:
        return begun_answer(session, payment, is_new=made[-1])

    return steps.run(call, begin, Told(done=done, refused=steps.declined))


@endpoint(
    blueprint,
    "POST",
    "/api/payments/intents",
    access=Permission.PAYMENTS_CREATE,
    body=IntentIn,
    answers={201: IntentOut, 200: IntentOut, 202: UnknownOut, 402: ErrorOut},
    key="R",
    money=True,
    errors=ERRORS,
    events=("payment.created",),
    summary="Start a card payment of an order; an open one of the same purpose is given again.",
    requirement="S14",
)
def create_intent(call: Call[IntentIn, NoQuery]) -> Answer:
    said = call.body
    wanted = PaymentWanted(
        order_id=said.order_id,
        purpose=said.purpose,
        capture_method=said.capture_method,
        reference=said.reference,
        metadata=dict(said.metadata),
    )
    return _pay(call, wanted)


def _return_url(url: str | None, field: str) -> str | None:
    """Check that a payer is sent back to a place that is trusted.

    Raises: InvalidInput
    """
    if url is None:
        return None
    settings = identity.settings()
    origin = origins.origin_of(url)
    is_own = origin == origins.origin_of(settings.public_url)
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not is_plain or not origin.startswith(("http://", "https://")) or "@" in origin:
        raise invalid(field, "This must be an http or https address.", code="url_not_allowed")
    if not is_own and not origins.is_allowed(origin, settings):
        sentence = "The address must be on PUBLIC_URL or on one of CORS_ORIGINS."
        raise invalid(field, sentence, code="url_not_allowed")
    return url


@endpoint(
    blueprint,
    "POST",
    "/api/payments/stripe/checkout-session",
    access=Permission.PAYMENTS_CREATE,
    body=CheckoutIn,
    answers={201: CheckoutOut, 200: CheckoutOut, 202: UnknownOut, 402: ErrorOut},
    key="R",
    money=True,
    errors=ERRORS,
    events=("payment.created",),
    summary="Start a payment on Stripe's own page; an open session of the same purpose is given again.",
    requirement="S27",
)
def create_checkout(call: Call[CheckoutIn, NoQuery]) -> Answer:
    said = call.body
    wanted = PaymentWanted(
        order_id=said.order_id,
        purpose=said.purpose,
        method="checkout",
        reference=said.reference,
        success_url=_return_url(said.success_url, "successUrl"),
        cancel_url=_return_url(said.cancel_url, "cancelUrl"),
    )
    return _pay(call, wanted)


@endpoint(
    blueprint,
    "POST",
    "/api/payments/bank/link",
    access=Permission.PAYMENTS_CREATE,
    body=LinkIn,
    answers={201: LinkOut, 200: LinkOut, 202: UnknownOut, 402: ErrorOut},
    key="R",
    money=True,
    errors=(*ERRORS, "BANK_REFERENCE_INVALID"),
    events=("payment.created",),
    summary="Start a payment from the payer's own bank; an open link of the same purpose is given again.",
    requirement="S19",
)
def create_link(call: Call[LinkIn, NoQuery]) -> Answer:
    said = call.body
    wanted = PaymentWanted(
        order_id=said.order_id,
        purpose=said.purpose,
        method="link",
        reference=said.reference,
        return_url=_return_url(said.return_url, "returnUrl"),
    )
    return _pay(call, wanted)
