"""`POST /v1/stripe/coupons/apply`: turning a coupon into credit on a wallet, in one call."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import StringConstraints

from api import steps
from api.contract import Answer, Call, In, NoQuery, Out, Session, endpoint
from api.steps import Step, Told
from api.transaction_shapes import TransactionCouponOut
from api.v1_shapes import Number, number
from core.errors import AppError, Conflict, InvalidInput
from core.money import asset
from core.permissions import Permission
from core.states import OPEN_PAYMENT
from core.states import Payment as Status
from domain.database import reading
from domain.payments import coupon_uses, coupons, kept_cards
from models.operations import Operation
from models.payments import Payment
from web import errors

blueprint = Blueprint("coupons", __name__)
Person = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Typed = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class CouponIn(In):
    """couponId: a promotion code, or else a coupon's id; userId: by a merchant, for whom."""

    coupon_id: Typed
    user_id: Person | None = None


class CouponAppliedOut(Out):
    """The coupon is spent; amountAdded is on the wallet as soon as the transaction succeeds."""

    success: Literal[True]
    transaction_id: str
    coupon: TransactionCouponOut
    amount_added: Number


class CouponUnknownOut(Out):
    """Nobody knows yet whether the provider has done it; never repeat it under another key."""

    success: Literal[False]
    transaction_id: str
    operation_id: str
    status: Literal["unknown"]


def _applied(session: Session, payment: Payment) -> dict[str, Any]:
    use = coupon_uses.of_payments(session, [payment.id])[payment.id]
    amount = number(use.amount_minor, use.asset)
    return {
        "success": True,
        "transactionId": payment.id,
        "coupon": {
            "id": use.coupon_id,
            "name": use.name,
            "amountOff": amount,
            "currency": asset(use.asset).code,
        },
        "amountAdded": amount,
    }


def _unknown(operation: Operation, payment: Payment) -> dict[str, Any]:
    return {
        "success": False,
        "transactionId": payment.id,
        "operationId": operation.id,
        "status": "unknown",
    }


def _ended(call: Call[CouponIn, NoQuery], payment: Payment) -> Answer:
    """Say that somebody ended the coupon's invoice at the provider before it was credited."""
    said = "This coupon's invoice was ended at the provider. Nothing was credited; apply it again."
    error = Conflict(said, details={"transactionId": payment.id})
    body = errors.document(error, path="/v1/", request_id=call.request_id)
    return Answer(error.http_status, body)


def _refused(error: AppError, payment: Payment) -> AppError:
    """Tell the provider's no with the transaction that keeps it; a coupon may end while it is applied."""
    code = error.provider.code if error.provider else None
    said: AppError = Conflict(error.message, code=error.code)
    if code in ("coupon_expired", "promotion_code_expired"):
        said = InvalidInput(error.message, code="COUPON_EXPIRED")
    said.details, said.provider = {"transactionId": payment.id}, error.provider
    return said


@endpoint(
    blueprint,
    "POST",
    "/v1/stripe/coupons/apply",
    access=Permission.COUPONS_APPLY,
    body=CouponIn,
    answers={200: CouponAppliedOut, 202: CouponUnknownOut},
    key="O",
    money=True,
    errors=(
        "COUPON_UNSUPPORTED",
        "COUPON_EXPIRED",
        "COUPON_NOT_FOUND",
        "COUPON_ALREADY_APPLIED",
        "NOT_FOUND",
        "LOST_RACE",
        "PROVIDER_REFUSED",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("transaction.created", "transaction.updated", "wallet.credited"),
    summary="Turn a coupon over a fixed amount into credit on a wallet, once per person.",
    requirement="S92",
    surface_style="v1",
)
def apply(call: Call[CouponIn, NoQuery]) -> Answer:
    said, mode = call.body, call.livemode
    with reading() as session:
        user_id = kept_cards.payer_of(session, said.user_id, actor=call.actor)
    found = coupons.look_up(user_id, said.coupon_id, livemode=mode)

    def begin(session: Session) -> Step:
        if found is None:
            begun = coupons.go_on(session, user_id, said.coupon_id, livemode=mode, actor=call.actor)
        else:
            begun = coupons.begin(
                session, user_id, found, livemode=mode, actor=call.actor, source=call.source
            )
        return Step(begun.payment, begun.operation, begun.fence)

    def done(session: Session, payment: Payment) -> Answer:
        if payment.status in OPEN_PAYMENT or payment.status == Status.COMPLETED:
            return Answer(200, _applied(session, payment))
        return _ended(call, payment)

    return steps.run(call, begin, Told(done=done, refused=_refused, unknown=_unknown))
