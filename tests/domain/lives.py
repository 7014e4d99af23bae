"""Lives of card payments as their provider tells them: up to six events each, with the truth at their end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, ids
from domain import pending
from domain.actors import system
from domain.effects.kinds import EffectKind
from domain.payments import settlement
from domain.transitions import Why
from models.cases import ExceptionCase
from models.effects import Effect
from models.invoices import Invoice
from models.ledger import Posting
from models.orders import Order
from models.payments import Payment
from models.refunds import Refund
from providers.said import Reading
from tests.domain.world import World

WHY = Why(system("worker"), "test")
AMOUNT = 2_500
DECLINED = {"code": "card_declined", "decline_code": "insufficient_funds", "type": "card_error"}


@dataclass
class Life:
    """One payment and what is told of it, in the order in which it happened."""

    world: World
    payment: Payment
    events: list[bytes]

    def read(self, body: bytes) -> Reading:
        """What an event says."""
        return self.world.rail.read_event(body)

    def truth(self) -> Reading:
        """What the provider says when it is asked at the end."""
        return self.world.rail._truth(str(self.payment.provider_reference))


@dataclass
class Writer:
    """Writes events second by second, each with the snapshot of its moment."""

    world: World
    payment: Payment
    at: int

    def intent(self, kind: str, **changes: object) -> bytes:
        self.at += 1
        return self.world.event(f"payment_intent.{kind}", self.payment, at=self.at, **changes)

    def failed(self, charge: str) -> bytes:
        error = DECLINED | {"charge": charge}
        return self.intent(
            "payment_failed", status="requires_payment_method", last_payment_error=error
        )

    def paid(self) -> bytes:
        return self.intent(
            "succeeded", status="succeeded", amount_received=AMOUNT, amount_capturable=0
        )

    def charge(self, kind: str, name: str, **changes: object) -> bytes:
        """Write an event of a charge; the payment's own record does not change with it."""
        self.at += 1
        reference = str(self.payment.provider_reference)
        record = {
            "id": f"{name}_{reference}",
            "object": "charge",
            "payment_intent": reference,
            "amount": AMOUNT,
            "amount_captured": AMOUNT,
            "amount_refunded": 0,
            "captured": True,
            "currency": "eur",
            "status": "succeeded",
            "paid": True,
            "refunded": False,
            "metadata": {"payment_id": self.payment.id},
            "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
        } | changes
        return self._event(f"charge.{kind}", record)

    def refund(self, kind: str, name: str, status: str) -> bytes:
        self.at += 1
        return self.world.refund_event(f"refund.{kind}", name, at=self.at, status=status)

    def _event(self, kind: str, record: Mapping[str, object]) -> bytes:
        event = {
            "id": ids.new("evt"),
            "object": "event",
            "type": kind,
            "created": self.at,
            "livemode": False,
            "api_version": json.loads(self.intent_body())["api_version"],
            "pending_webhooks": 1,
            "data": {"object": dict(record)},
        }
        return json.dumps(event).encode()

    def intent_body(self) -> bytes:
        return self.world.event("payment_intent.created", self.payment, at=self.at)

    def give_back(self, minor: int) -> str:
        return self.world.rail.give_back(str(self.payment.provider_reference), minor)


def _three_d_secure(write: Writer) -> list[bytes]:
    action = write.intent("requires_action", status="requires_action")
    return [
        action,
        write.charge("succeeded", "ch_1"),
        write.paid(),
        write.charge("updated", "ch_1"),
    ]


def _declined_twice(write: Writer) -> list[bytes]:
    return [
        write.failed("ch_1"),
        write.intent("requires_action", status="requires_action"),
        write.failed("ch_2"),
        write.intent("requires_action", status="requires_action"),
        write.charge("succeeded", "ch_3"),
        write.paid(),
    ]


def _held_then_captured(write: Writer) -> list[bytes]:
    hold = {"status": "requires_capture", "amount_capturable": AMOUNT}
    return [
        write.intent("requires_action", status="requires_action"),
        write.charge("succeeded", "ch_1", captured=False, amount_captured=0),
        write.intent("amount_capturable_updated", **hold),
        write.charge("captured", "ch_1"),
        write.paid(),
    ]


