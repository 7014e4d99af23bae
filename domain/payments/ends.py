"""How an attempt's end is called here: by what we asked for, whichever word its provider has for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import OPEN_PAYMENT
from core.states import Operation as State
from models.operations import Operation
from models.payments import Payment
from providers.said import KeyedFact

EXPIRED, CANCELLED = "expired", "cancelled"
_CODE = {EXPIRED: "expired", CANCELLED: "canceled"}
# What each act of ours makes of an attempt, whatever the provider calls it.
_MEANT = {"cancel": CANCELLED, "expire": EXPIRED}


def as_asked(session: Session, payment: Payment, facts: Sequence[KeyedFact]) -> Sequence[KeyedFact]:
    """Call the ends among some facts by what was meant: the first act of ours that was not refused.

    A page that we cancel ends as expired at its provider, an attempt whose time we end as cancelled. The
    act was committed before the provider was asked, so every source of the end finds it, in any order.
    Transaction: caller's, reads only, with the payment locked.
    """
    ends = [each for each in facts if each.fact.kind in _CODE]
    if not ends or payment.status not in OPEN_PAYMENT:
        return facts
    meant = _meant(session, payment)
    return [_called(each, meant) if each in ends and meant else each for each in facts]


def _meant(session: Session, payment: Payment) -> str | None:
    statement = select(Operation.kind).where(
        Operation.payment_id == payment.id,
        Operation.kind.in_(_MEANT),
        Operation.state != State.FAILED.value,
    )
    kind = session.scalars(statement.order_by(Operation.created_at, Operation.id)).first()
    if kind is not None:
        return _MEANT[kind]
    # What is behind a provider's own page is cancelled only together with the page.
    # Source: https://docs.stripe.com/api/payment_intents/cancel (of a Checkout Session)
    is_page = payment.method == "checkout" and not payment.capturable_minor
    return EXPIRED if is_page else None


def _called(keyed: KeyedFact, kind: str) -> KeyedFact:
    if keyed.fact.kind == kind:
        return keyed
    return replace(keyed, fact=replace(keyed.fact, kind=kind, code=_CODE[kind]))
