"""Taking what is held on a card, and starting again after an attempt that ended unpaid."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import RootModel

from api import shapes, steps
from api.begun import CheckoutOut, IntentOut, LinkOut, begun_answer
from api.contract import Answer, Call, In, MoneyIn, NoQuery, Session, endpoint
from api.contract.records import ErrorOut
from api.intents import Ref
from api.shapes import PaymentOut, UnknownOut
from api.steps import Step, Told
from core.errors import AppError, IllegalTransition, PaymentDeclined
from core.money import asset
from core.permissions import Permission
from domain.payments import capturing, payments, reattempting, starting
from models.payments import Payment

blueprint = Blueprint("captures", __name__)


class CaptureIn(In):
    """How much of the hold to take; all of it unless said otherwise. The rest is let go."""

    amount: MoneyIn | None = None
    reference: Ref | None = None


class ReattemptIn(In):
    """How to pay this time; as before unless said otherwise."""

    rail: Literal["card", "bank", "crypto"] | None = None
    reference: Ref | None = None


class AttemptOut(RootModel[IntentOut | CheckoutOut | LinkOut]):
    """The new attempt, as the route answers that starts its kind: an intent, a page at the provider or a link to the payer's bank."""


def _shown(session: Session, payment: Payment) -> Answer:
    cases = payments.open_cases_of(session, [payment.id])
    return Answer(200, shapes.payment(payment, exceptions=cases[payment.id]))


def _not_captured(error: AppError, payment: Payment) -> AppError:
    """Tell a refused capture: the card's no as a declined payment, anything else as the state it is in."""
    if isinstance(error, PaymentDeclined):
        return error
    refusal = IllegalTransition("payment", payment.status, "captured")
    refusal.message, refusal.provider = error.message, error.provider
    return refusal


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/capture",
    access=Permission.PAYMENTS_CAPTURE,
    body=CaptureIn,
    answers={200: PaymentOut, 202: UnknownOut, 402: ErrorOut, 409: ErrorOut},
    key="R",
    money=True,
    errors=(
        "PAYMENT_FAILED",
        "INVALID_TRANSITION",
        "AMOUNT_EXCEEDED",
        "LOST_RACE",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("payment.processing", "payment.succeeded"),
    summary="Take what is held on the card, or a part of it; the rest is let go.",
    requirement="S107",
)
def capture(call: Call[CaptureIn, NoQuery]) -> Answer:
    def begin(session: Session) -> Step:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        said = call.body.amount
        amount = said.money(default=asset(payment.asset)) if said else None
        begun = capturing.begin(session, payment.id, amount, actor=call.actor)
        return Step(*begun)

    return steps.run(call, begin, Told(done=_shown, refused=_not_captured))


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/reattempt",
    access=Permission.PAYMENTS_REATTEMPT,
    body=ReattemptIn,
    answers={201: AttemptOut, 200: AttemptOut, 202: UnknownOut, 402: ErrorOut, 409: ErrorOut},
    key="R",
    money=True,
    errors=(
        "PAYMENT_FAILED",
        "INVALID_TRANSITION",
        "ORDER_ALREADY_PAID",
        "LOST_RACE",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("payment.created",),
    summary="Start again after an attempt that failed or expired; the new one supersedes it.",
    requirement="S58",
)
def reattempt(call: Call[ReattemptIn, NoQuery]) -> Answer:
    made: list[bool] = []

    def begin(session: Session) -> Step:
        begun = reattempting.begin(
            session,
            call.path["paymentId"],
            actor=call.actor,
            source=call.source,
            rail=call.body.rail,
            reference=call.body.reference,
        )
        begun = starting.as_it_stands(session, begun)
        made.append(begun.is_new)
        return Step(begun.payment, begun.operation, begun.fence)

    def done(session: Session, payment: Payment) -> Answer:
        return begun_answer(session, payment, is_new=made[-1])

    return steps.run(call, begin, Told(done=done, refused=steps.declined))
