"""All payments of a filter as one stream: rows for spreadsheets, or documents, page by page from the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api import shapes
from core import clock
from core.csvsafe import Cell
from core.money import Money, asset
from core.states import ESCROW_ON_API, Escrow
from domain.actors import Actor
from domain.database import reading
from domain.payments import payment_queries, payments
from domain.payments.payments import LONGEST_PAGE, Page, PaymentFilter
from models.payments import Payment

COLUMNS = (
    "paymentId orderId purpose status lifecycle escrowState exceptions amount currency amountReceived "
    "amountCapturable amountRefunded rail provider providerReference direction failureReason errorCode "
    "buyerId sellerId merchantId subscriptionRef reference livemode demo createdAt updatedAt"
).split()
Found = tuple[Payment, list[str]]


def _all(wanted: PaymentFilter, actor: Actor) -> Iterator[Found]:
    """Walk every page; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        page = Page(LONGEST_PAGE, before)
        with reading() as session:
            rows, before = payment_queries.list_payments(session, wanted, actor=actor, page=page)
            cases = payments.open_cases_of(session, [row.id for row in rows])
        yield from ((row, cases[row.id]) for row in rows)
        if before is None:
            return


def documents(wanted: PaymentFilter, *, actor: Actor, public_url: str) -> Iterator[dict[str, Any]]:
    """Give every payment of a filter as the API shows it."""
    for row, kinds in _all(wanted, actor):
        yield shapes.payment(row, exceptions=kinds, public_url=public_url)


def cells(wanted: PaymentFilter, *, actor: Actor) -> Iterator[list[Cell]]:
    """Give every payment of a filter as a row under `COLUMNS`; amounts are numbers in major units."""
    for row, kinds in _all(wanted, actor):
        yield _cells(row, kinds)


def _cells(row: Payment, kinds: list[str]) -> list[Cell]:
    of = asset(row.asset)
    minors = (row.received_minor, row.capturable_minor, row.refunded_minor)
    return [
        row.id,
        row.order_id,
        row.purpose,
        row.status,
        shapes.lifecycle(row).value,
        ESCROW_ON_API[Escrow(row.escrow_state)],
        " ".join(kinds),
        Money(row.amount_minor, of).as_decimal(),
        of.code,
        *(Money(minor, of).as_decimal() for minor in minors),
        row.rail,
        row.provider,
        row.provider_reference,
        row.direction,
        row.failure_reason,
        row.provider_code,
        row.buyer_id,
        row.seller_id,
        row.merchant_id,
        row.subscription_ref,
        row.reference,
        row.livemode,
        row.demo,
        clock.rfc3339(row.created_at),
        clock.rfc3339(row.updated_at),
    ]