def _held_then_let_go(write: Writer) -> list[bytes]:
    hold = {"status": "requires_capture", "amount_capturable": AMOUNT}
    ended = {"amount_capturable": 0, "cancellation_reason": "requested_by_customer"}
    return [
        write.intent("requires_action", status="requires_action"),
        write.charge("succeeded", "ch_1", captured=False, amount_captured=0),
        write.intent("amount_capturable_updated", **hold),
        write.intent("canceled", status="canceled", **ended),
    ]


def _debited(write: Writer) -> list[bytes]:
    return [
        write.intent("processing", status="processing"),
        write.failed("ch_1"),
        write.intent("processing", status="processing"),
        write.charge("pending", "ch_2", status="pending", paid=False),
        write.charge("succeeded", "ch_2"),
        write.paid(),
    ]


def _refunded_in_parts(write: Writer) -> list[bytes]:
    paid = write.paid()
    first = write.give_back(1_000)
    began = write.refund("created", first, "pending")
    ended = write.refund("updated", first, "succeeded")
    second = write.give_back(1_500)
    return [
        paid,
        began,
        ended,
        write.refund("created", second, "pending"),
        write.refund("updated", second, "succeeded"),
    ]


def _refund_failed_after_all(write: Writer) -> list[bytes]:
    charged = write.charge("succeeded", "ch_1")
    paid = write.paid()
    name = write.give_back(AMOUNT)
    return [
        charged,
        paid,
        write.refund("created", name, "pending"),
        write.refund("updated", name, "succeeded"),
        write.refund("failed", name, "failed"),
    ]


LIVES: Mapping[str, Callable[[Writer], list[bytes]]] = {
    "3D Secure, paid": _three_d_secure,
    "declined twice, paid": _declined_twice,
    "held, captured": _held_then_captured,
    "held, let go": _held_then_let_go,
    "debited at the second try": _debited,
    "refunded in two parts": _refunded_in_parts,
    "refund failed after all": _refund_failed_after_all,
}


def live(world: World, name: str) -> Life:
    """Begin a payment and write all that will be told of it. The rail then knows how it ends."""
    payment = world.payment()
    return Life(world, payment, LIVES[name](Writer(world, payment, clock.unix() - 600)))


def apply(session: Session, life: Life, events: Sequence[bytes], *, asks_at_end: bool) -> None:
    """Apply events in this order as the worker would, asking for the truth where it must."""
    for body in events:
        said = life.read(body)
        if said.ignored is None:
            _apply(session, life, said)
    if asks_at_end:
        _apply(session, life, life.truth())


def _apply(session: Session, life: Life, said: Reading) -> None:
    payment = session.get_one(Payment, life.payment.id)
    if said.fetch is not None or (said.refunds and payment.received_minor == 0):
        said = life.truth()
    settlement.apply(session, payment, said, why=WHY)
    pending.write_rows(session)


# Letters and credit notes tell what was true when it was told; who was told of nothing is owed no second one.
# What the worker then finds to be over, it leaves undone.
LETTERS = (
    EffectKind.REFUND_LETTER,
    EffectKind.REFUND_FAILED_LETTER,
    EffectKind.CREDIT_NOTE,
    EffectKind.CREDIT_NOTE_VOID,
    EffectKind.FINAL_INVOICE,
)


def stands(session: Session, life: Life) -> dict[str, object]:
    """Give everything that must be the same whatever the order: states, amounts, books, effects, cases."""
    session.expire_all()

    payment = session.get_one(Payment, life.payment.id)
    order = session.get_one(Order, payment.order_id)
    books = select(Posting.address, func.sum(Posting.amount_minor)).group_by(Posting.address)
    return {
        "payment": (payment.status, payment.sub_state, payment.escrow_state),
        "amounts": (
            payment.received_minor,
            payment.capturable_minor,
            payment.refunded_minor,
            payment.refunding_minor,
        ),
        "order": (order.status, order.paid_minor),
        "books": {address: int(minor) for address, minor in session.execute(books) if minor},
        "effects": sorted(
            map(
                tuple,
                session.execute(
                    select(Effect.kind, Effect.amount_minor).where(Effect.kind.not_in(LETTERS))
                ),
            )
        ),
        "invoices": sorted(
            map(
                tuple,
                session.execute(
                    select(
                        Invoice.purpose,
                        Invoice.status,
                        Invoice.paid_minor,
                        Invoice.confirmed_minor,
                        Invoice.refunded_minor,
                    )
                ),
            )
        ),
        "refunds": sorted(map(tuple, session.execute(select(Refund.amount_minor, Refund.state)))),
        "cases": sorted(session.scalars(select(ExceptionCase.kind))),
    }
