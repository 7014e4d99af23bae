"""Lives of bank payments as GoCardless tells them, each with the truth at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core import clock
from models.payments import Payment
from providers.gocardless import reading
from providers.said import Reading
from providers.seam import Rail
from providers.values import Thing
from tests.domain.bank_lives import begin
from tests.domain.lives import Life
from tests.domain.world import World
from tests.providers.gocardless import bodies

PROVIDER = "gocardless"


@dataclass
class GoCardlessLife(Life):
    """One payment. request, payment, history, refunds: how GoCardless has them at the end."""

    bank: Rail
    request: Thing
    paid: Thing | None = None
    history: Sequence[Thing] = ()
    refunds: list[Thing] = field(default_factory=list)

    def read(self, body: bytes) -> Reading:
        return self.bank.read_event(body)

    def truth(self) -> Reading:
        now = clock.now()
        if self.paid is None:
            return reading.read_request(self.request, said_at=now, history=self.history)
        given_back = [reading.read_refund(one, said_at=now) for one in self.refunds]
        payment = reading.read_payment(
            self.paid, said_at=now, history=self.history, refunds=given_back
        )
        return reading.read_request(self.request, said_at=now, payment=payment)


@dataclass
class Teller:
    """Writes what is told of one payment, and how it is at the end."""

    payment: Payment

    @property
    def name(self) -> str:
        return str(self.payment.provider_reference)

    @property
    def paid_name(self) -> str:
        return self.name.replace("BRQ", "PM")

    @property
    def tags(self) -> dict[str, object]:
        return {"payment_id": self.payment.id}

    def event(self, kind: str, second: int | None = None, **more: object) -> Thing:
        made = bodies.event(kind, second, resource_metadata=self.tags, **more)
        put = {"BRQ000123": self.name, "PM000123": self.paid_name}
        links = {key: put.get(str(name), name) for key, name in dict(made["links"]).items()}  # type: ignore[arg-type]
        return made | {"links": links}  # type: ignore[dict-item]

    def events(self, *kinds: str) -> list[Thing]:
        return [self.event(kind) for kind in kinds]

    def request(self, status: str) -> Thing:
        currency = self.payment.asset.partition("/")[0]
        asked = {"amount": self.payment.amount_minor, "currency": currency}
        return bodies.request(status, self.name, metadata=self.tags, payment_request=asked)

    def paid(self, status: str) -> Thing:
        return bodies.payment(
            status,
            self.paid_name,
            amount=self.payment.amount_minor,
            currency=self.payment.asset.partition("/")[0],
            metadata=self.tags,
        )

    def given_back(self, name: str, minor: int, status: str) -> Thing:
        currency = self.payment.asset.partition("/")[0]
        own = f"{name}-{self.paid_name}"
        return bodies.refund(status, own, amount=minor, currency=currency)


# What is told; then how the request, its payment, its history and its refunds are at the end.
Ended = tuple[list[Thing], Thing, Thing | None, Sequence[Thing], list[Thing]]
FULFILLED, CONFIRMED = "billing_requests.fulfilled", "payments.confirmed"


def _agreed(tell: Teller, *kinds: str, status: str = "confirmed") -> Ended:
    told = tell.events(*kinds)
    return told, tell.request("fulfilled"), tell.paid(status), told, []


def _settled(tell: Teller) -> Ended:
    return _agreed(
        tell,
        *("billing_requests.bank_authorisation_visited", FULFILLED, "payments.submitted"),
        *(CONFIRMED, "payments.paid_out"),
        status="paid_out",
    )


def _second_try(tell: Teller) -> Ended:
    told = [
        tell.event("billing_requests.bank_authorisation_visited", 1),
        tell.event("billing_requests.bank_authorisation_denied", 2),
        tell.event("billing_requests.bank_authorisation_visited", 3),
        *tell.events(FULFILLED, CONFIRMED),
    ]
    return told, tell.request("fulfilled"), tell.paid("confirmed"), told, []


def _denied(tell: Teller) -> Ended:
    told = [
        tell.event("billing_requests.bank_authorisation_visited", 1),
        tell.event("billing_requests.bank_authorisation_denied", 2),
        tell.event("billing_requests.bank_authorisation_visited", 3),
        tell.event("billing_requests.bank_authorisation_expired", 4),
    ]
    return told, tell.request("pending"), None, told, []


def _cancelled(tell: Teller) -> Ended:
    told = tell.events(
        *("billing_requests.bank_authorisation_visited", "billing_requests.cancelled")
    )
    return told, tell.request("cancelled"), None, told, []


def _never_made(tell: Teller) -> Ended:
    told = tell.events(
        *("billing_requests.bank_authorisation_authorised", "billing_requests.failed")
    )
    return told, tell.request("cancelled"), None, told, []


def _failed(tell: Teller) -> Ended:
    return _agreed(
        tell,
        FULFILLED,
        "payments.created",
        "payments.submitted",
        "payments.failed",
        status="failed",
    )


def _failed_late(tell: Teller) -> Ended:
    return _agreed(
        tell,
        *(FULFILLED, CONFIRMED, "payments.failed", "payments.late_failure_settled"),
        status="failed",
    )


def _charged_back(tell: Teller) -> Ended:
    return _agreed(
        tell,
        *(FULFILLED, CONFIRMED, "payments.charged_back", "payments.chargeback_settled"),
        status="charged_back",
    )


def _won_back(tell: Teller) -> Ended:
    kinds = (FULFILLED, CONFIRMED, "payments.charged_back", "payments.chargeback_cancelled")
    return _agreed(tell, *kinds)


def _refunded(tell: Teller) -> Ended:
    told = [*tell.events(FULFILLED, CONFIRMED)]
    told += [tell.event("refunds.paid", 20 + number) for number in range(2)]
    back = [tell.given_back("RF1", 1_000, "paid"), tell.given_back("RF2", 1_500, "paid")]
    return told, tell.request("fulfilled"), tell.paid("paid_out"), told, back


def _refund_sent_back(tell: Teller) -> Ended:
    told = tell.events(FULFILLED, CONFIRMED, "refunds.paid", "refunds.funds_returned")
    back = [tell.given_back("RF1", 1_000, "funds_returned")]
    return told, tell.request("fulfilled"), tell.paid("paid_out"), told, back


Story = Callable[[Teller], Ended]
# What its request and payment say when they are asked tells all that their events told.
WHOLE: Mapping[str, Story] = {
    "settled": _settled,
    "settled at the second try": _second_try,
    "left after two tries": _denied,
    "cancelled before anybody agreed": _cancelled,
    "agreed to and never made": _never_made,
    "failed at the bank": _failed,
    "failed late": _failed_late,
    "charged back": _charged_back,
    "settled, given back in two parts": _refunded,
    "settled, its refund sent back": _refund_sent_back,
}
# A payment whose chargeback was cancelled does not say by itself that there was one.
LIVES: Mapping[str, Story] = WHOLE | {"charged back and won": _won_back}
ENDS = {
    "settled": ("completed", 2_500, "deposit_paid", 2_500),
    "settled at the second try": ("completed", 2_500, "deposit_paid", 2_500),
    "left after two tries": ("pending", 0, None, 0),
    "cancelled before anybody agreed": ("cancelled", 0, None, 0),
    "agreed to and never made": ("failed", 0, None, 0),
    "failed at the bank": ("failed", 0, None, 0),
    "failed late": ("failed", 2_500, None, 0),
    "charged back": ("failed", 2_500, None, 0),
    "charged back and won": ("failed", 2_500, None, 0),
    "settled, given back in two parts": ("refunded", 2_500, None, None),
    "settled, its refund sent back": ("completed", 2_500, "deposit_paid", 2_500),
}


def live(world: World, bank: Rail, name: str) -> GoCardlessLife:
    """Begin a payment and write all that will be told of it."""
    payment = begin(world, world.order(), PROVIDER)
    told, request, paid, history, refunds = LIVES[name](Teller(payment))
    events = [bodies.written(each) for each in told]
    return GoCardlessLife(world, payment, events, bank, request, paid, history, refunds)
