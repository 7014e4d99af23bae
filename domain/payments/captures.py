"""What was asked to be taken of a hold, and until when a hold lasts; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from core.money import Money, asset
from core.states import Operation as State
from core.states import Payment as Status
from core.states import PaymentSub
from domain.actors import Actor
from domain.orders.orders import visible
from models.operations import Operation
from models.payments import Payment
from providers.said import KeyedFact, SaidRefund

KIND = "capture"
# They end a hold one way or the other; while one has no outcome no other is asked for.
ENDS = frozenset({KIND, "cancel", "expire"})
UNFINISHED = (State.PREPARED.value, State.UNKNOWN.value)
# Source: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method (seven days by default)
PRESUMED = timedelta(days=7)
SOON = timedelta(hours=24)


@dataclass(frozen=True)
class Capture:
    """One capture that was asked for: how much of the hold, by whom, and how far it is."""

    amount: Money
    let_go: Money
    actor: str
    reason: str | None
    state: str

    @property
    def sentence(self) -> str:
        """What it means for the hold, in a sentence's middle."""
        code = self.amount.asset.code
        if not self.let_go.minor:
            return f"captured {self.amount.major()} {code}"
        held = self.amount + self.let_go
        return (
            f"captured {self.amount.major()} of {held.major()} {code},"
            f" {self.let_go.major()} {code} let go"
        )

    @property
    def is_under_way(self) -> bool:
        """Whether nobody knows yet what came of it."""
        return self.state in (State.PREPARED, State.SENT, State.UNKNOWN)


def list_captures(session: Session, payment_id: str) -> list[Capture]:
    """List the captures that were asked for of a payment, oldest first. Transaction: caller's, reads only."""
    statement = select(Operation).where(Operation.payment_id == payment_id, Operation.kind == KIND)
    rows = session.scalars(statement.order_by(Operation.created_at, Operation.id))
    return [as_asked(row) for row in rows]


def as_asked(row: Operation) -> Capture:
    """Read what a capture's operation asks for."""
    said = row.request
    of, minor = asset(str(said["asset"])), int(str(said["amountMinor"]))
    reason = said.get("reason")
    return Capture(
        amount=Money(minor, of),
        let_go=Money(int(str(said["heldMinor"])) - minor, of),
        actor=row.actor,
        reason=reason if isinstance(reason, str) else None,
        state=row.state,
    )


def deliberate(captures: Sequence[Capture], payment: Payment) -> Capture | None:
    """Find who asked for less of a hold than it had been asked for: exactly what then arrived.

    Whether that very call was answered does not matter: the provider took what it named.
    """
    received = payment.received_minor
    if not 0 < received < payment.amount_minor:
        return None
    found = [each for each in captures if each.amount.minor == received]
    return found[-1] if found else None


def let_go(session: Session, payment: Payment) -> Capture | None:
    """Find the capture by which a part of a payment was taken on purpose and the rest let go.

    Transaction: caller's, reads only.
    """
    if not 0 < payment.received_minor < payment.amount_minor:
        return None
    return deliberate(list_captures(session, payment.id), payment)


def is_let_go(payment: Payment, said: SaidRefund) -> bool:
    """Tell whether a refund is only the rest of a hold of which a part was captured: it never arrived.

    Source: https://docs.stripe.com/api/charges/object (`amount_refunded` after a partial capture)
    """
    rest = payment.amount_minor - payment.received_minor
    return not said.moved and said.refund_id is None and said.amount.minor == rest


def presumed_end(new_facts: Iterable[KeyedFact]) -> datetime | None:
    """Say until when an amount is held where its provider has not told: as long as it does by default."""
    held = [keyed.fact.said_at for keyed in new_facts if keyed.fact.kind == "authorized"]
    return max(held) + PRESUMED if held else None


def ending(actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions of the holds that are lost unless somebody captures them within a day."""
    return [
        *visible(actor, Payment),
        Payment.sub_state == PaymentSub.REQUIRES_CAPTURE.value,
        Payment.status == Status.PROCESSING.value,
        Payment.hold_ends_at <= clock.now() + SOON,
    ]


def list_ending(session: Session, *, actor: Actor, limit: int) -> list[Payment]:
    """List the holds that end within a day, the next to end first. Transaction: caller's, reads only."""
    statement = select(Payment).where(*ending(actor))
    return list(session.scalars(statement.order_by(Payment.hold_ends_at, Payment.id).limit(limit)))


def ends_soon(payment: Payment) -> bool:
    """Tell whether what is held on the card is lost unless somebody captures it within a day."""
    is_held = payment.sub_state == PaymentSub.REQUIRES_CAPTURE and payment.capturable_minor
    until = payment.hold_ends_at
    return bool(is_held) and until is not None and until - clock.now() <= SOON


def under_way(session: Session, payment: Payment) -> Operation | None:
    """Find the capture or cancel of a payment whose outcome is not known. Transaction: caller's, reads only."""
    statement = select(Operation).where(
        Operation.payment_id == payment.id,
        Operation.kind.in_(ENDS),
        Operation.state.in_(UNFINISHED),
    )
    return session.scalars(statement.order_by(Operation.created_at)).first()


def already_asked(known: Operation) -> Conflict:
    """Make the refusal of an act that another one without an outcome stands in the way of."""
    words = {KIND: "captured", "cancel": "cancelled", "expire": "ended"}
    return Conflict(
        f"It is being {words[known.kind]} at this moment, and the outcome is not known yet.",
        code="INVALID_TRANSITION",
        details={"operationId": known.id, "link": f"/api/operations/{known.id}"},
    )
