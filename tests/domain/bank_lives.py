"""Lives of bank payments as TrueLayer tells them, each with the truth at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core import clock
from domain import database
from domain.payments import intents, operations
from models.orders import Order
from models.payments import Payment
from providers.said import Reading
from providers.seam import Rail
from providers.truelayer import reading
from providers.values import Thing
from tests.domain.lives import Life
from tests.domain.world import World
from tests.providers.truelayer import bodies

Told = list[dict[str, object]]


@dataclass
class BankLife(Life):
    """One payment at a bank. subject, refunds: how TrueLayer has them at the end."""

    bank: Rail
    subject: Thing
    refunds: list[Thing] = field(default_factory=list)

    def read(self, body: bytes) -> Reading:
        return self.bank.read_event(body)

    def truth(self) -> Reading:
        now = clock.now()
        given_back = [reading.read_refund(one, said_at=now) for one in self.refunds]
        is_settled = self.subject["status"] == "settled"
        return reading.read_payment(
            self.subject, said_at=now, refunds=given_back if is_settled else ()
        )


def begin(world: World, order: Order, provider: str = "truelayer") -> Payment:
    """Begin to pay an order from the payer's own bank."""
    wanted = intents.PaymentWanted(order.id, method="link", provider=provider)
    with database.transaction() as session:
        begun = intents.begin(session, wanted, actor=world.bo, source="test")
    assert begun.fence is not None
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=world.bo)
    with database.transaction() as session:
        return operations.settle(session, outcome)[1]


@dataclass
class Teller:
    """Writes what is told of one payment, and how it is at the end."""

    payment: Payment

    def event(self, kind: str, **more: object) -> dict[str, object]:
        tags = {"payment_id": self.payment.id}
        return bodies.event(kind, str(self.payment.provider_reference), metadata=tags, **more)

    def at_the_end(self, status: str, **more: object) -> Thing:
        own: dict[str, object] = {
            "amount_in_minor": self.payment.amount_minor,
            "currency": self.payment.asset.partition("/")[0],
            "metadata": {"payment_id": self.payment.id},
        }
        return bodies.payment(status, str(self.payment.provider_reference), **(own | more))

    def given_back(self, name: str, minor: int, status: str) -> Thing:
        own = {"amount_in_minor": minor, "currency": self.payment.asset.partition("/")[0]}
        return bodies.refund(status, f"{name}-{self.payment.provider_reference}", **own)


def _settled(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    told = [tell.event(f"payment_{word}") for word in ("authorized", "executed", "settled")]
    return [*told, tell.event("payment_creditable")], tell.at_the_end("settled"), []


def _refused(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    told = [tell.event("payment_authorized"), tell.event("payment_failed")]
    return told, tell.at_the_end("failed"), []


def _accepted_then_failed(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    why = {"failure_stage": "executed", "failure_reason": "verification_declined"}
    told = [tell.event("payment_authorized"), tell.event("payment_executed")]
    return [*told, tell.event("payment_failed", **why)], tell.at_the_end("failed", **why), []


def _left(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    why = {"failure_stage": "authorization_required", "failure_reason": "expired"}
    return [tell.event("payment_failed", **why)], tell.at_the_end("failed", **why), []


def _refunded(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    told = [tell.event("payment_executed"), tell.event("payment_settled")]
    told += [tell.event("refund_executed", event_id=f"r{number}") for number in range(2)]
    back = [tell.given_back("r1", 1_000, "executed"), tell.given_back("r2", 1_500, "executed")]
    return told, tell.at_the_end("settled"), back


def _refund_sent_back(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    told = [tell.event("payment_settled"), tell.event("refund_executed")]
    told.append(tell.event("refund_failed", failure_reason="returned"))
    back = [tell.given_back("r1", 1_000, "failed") | {"failure_reason": "returned"}]
    return told, tell.at_the_end("settled"), back


def _stalled(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    words = ("executed", "settlement_stalled", "settled")
    return [tell.event(f"payment_{word}") for word in words], tell.at_the_end("settled"), []


def _claimed_and_lost(tell: Teller) -> tuple[Told, Thing, list[Thing]]:
    words = ("executed", "settled", "disputed", "reversed")
    return [tell.event(f"payment_{word}") for word in words], tell.at_the_end("settled"), []


PROVIDER = "truelayer"
Story = Callable[[Teller], tuple[Told, Thing, list[Thing]]]
# What its payment says when it is asked tells all that its events told.
WHOLE: Mapping[str, Story] = {
    "settled": _settled,
    "refused at the bank": _refused,
    "accepted, then failed": _accepted_then_failed,
    "left until it lapsed": _left,
    "settled, given back in two parts": _refunded,
    "settled, its refund sent back": _refund_sent_back,
}
# Its events tell more: no payment says by itself that it was slow, is claimed or was taken back.
LIVES: Mapping[str, Story] = WHOLE | {
    "settled late": _stalled,
    "claimed and taken back": _claimed_and_lost,
}

ENDS = {
    "settled": ("completed", 2_500, "deposit_paid", 2_500),
    "refused at the bank": ("failed", 0, None, 0),
    "accepted, then failed": ("failed", 0, None, 0),
    "left until it lapsed": ("failed", 0, None, 0),
    "settled, given back in two parts": ("refunded", 2_500, None, None),
    "settled, its refund sent back": ("completed", 2_500, "deposit_paid", 2_500),
    "settled late": ("completed", 2_500, "deposit_paid", 2_500),
    "claimed and taken back": ("failed", 2_500, None, 0),
}


def live(world: World, bank: Rail, name: str) -> BankLife:
    """Begin a payment and write all that will be told of it."""
    payment = begin(world, world.order())
    told, subject, refunds = LIVES[name](Teller(payment))
    events = [bodies.written(each) for each in told]
    return BankLife(world, payment, events, bank, subject, refunds)
