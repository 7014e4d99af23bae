"""`POST /v1/start-trial`: a small hold proves a card and is let go, and its owner may try."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint
from pydantic import Field

from api import one_try, steps
from api.contract import Answer, Call, In, NoQuery, Out, Session, endpoint
from api.contract.records import WrappedErrorOut
from api.steps import Step, Told
from api.transactions_confirm import Card
from api.v1_shapes import Number, number
from core import clock
from core.permissions import Permission
from core.states import OPEN_PAYMENT, PaymentSub
from core.states import Payment as Status
from domain.books import accounts, ledger
from domain.payments import trial_terms, trials
from domain.payments.trials import TrialWanted
from models.effects import Trial
from models.operations import Operation
from models.payments import Payment
from web import errors

blueprint = Blueprint("trials", __name__)
# Also a check of which somebody took money elsewhere, and it went back.
_PROVED = (Status.COMPLETED, Status.RELEASED, Status.REFUNDED)


class TrialIn(In):
    """Which kept card to prove; without it the default one."""

    payment_method_id: Card | None = None


class TrialOut(Out):
    """How far the trial is. limit: how much may be tried, in the wallet's currency."""

    state: Literal["pending", "granted"]
    limit: Number
    granted_at: str | None


class TrialWalletOut(Out):
    """What somebody may spend. Amounts in major units of `currency`."""

    user_id: str
    balance: Number
    currency: str
    trial: TrialOut


class TrialStartedOut(Out):
    """The card is proved; the hold is being let go."""

    transaction_id: str
    wallet: TrialWalletOut


class TrialStartingOut(Out):
    """It is not over: the card's owner is asked by their bank, or nobody knows yet."""

    transaction_id: str
    requires_3ds: bool | None = Field(default=None, alias="requires3DS")
    client_secret: str | None = None
    payment_intent_id: str | None = None
    operation_id: str | None = None
    status: Literal["unknown", "pending"] | None = None


def _wallet(session: Session, payment: Payment) -> dict[str, Any]:
    user_id = str(payment.buyer_id)
    trial = trials.find_trial(session, user_id)
    of = trial_terms.limit().asset if trial is None else trial_terms.asset_of(trial)
    owed = -ledger.balance(session, accounts.wallet(user_id).address, str(of))
    return {
        "userId": user_id,
        "balance": number(owed, str(of)),
        "currency": of.code,
        "trial": _trial(trial),
    }


def _trial(trial: Trial | None) -> dict[str, Any]:
    if trial is None:
        limit = trial_terms.limit()
        return {"state": "pending", "limit": limit.as_decimal(), "grantedAt": None}
    return {
        "state": trial.state,
        "limit": number(trial.limit_minor, trial.asset),
        "grantedAt": clock.rfc3339(trial.granted_at) if trial.granted_at else None,
    }


def _unknown(operation: Operation, payment: Payment) -> dict[str, Any]:
    status = "pending" if payment.status == Status.PROCESSING else "unknown"
    return {"transactionId": payment.id, "operationId": operation.id, "status": status}


def _told(
    call: Call[TrialIn, NoQuery], operation: Operation, session: Session, payment: Payment
) -> Answer:
    """Say how a check stands that there is nothing more to ask about."""
    if payment.status in _PROVED:
        body = {"transactionId": payment.id, "wallet": _wallet(session, payment)}
        return Answer(200, body)
    if payment.status not in OPEN_PAYMENT:
        error = one_try.failed(payment)
        document = errors.document(error, path="/v1/", request_id=call.request_id)
        return Answer(error.http_status, document)
    if payment.sub_state == PaymentSub.REQUIRES_ACTION:
        return Answer(202, one_try.waits_for_payer(payment))
    return Answer(202, _unknown(operation, payment))


@endpoint(
    blueprint,
    "POST",
    "/v1/start-trial",
    access=Permission.TRIALS_START,
    body=TrialIn,
    answers={200: TrialStartedOut, 202: TrialStartingOut, 402: WrappedErrorOut},
    key="O",
    money=True,
    errors=(
        "PAYMENT_FAILED",
        "NOT_FOUND",
        "CONFLICT",
        "TRIAL_ALREADY_GRANTED",
        "LOST_RACE",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("transaction.created", "payment_method.validated", "trial.granted"),
    summary="Prove a kept card by a small hold that is let go, and grant the trial, once per person.",
    requirement="S94",
    surface_style="v1",
)
def start_trial(call: Call[TrialIn, NoQuery]) -> Answer:
    wanted = TrialWanted(call.body.payment_method_id)
    known: list[Operation] = []

    def begin(session: Session) -> Step:
        begun = trials.begin(session, wanted, actor=call.actor, source=call.source)
        known.append(begun.operation)
        return Step(begun.payment, begun.operation, begun.fence)

    def done(session: Session, payment: Payment) -> Answer:
        return _told(call, known[-1], session, payment)

    return steps.run(call, begin, Told(done=done, refused=one_try.declined, unknown=_unknown))
