"""Payments: listed, exported, read with timeline and support's words, noted on, asked about, cancelled."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api import payment_exports, shapes, steps, timelines
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    RangeQuery,
    Session,
    Several,
    Text,
    csv_answer,
    endpoint,
    finish,
    json_stream,
    place_of,
    run_once,
    start,
)
from api.contract.paging import cursor
from api.contract.records import ErrorOut
from api.intents import Ref
from api.shapes import PaymentOut, UnknownOut
from api.steps import Step, Told
from core import clock
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from core.states import Escrow, Lifecycle
from core.states import Payment as Status
from domain.actors import Actor
from domain.database import reading, transaction
from domain.delays import eta
from domain.payments import (
    asking,
    operations,
    payment_queries,
    payments,
    support,
    sync_limit,
    timeline,
)
from domain.payments.payments import Page, PaymentFilter
from models.payments import Payment
from providers import registry
from web import identity

blueprint = Blueprint("payments", __name__)
_STATUS = {word.value: word.value for word in Status}
_LIFECYCLE = {word.value.lower(): word.value for word in Lifecycle}
_ESCROW = {
    "unfunded": (Escrow.UNFUNDED.value,),
    "funded": (Escrow.FUNDED.value, Escrow.PARTIALLY_RELEASED.value),
    "released": (Escrow.RELEASED.value, Escrow.SPLIT.value),
    "refunded": (Escrow.REFUNDED.value,),
}


class PaymentQuery(RangeQuery):
    """Which payments. `q` searches ids, references, e-mail (staff) and amount; format: export all."""

    status: Several = ()
    lifecycle: Several = ()
    rail: Several = ()
    provider: Several = ()
    order_id: Several = ()
    exception: Several = ()
    escrow_state: Several = ()
    subscription_ref: Several = ()
    demo: bool | None = None
    q: str | None = Field(default=None, max_length=255)
    format: Literal["csv", "json"] | None = None


class NoteIn(In):
    """What to write down."""

    note: Text


class PaymentCancelIn(In):
    """Why it shall end."""

    reason: Text
    reference: Ref | None = None


class NoteOut(Out):
    """What a person wrote on a payment."""

    note_id: str
    note: str
    actor: str
    at: str


class SyncFactOut(Out):
    """One thing that the provider says."""

    kind: str
    value: MoneyOut | None
    source: str
    at: str


class SyncOut(Out):
    """What the provider said when it was asked, and whether that changed anything here."""

    payment_id: str
    status: shapes.PaymentWord
    changed: bool
    facts: list[SyncFactOut]


class SupportOut(Out):
    """What support copies into a ticket; no personal data."""

    payment_id: str
    order_id: str | None
    provider_references: list[str]
    stripe_code: str | None
    last_events: list[str]
    what_happened: str
    tell_customer: str
    next_step: str


def _known(words: tuple[str, ...], table: dict[str, str], field: str) -> tuple[str, ...]:
    for word in words:
        if word.lower() not in table:
            known = ", ".join(table.values())
            raise invalid(field, f"{word[:40]!r} is not among {known}.", code="unknown_value")
    return tuple(table[word.lower()] for word in words)


def _filter(asked: PaymentQuery) -> PaymentFilter:
    escrow = _known(asked.escrow_state, {word: word for word in _ESCROW}, "escrowState")
    statuses = _STATUS | {"canceled": Status.CANCELLED.value}
    return PaymentFilter(
        status=_known(asked.status, statuses, "status"),
        lifecycle=_known(asked.lifecycle, _LIFECYCLE, "lifecycle"),
        rail=asked.rail,
        provider=asked.provider,
        order_id=asked.order_id,
        exception=tuple(word.upper() for word in asked.exception),
        escrow_state=tuple(stored for word in escrow for stored in _ESCROW[word]),
        subscription_ref=asked.subscription_ref,
        demo=asked.demo,
        q=asked.q,
        created_from=asked.since,
        created_to=asked.until,
    )


@endpoint(
    blueprint,
    "GET",
    "/api/payments",
    access=Permission.PAYMENTS_READ,
    query=PaymentQuery,
    answers={200: Listed[PaymentOut]},
    summary="List one's own payments, newest first, or export them; staff see all.",
    requirement="S2",
)
def index(call: Call[NoBody, PaymentQuery]) -> Answer | Response:
    wanted, place = _filter(call.query), place_of(call.query)
    if call.query.format == "csv":
        rows = payment_exports.cells(wanted, actor=call.actor)
        return csv_answer("payments", payment_exports.COLUMNS, rows)
    public_url = identity.settings().public_url
    if call.query.format == "json":
        around = (b'{"items":[', b'],"nextCursor":null}')
        documents = payment_exports.documents(wanted, actor=call.actor, public_url=public_url)
        return json_stream(documents, around=around)
    page = Page(place.limit, place.before)
    with reading() as session:
        found, more = payment_queries.list_payments(session, wanted, actor=call.actor, page=page)
        cases = payments.open_cases_of(session, [row.id for row in found])
    items = [shapes.payment(row, exceptions=cases[row.id], public_url=public_url) for row in found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


def _shown(session: Session, payment: Payment) -> dict[str, Any]:
    cases = payments.open_cases_of(session, [payment.id])
    expected = eta.of_payment(session, payment)
    return shapes.payment(payment, exceptions=cases[payment.id], expected=expected)


def _is_payer(actor: Actor, payment: Payment) -> bool:
    """Tell whether the caller may complete the payment: its buyer, or its merchant's server."""
    if actor.kind == "key":
        return actor.merchant_id == payment.merchant_id
    return actor.kind == "user" and actor.id == payment.buyer_id


