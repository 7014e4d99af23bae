"""Kept cards: listed, set up, made the default, removed. A card's number never comes here."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint
from pydantic import Field

from api import one_try, steps
from api.contract import Answer, Call, In, NoBody, NoQuery, Out, Query, Session, endpoint, run_once
from api.contract.records import WrappedErrorOut
from api.steps import Step, Told
from api.transactions_confirm import Card, Person
from core import clock
from core.errors import AppError
from core.permissions import Permission
from core.states import Card as State
from domain.database import reading, transaction
from domain.jobs import cards as job
from domain.payments import kept_cards, operations, setups, vault
from domain.transitions import Why
from models.cards import PaymentMethod
from models.operations import Operation
from models.payments import Payment
from providers import registry

blueprint = Blueprint("payment_methods", __name__)
LIST = "/v1/stripe/payment-methods"


class CardsQuery(Query):
    """Whose cards; for merchants and staff, who have none of their own."""

    user_id: str | None = Field(default=None, min_length=1, max_length=40)


class CardOut(Out):
    """A kept card. validated: it was proved by a hold or a setup."""

    payment_method_id: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool
    validated: bool
    validated_at: str | None


class CardsOut(Out):
    """The default card first, then the newest."""

    payment_methods: list[CardOut]


class SetupIn(In):
    """userId: by a merchant, for whom."""

    user_id: Person | None = None


class SetupOut(Out):
    """What a browser needs to put a card in, with Stripe's own form."""

    transaction_id: str
    client_secret: str
    setup_intent_id: str
    publishable_key: str


class SetupUnknownOut(Out):
    """Whether there is a setup is not known yet; the same call again takes it up."""

    transaction_id: str
    operation_id: str
    status: Literal["unknown"]


class DefaultIn(In):
    """Which card is the default from now on. userId: by a merchant, for whom."""

    payment_method_id: Card
    user_id: Person | None = None


class DefaultOut(Out):
    """The card that is paid with unless somebody says otherwise."""

    success: Literal[True]
    payment_method_id: str


class RemovedOut(Out):
    """The card is used no more."""

    success: Literal[True]


def _card(row: PaymentMethod) -> dict[str, Any]:
    return {
        "paymentMethodId": row.id,
        "brand": row.brand,
        "last4": row.last4,
        "expMonth": row.exp_month,
        "expYear": row.exp_year,
        "isDefault": row.is_default,
        "validated": row.validated_at is not None,
        "validatedAt": clock.rfc3339(row.validated_at) if row.validated_at else None,
    }


@endpoint(
    blueprint,
    "GET",
    LIST,
    access=Permission.CARDS_READ,
    query=CardsQuery,
    answers={200: CardsOut},
    errors=("NOT_FOUND",),
    summary="List the cards that a person keeps.",
    requirement="S104",
    surface_style="v1",
)
def list_cards(call: Call[NoBody, CardsQuery]) -> Answer:
    with reading() as session:
        user_id = kept_cards.payer_of(session, call.query.user_id, actor=call.actor)
        found = kept_cards.list_cards(session, user_id, actor=call.actor)
        return Answer(200, {"paymentMethods": [_card(row) for row in found]})


def _setup(payment: Payment) -> dict[str, Any]:
    return {
        "transactionId": payment.id,
        "clientSecret": operations.client_secret(payment),
        "setupIntentId": payment.provider_reference,
        "publishableKey": registry.get(payment.provider).publishable_key,
    }


def _unknown(operation: Operation, payment: Payment) -> dict[str, Any]:
    return {"transactionId": payment.id, "operationId": operation.id, "status": "unknown"}


@endpoint(
    blueprint,
    "POST",
    f"{LIST}/setup",
    access=Permission.CARDS_MANAGE,
    body=SetupIn,
    answers={200: SetupOut, 202: SetupUnknownOut, 402: WrappedErrorOut},
    key="O",
    errors=(
        "PAYMENT_FAILED",
        "NOT_FOUND",
        "LOST_RACE",
        "RAIL_NOT_CONFIGURED",
        "PROVIDER_UNAVAILABLE",
    ),
    events=("transaction.created", "payment_method.validated"),
    summary="Begin to keep a card; an open setup of the same person is given again.",
    requirement="S102",
    surface_style="v1",
)
def set_up(call: Call[SetupIn, NoQuery]) -> Answer:
    known: list[Operation] = []

    def begin(session: Session) -> Step:
        begun = setups.begin(session, call.body.user_id, actor=call.actor, source=call.source)
        known.append(begun.operation)
        return Step(begun.payment, begun.operation, begun.fence)

    def done(_: Session, payment: Payment) -> Answer:
        # Its event may have come before the answer, so that it is over already; its form still tells so.
        is_known = payment.client_secret_sealed is not None
        return (
            Answer(200, _setup(payment)) if is_known else Answer(202, _unknown(known[-1], payment))
        )

    return steps.run(call, begin, Told(done=done, refused=one_try.declined, unknown=_unknown))


@endpoint(
    blueprint,
    "POST",
    f"{LIST}/default",
    access=Permission.CARDS_MANAGE,
    body=DefaultIn,
    answers={200: DefaultOut},
    key="O",
    errors=("NOT_FOUND",),
    events=("payment_method.changed",),
    summary="Make a kept card the default one.",
    requirement="S104",
    surface_style="v1",
)
def make_default(call: Call[DefaultIn, NoQuery]) -> Answer:
    said = call.body

    def work(session: Session) -> Answer:
        user_id = kept_cards.payer_of(session, said.user_id, actor=call.actor)
        card = kept_cards.find_card(session, user_id, said.payment_method_id, actor=call.actor)
        vault.prefer(session, card, actor=call.actor, source=call.source)
        return Answer(200, {"success": True, "paymentMethodId": card.id})

    return run_once(call, work)


@endpoint(
    blueprint,
    "DELETE",
    f"{LIST}/{{paymentMethodId}}",
    access=Permission.CARDS_MANAGE,
    answers={200: RemovedOut},
    errors=("NOT_FOUND", "METHOD_IN_USE"),
    events=("payment_method.removed",),
    summary="Keep a card no longer: it is used no more from now on, and its provider is told to let it go.",
    requirement="S104",
    surface_style="v1",
)
def remove(call: Call[NoBody, NoQuery]) -> Answer:
    with transaction() as session:
        card = kept_cards.get_card(session, call.path["paymentMethodId"], actor=call.actor)
        vault.remove(session, card, why=Why(call.actor, call.source))
        session.refresh(card)
    try:
        if card.state == State.REMOVING:
            job.let_go(card)
    except AppError:
        # It is used no more already; the worker tells the provider until it has let go.
        return Answer(200, {"success": True})
    return Answer(200, {"success": True})
