"""`POST /v1/stripe/transactions/confirm`: paying into a wallet with a kept card, in one call."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from api import one_try, steps
from api.contract import Answer, Call, In, NoQuery, Out, Session, endpoint
from api.contract.records import WrappedErrorOut
from api.steps import Step, Told
from core import money
from core.errors import invalid
from core.money import Money
from core.permissions import Permission
from core.states import OPEN_PAYMENT, PaymentSub
from core.states import Payment as Status
from domain.payments import top_ups
from domain.payments.top_ups import TopUpWanted
from models.operations import Operation
from models.payments import Payment
from web import errors

blueprint = Blueprint("transactions_confirm", __name__)
_PAID = (Status.COMPLETED, Status.RELEASED, Status.REFUNDED)


def _amount_text(value: object) -> object:
    """Take an amount as its text, never as a float's."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return f"{value:f}" if isinstance(value, Decimal) and abs(value.adjusted()) < 30 else value


Amount = Annotated[
    str,
    BeforeValidator(_amount_text),
    StringConstraints(min_length=1, max_length=40),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": [25.5]}),
]
Person = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Card = Annotated[str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,250}$")]
OwnKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,255}$")]


class ConfirmIn(In):
    """What to pay in, in major units. userId: by a merchant, for whom; idempotencyKey: the payer's own name
    for it, used once for ever.
    """

    user_id: Person | None = None
    payment_method_id: Card
    amount: Amount
    currency: str = Field(default="usd", min_length=3, max_length=16)
    idempotency_key: OwnKey | None = None


class ConfirmedOut(Out):
    """The card was charged; what follows from it is with `GET /v1/stripe/transactions/{id}`."""

    success: Literal[True]
    transaction_id: str


class ConfirmingOut(Out):
    """It is not over: the payer's bank asks them, or nobody knows yet, or the money is on its way."""

    success: Literal[False]
    transaction_id: str
    requires_3ds: bool | None = Field(default=None, alias="requires3DS")
    requires_action: bool | None = None
    client_secret: str | None = None
    payment_intent_id: str | None = None
    operation_id: str | None = None
    status: Literal["unknown", "pending"] | None = None


def _money(said: ConfirmIn) -> Money:
    """Read the amount in its currency.

    Raises: InvalidInput
    """
    try:
        of = money.asset(said.currency)
    except ValueError as error:
        raise invalid("currency", "There is no such currency.") from error
    try:
        found = money.parse(said.amount, of)
    except ValueError as error:
        raise invalid("amount", f"This cannot be paid in: {error}.") from error
    if found.minor <= 0:
        raise invalid("amount", "The amount must be more than zero.")
    return found


def _unknown(operation: Operation, payment: Payment) -> dict[str, Any]:
    is_known = payment.status == Status.PROCESSING
    body: dict[str, Any] = {"success": False, "transactionId": payment.id}
    return body | {"operationId": operation.id, "status": "pending" if is_known else "unknown"}


def _told(call: Call[ConfirmIn, NoQuery], operation: Operation, payment: Payment) -> Answer:
    """Say how a transaction stands that there is nothing more to ask about."""
    if payment.status in _PAID:
        return Answer(200, {"success": True, "transactionId": payment.id})
    if payment.status not in OPEN_PAYMENT:
        error = one_try.failed(payment)
        body = errors.document(error, path="/v1/", request_id=call.request_id)
        return Answer(error.http_status, body)
    if payment.sub_state == PaymentSub.REQUIRES_ACTION:
        asks = {"success": False, "requiresAction": True}
        return Answer(202, asks | one_try.waits_for_payer(payment))
    return Answer(202, _unknown(operation, payment))


@endpoint(
    blueprint,
    "POST",
    "/v1/stripe/transactions/confirm",
    access=Permission.TRANSACTIONS_CONFIRM,
    body=ConfirmIn,
    answers={200: ConfirmedOut, 202: ConfirmingOut, 402: WrappedErrorOut},
    key="O",
    money=True,
    errors=(
        "PAYMENT_FAILED",
        "NOT_FOUND",
        "CONFLICT",
        "LOST_RACE",
        "IDEMPOTENCY_KEY_REUSED",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("transaction.created", "transaction.updated", "wallet.credited"),
    summary="Pay into a wallet with a kept card; 202 when the payer's bank asks them first.",
    requirement="S86",
    surface_style="v1",
)
def confirm(call: Call[ConfirmIn, NoQuery]) -> Answer:
    said = call.body
    wanted = TopUpWanted(
        said.user_id,
        said.payment_method_id,
        _money(said),
        # A header alone names the transaction too, so that a crash before its answer charges nothing twice.
        key=said.idempotency_key or (call.claim.key if call.claim else None),
    )
    known: list[Operation] = []

    def begin(session: Session) -> Step:
        begun = top_ups.begin(session, wanted, actor=call.actor, source=call.source)
        known.append(begun.operation)
        return Step(begun.payment, begun.operation, begun.fence)

    def done(_: Session, payment: Payment) -> Answer:
        return _told(call, known[-1], payment)

    return steps.run(call, begin, Told(done=done, refused=one_try.declined, unknown=_unknown))
