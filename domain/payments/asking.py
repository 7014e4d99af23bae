"""Asking the provider now: fetch its present truth, then apply it like any other source."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from core.purposes import ONE_SHOT
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.control import settling
from domain.payments import calls, operations, settlement
from domain.payments.payments import get_payment
from domain.transitions import Why
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.new_payment import Created
from providers.said import Reading

_NO_RECORD = "The provider has no record of this payment yet; there is nothing to ask about."


@dataclass(frozen=True)
class Asked:
    """What the provider said and what it changed here."""

    payment: Payment
    changed: bool
    verdict: str
    facts: list[dict[str, Json]]


def ask(payment_id: str, *, actor: Actor, source: str, reason: str | None = None) -> Asked:
    """Ask the provider about a payment and apply what it says.

    Calls: the provider, with no transaction open. Writes, Emits: as settlement.
    Raises: NotFound, Conflict when there is nothing to ask about, ProviderUnavailable.
    Transaction: opens its own.
    """
    with database.reading() as session:
        payment = get_payment(session, payment_id, actor=actor)
        unfinished = _unfinished(session, payment)
    if unfinished is not None:
        _finish(unfinished, payment, actor)
        with database.reading() as session:
            payment = get_payment(session, payment_id, actor=actor)
    if payment.provider_reference is None:
        raise Conflict(_NO_RECORD)
    rail = registry.configured(payment.provider, livemode=payment.livemode)
    reading = rail.fetch(payment.provider_reference)
    return apply_answer(payment_id, reading, why=Why(actor, source, reason))


def apply_answer(payment_id: str, reading: Reading, *, why: Why) -> Asked:
    """Apply a fetched reading under the payment's lock.

    Transaction: opens its own.
    """
    with database.transaction() as session:
        settling.assert_may_settle(session, actor=why.actor)
        statement = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
        payment = session.scalars(statement.execution_options(populate_existing=True)).one()
        applied = settlement.apply(session, payment, reading, why=why)
    return Asked(payment, applied.changed, applied.verdict, _told(reading, why.source))


def _told(reading: Reading, source: str) -> list[dict[str, Json]]:
    return [
        {
            "kind": keyed.fact.kind,
            "value": keyed.fact.amount_minor,
            "source": source,
            "at": clock.rfc3339(keyed.fact.said_at),
        }
        for keyed in reading.facts
    ]


def _unfinished(session: Session, payment: Payment) -> Operation | None:
    statement = select(Operation).where(
        Operation.payment_id == payment.id,
        Operation.state.in_(operations.UNFINISHED),
        Operation.kind != calls.REFUND,
    )
    return session.scalars(statement.order_by(Operation.created_at.desc())).first()


def _finish(operation: Operation, payment: Payment, actor: Actor) -> None:
    """Finish the operation that an answer was lost of, under its own key.

    A charge of a kept card is looked up only: nobody but whoever asked for it starts it.
    Raises: Conflict when there is nothing at the provider
    """
    found: Created | None = None
    if payment.purpose in ONE_SHOT and operation.kind in calls.CREATES:
        rail = registry.configured(payment.provider, livemode=payment.livemode)
        found = rail.find(payment.id, since=operation.created_at, method=payment.method)
        if found is None:
            raise Conflict(_NO_RECORD)
    with database.transaction() as session:
        fence = operations.take(session, operation)
    if found is not None:
        outcome = operations.Outcome(operation.id, payment.id, fence, found, actor)
    else:
        outcome = operations.run(operation, payment, fence, actor=actor)
    with database.transaction() as session:
        operations.settle(session, outcome)
