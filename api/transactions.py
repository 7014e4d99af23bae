"""Transactions of source 002: listed, exported, read, and waited for; the routes that they took the place of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from flask import Blueprint, Response
from pydantic import ConfigDict, Field

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    NoBody,
    NoQuery,
    Query,
    Several,
    csv_answer,
    endpoint,
)
from api.transaction_shapes import TransactionOut, TransactionsOut, wire
from core.csvsafe import Cell
from core.errors import Forbidden, Gone, invalid
from core.permissions import Permission
from core.states import Role
from core.transaction_words import ENDS, TransactionWord
from domain.actors import Actor
from domain.database import reading
from domain.payments import transaction_queries
from domain.payments.transaction_queries import TransactionFilter
from web import errors, waiting
from web.requests import request_id

blueprint = Blueprint("transactions", __name__)
LIST = "/v1/stripe/transactions"
VALIDATE = "/v1/stripe/payment-methods/validate"
SUPERSEDED_BY = f"{LIST}/{{id}}?awaitStatus=succeeded"
DEFAULT, MOST, FURTHEST = 50, 200, 10_000_000
_TYPES = {kind: kind for kind in transaction_queries.TYPES}
_WORDS = {word.value: word for word in TransactionWord} | {"cancelled": TransactionWord.CANCELED}
COLUMNS = (
    "transactionId userId merchantId type status effect effectStatus amount currency amountRefunded "
    "paymentMethodId cardBrand cardLast4 paymentIntentId invoiceId coupon stripeCode errorMessage "
    "receiptUrl livemode demo createdAt updatedAt"
).split()


class TransactionQuery(Query):
    """Which transactions; `userId`: another person's, for merchants and staff."""

    user_id: str | None = Field(default=None, min_length=1, max_length=64)
    type: Several = ()
    status: Several = ()
    since: Instant | None = Field(default=None, alias="from")
    until: Instant | None = Field(default=None, alias="to")


class TransactionPageQuery(TransactionQuery):
    """Which transactions, and which page of them."""

    limit: int = Field(default=DEFAULT, ge=1, le=MOST)
    offset: int = Field(default=0, ge=0, le=FURTHEST)


class TransactionExportQuery(TransactionQuery):
    """Which transactions to export."""

    format: Literal["csv"] = "csv"


class AwaitQuery(Query):
    """`awaitStatus`: hold the answer until this status, or until any at which nothing more will happen."""

    await_status: (
        Literal[
            "created",
            "pending",
            "requires_action",
            "succeeded",
            "failed",
            "canceled",
            "cancelled",
            "refunded",
        ]
        | None
    ) = None


class AnythingIn(In):
    """Whatever an old client sends."""

    model_config = ConfigDict(extra="allow")


def _filter(asked: TransactionQuery, actor: Actor) -> TransactionFilter:
    if actor.role in (Role.BUYER, Role.SELLER) and asked.user_id not in (None, actor.id):
        raise Forbidden("You may ask for your own transactions only.")
    for field, words, known in (("type", asked.type, _TYPES), ("status", asked.status, _WORDS)):
        if unknown := [word for word in words if word not in known]:
            sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
            raise invalid(field, sentence, code="unknown_value")
    return TransactionFilter(
        user_id=asked.user_id,
        types=asked.type,
        words=[_WORDS[word] for word in asked.status],
        created_from=asked.since,
        created_to=asked.until,
    )


@endpoint(
    blueprint,
    "GET",
    LIST,
    access=Permission.TRANSACTIONS_READ,
    query=TransactionPageQuery,
    answers={200: TransactionsOut},
    summary="List one's own transactions, newest first; a merchant its own, staff all.",
    requirement="S102",
    surface_style="v1",
)
def index(call: Call[NoBody, TransactionPageQuery]) -> Answer:
    asked = call.query
    wanted = _filter(asked, call.actor)
    with reading() as session:
        found, total = transaction_queries.list_transactions(
            session, wanted, actor=call.actor, limit=asked.limit, offset=asked.offset
        )
    body = {"transactions": [wire(seen) for seen in found], "total": total}
    return Answer(200, body | {"limit": asked.limit, "offset": asked.offset})


@endpoint(
    blueprint,
    "GET",
    f"{LIST}/export",
    access=Permission.TRANSACTIONS_READ,
    query=TransactionExportQuery,
    answers={200: None},
    summary="Export transactions as CSV, streamed; no cell can become a formula.",
    requirement="S102",
    surface_style="v1",
    media="text/csv",
)
def export(call: Call[NoBody, TransactionExportQuery]) -> Response:
    wanted = _filter(call.query, call.actor)
    return csv_answer("transactions", COLUMNS, _rows(wanted, call.actor))


def _rows(wanted: TransactionFilter, actor: Actor) -> Iterator[list[Cell]]:
    for seen in transaction_queries.walk(wanted, actor=actor):
        row, said = seen.payment, wire(seen)
        own: dict[str, Cell] = {
            "userId": row.buyer_id,
            "merchantId": row.merchant_id,
            "effect": seen.effect.kind,
            "effectStatus": seen.effect.status,
            "coupon": seen.coupon.coupon_id if seen.coupon else None,
            "livemode": row.livemode,
            "demo": row.demo,
        }
        yield [own[name] if name in own else said[name] for name in COLUMNS]


@endpoint(
    blueprint,
    "GET",
    f"{LIST}/{{transactionId}}",
    access=Permission.TRANSACTIONS_READ,
    query=AwaitQuery,
    answers={200: TransactionOut},
    errors=("WAITERS_LIMIT",),
    summary="Read a transaction; with `awaitStatus`, as soon as it is there or has ended, 60 s at most.",
    requirement="S103",
    surface_style="v1",
    deviation="S103 polls each 500 ms for one status; this is woken by the event log, by any end.",
)
def show(call: Call[NoBody, AwaitQuery]) -> Answer:
    with reading() as session:
        seen = transaction_queries.get_transaction(
            session, call.path["transactionId"], actor=call.actor
        )
    asked = call.query.await_status
    if asked is None:
        return Answer(200, wire(seen))
    ends = ENDS | {_WORDS[asked]}
    if seen.word in ends:
        return Answer(200, wire(seen))
    look_again = call.caller.look_again if call.caller else None
    wish = waiting.Wish(call.actor, seen.payment.id, ends, look_again=look_again)
    return _waited(waiting.wait(wish))


def _waited(found: waiting.Waited) -> Answer:
    if found.retry_after is None:
        return Answer(200, wire(found.seen))
    headers = {"Retry-After": str(found.retry_after)}
    return Answer(200, wire(found.seen) | {"timedOut": True}, headers=headers)


@endpoint(
    blueprint,
    "POST",
    VALIDATE,
    access=Permission.SELF_READ,
    body=AnythingIn,
    answers={410: None},
    errors=("SUPERSEDED",),
    summary="Gone: wait for the transaction that proves the card instead.",
    requirement="S109",
    surface_style="v1",
    deviation="S89 had the client tell us that 3DS was done; the webhook does (resolution C23).",
)
def validate(call: Call[AnythingIn, NoQuery]) -> Answer:
    del call
    gone = Gone(
        "A card is proved by its own transaction. Wait for that.",
        code="SUPERSEDED",
        details={"use": SUPERSEDED_BY},
    )
    said = errors.document(gone, path=VALIDATE, request_id=request_id())
    return Answer(410, said | {"code": gone.code, "use": SUPERSEDED_BY})
