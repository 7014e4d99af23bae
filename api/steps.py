"""Calls that ask a provider: written down, asked without a transaction, settled and answered in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import request

from api import shapes
from api.contract import Answer, Call, Session, finish, start
from core.errors import (
    AppError,
    IllegalTransition,
    PaymentDeclined,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
)
from domain import claims, crash
from domain.database import transaction
from domain.payments import operations
from domain.payments.operations import Outcome
from models.operations import Operation
from models.payments import Payment
from web import errors


@contextmanager
def letting_go(call: Call[Any, Any]) -> Iterator[None]:
    """Let the call's key go when the work after its claim fails; a refusal that is an answer is then
    stored by `endpoint` under the key taken anew.

    Transaction: opens its own.
    """
    try:
        yield
    except BaseException:
        if call.claim is not None:
            call.claim.was_rolled_back()
            with transaction() as session:
                claims.let_go(session, call.claim)
        raise


@dataclass(frozen=True)
class Step:
    """What to ask the provider; fence None: there is nothing to ask any more."""

    payment: Payment
    operation: Operation | None
    fence: int | None


@dataclass(frozen=True)
class Told:
    """How the end is told. done: in the transaction that makes it true; refused: the provider's no;
    unknown: that nobody knows.
    """

    done: Callable[[Session, Payment], Answer]
    refused: Callable[[AppError, Payment], AppError]
    unknown: Callable[[Operation, Payment], dict[str, Any]] = shapes.unknown


def declined(error: AppError, _: Payment) -> AppError:
    """Tell a refused creation as a payment that failed; the provider's reference stays with it."""
    if isinstance(error, PaymentDeclined):
        return error
    code = error.provider.code if error.provider else None
    details = {"stripeCode": code, "adviceCode": None, "retryable": False}
    return PaymentDeclined(error.message, details=details, provider=error.provider)


def not_ended(error: AppError, payment: Payment) -> AppError:
    """Tell a refused cancel as the move that the provider's own state does not have."""
    refusal = IllegalTransition("payment", payment.status, "cancelled")
    refusal.message, refusal.provider = error.message, error.provider
    return refusal


def run(call: Call[Any, Any], begin: Callable[[Session], Step], told: Told) -> Answer:
    """Ask a provider once for a call's key.

    1. claim the key and write the operation down; 2. ask, with no transaction open; 3. settle the
    outcome and store the answer together. An outcome that is not known answers 202; a provider that
    did nothing answers 503 and lets the key go.
    Raises: what `begin` raises, ProviderUnavailable, LostRace. Transaction: opens its own.
    """
    with start(call) as session:
        step = begin(session)
        if step.operation is None or step.fence is None:
            return finish(session, call, told.done(session, step.payment))
    with letting_go(call):
        outcome = operations.run(step.operation, step.payment, step.fence, actor=call.actor)
        answer = _settle(call, outcome, told)
    crash.point("operation.after_settle")
    if isinstance(outcome.answer, ProviderUnavailable):
        raise outcome.answer
    return answer


def _settle(call: Call[Any, Any], outcome: Outcome, told: Told) -> Answer:
    with transaction() as session:
        operation, payment = operations.settle(session, outcome)
        said = outcome.answer
        if isinstance(said, ProviderUnavailable):
            if call.claim is not None:
                claims.let_go(session, call.claim)
            return Answer(said.http_status)
        if isinstance(said, ProviderUnknown):
            answer = Answer(202, told.unknown(operation, payment))
        elif isinstance(said, PaymentDeclined | ProviderRefused):
            answer = _refusal(call, told.refused(said, payment))
        else:
            answer = told.done(session, payment)
        return finish(session, call, answer)


def _refusal(call: Call[Any, Any], error: AppError) -> Answer:
    """Write a refusal as the answer that is stored with what it settled."""
    body = errors.document(error, path=request.path, request_id=call.request_id)
    return Answer(error.http_status, body)