@endpoint(
    blueprint,
    "GET",
    "/api/payments/{paymentId}",
    access=Permission.PAYMENTS_READ,
    answers={200: PaymentOut},
    summary="Read a payment; its payer gets what completes it while it is pending.",
    requirement="S15",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        body = _shown(session, payment)
    if payment.status == Status.PENDING and _is_payer(call.actor, payment):
        body["clientSecret"] = operations.client_secret(payment)
        body["publishableKey"] = registry.get(payment.provider).publishable_key
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/payments/{paymentId}/timeline",
    access=Permission.PAYMENTS_READ,
    answers={200: timelines.PaymentTimelineOut},
    summary="Read what happened to a payment: provider, us, books on one axis.",
    requirement="S7",
)
def history(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        items = timeline.payment_timeline(session, payment, actor=call.actor)
        lags = timeline.lags(session, payment)
    body = timelines.items(items, actor=call.actor)
    body |= {"lag": timelines.lag(lags), "mappingVersion": payment.mapping_version}
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/payments/{paymentId}/support-block",
    access=Permission.PAYMENTS_SUPPORT,
    answers={200: SupportOut},
    summary="Read what to tell the customer and what to do next, with the references for a ticket.",
    requirement="S32",
)
def support_block(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        block = support.support_block(session, payment)
    body = {
        "paymentId": block.payment_id,
        "orderId": block.order_id,
        "providerReferences": block.provider_references,
        "stripeCode": block.stripe_code,
        "lastEvents": block.last_events,
        "whatHappened": block.advice.what_happened,
        "tellCustomer": block.advice.tell_customer,
        "nextStep": block.advice.next_step,
    }
    return Answer(200, body)


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/notes",
    access=Permission.PAYMENTS_NOTE,
    body=NoteIn,
    answers={201: NoteOut},
    key="O",
    events=("payment.noted",),
    summary="Write a note on a payment; the same text by the same person is kept once.",
    requirement="S7",
)
def add_note(call: Call[NoteIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        note_id = payments.add_note(
            session, payment, call.body.note, actor=call.actor, source=call.source
        )
        note = payment_queries.get_note(session, note_id)
        body = {"noteId": note.id, "note": note.note, "actor": note.actor}
        return Answer(201, body | {"at": clock.rfc3339(note.at)})

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/sync",
    access=Permission.PAYMENTS_SYNC,
    answers={200: SyncOut},
    key="O",
    errors=("RATE_LIMITED", "CONFLICT", "PROVIDER_UNAVAILABLE", "RAIL_NOT_CONFIGURED"),
    events=("payment.succeeded", "payment.failed", "payment.processing"),
    summary="Ask the provider now, once a minute, and apply what it says.",
    requirement="S33",
)
def sync(call: Call[NoBody, NoQuery]) -> Answer:
    payment_id = call.path["paymentId"]
    with start(call) as session:
        sync_limit.claim(session, payment_id, actor=call.actor, source=call.source)
    with steps.letting_go(call):
        asked = asking.ask(payment_id, actor=call.actor, source=call.source)
    of = asset(asked.payment.asset)
    facts = [
        fact
        | {"value": shapes.amount(fact["value"], of) if isinstance(fact["value"], int) else None}
        for fact in asked.facts
    ]
    body = {"paymentId": payment_id, "status": asked.payment.status, "changed": asked.changed}
    with transaction() as session:
        return finish(session, call, Answer(200, body | {"facts": facts}))


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/cancel",
    access=Permission.PAYMENTS_CANCEL,
    body=PaymentCancelIn,
    answers={200: PaymentOut, 202: UnknownOut, 409: ErrorOut},
    key="R",
    money=True,
    errors=("INVALID_TRANSITION", "LOST_RACE", "PROVIDER_UNAVAILABLE"),
    events=("payment.cancelled",),
    summary="End an open payment at the provider: void a hold, cancel an intent, expire a session.",
    requirement="S14",
)
def cancel(call: Call[PaymentCancelIn, NoQuery]) -> Answer:
    def begin(session: Session) -> Step:
        payment, operation, fence = payments.begin_cancel(
            session, call.path["paymentId"], actor=call.actor, reason=call.body.reason
        )
        return Step(payment, operation, fence)

    def done(session: Session, payment: Payment) -> Answer:
        return Answer(200, _shown(session, payment))

    return steps.run(call, begin, Told(done=done, refused=steps.not_ended))
