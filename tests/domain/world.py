"""A small world for tests of the domain: people, orders, a fake rail at the provider seam, signed events."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from config import Settings
from core import clock, ids
from core.errors import ProviderReference, ProviderRefused
from core.money import Money, asset
from core.states import Kyc, Role
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.inbox import receiving
from domain.jobs import worker
from domain.mail import mails
from domain.orders import orders
from domain.payments import intents, operations
from domain.secrets import keyring, secrets
from domain.watch import checkpoints
from models.inbound import InboundEvent
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from models.people import Merchant, User
from providers import registry
from providers.card_seam import SaidCard
from providers.deliveries import Sent
from providers.lacking import NoLinks
from providers.new_payment import Created, NewPayment
from providers.said import Reading
from providers.stripe import calls, reading, sdk
from providers.values import parse
from tests.domain import fake_charges
from tests.domain.fake_bookings import FakeBookings
from tests.domain.fake_charges import intent
from tests.domain.fake_coupons import FakeCoupons
from tests.domain.fake_disputes import FakeDisputes
from tests.domain.fake_door import FakeDoor
from tests.domain.fake_lists import FakeLists
from tests.domain.fake_vault import FakeVault

WEBHOOK_SECRET = "whsec_world"
_numbers = itertools.count(100_000)


@dataclass
class FakeRail(FakeDoor, NoLinks, FakeCoupons, FakeVault, FakeDisputes, FakeBookings, FakeLists):
    """Stripe's own verifying and reading; calls answered from memory, or by the scripted error."""

    mode: str = "test"
    is_configured: bool = True
    publishable_key: str = "pk_test_world"
    js_url: str = "https://js.stripe.com/v3/"
    is_stand_in: bool = False
    hosts: Sequence[str] = (".stripe.com",)
    given_secrets: dict[str, Sequence[str]] = field(default_factory=dict)
    intents: dict[str, dict[str, object]] = field(default_factory=dict)
    by_key: dict[str, Created] = field(default_factory=dict)
    refusals: dict[str, Exception] = field(default_factory=dict)
    script: list[Exception | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refunds: dict[str, dict[str, object]] = field(default_factory=dict)
    refund_keys: dict[str, str] = field(default_factory=dict)
    captured: dict[str, str] = field(default_factory=dict)
    # What a new refund says of itself; a test may have it begin as `pending`.
    refund_status: str = "succeeded"

    def _scripted(self, call: str) -> Exception | None:
        assert not database.is_open(), f"{call} was called inside a transaction"
        self.asked.append(call)
        return self.script.pop(0) if self.script else None

    def read_event(self, body: bytes) -> Reading:
        return reading.read_event(parse(body), api_version=sdk.API_VERSION)

    def fetch(self, reference: str) -> Reading:
        if error := self._scripted("fetch"):
            raise error
        return self._truth(reference)

    def _truth(self, reference: str) -> Reading:
        if reference.startswith("in_"):
            return self.fetch_invoice(reference)
        if reference in self.setups:
            return self.setup_truth(reference)
        if reference.startswith("pm_"):
            return Reading(
                references=(reference,), kept=self.cards.get(reference, SaidCard(reference))
            )
        if reference not in self.intents:
            raise ProviderRefused(f"No such payment_intent: {reference}")
        record = fake_charges.expanded(self.intents[reference])
        said = reading.read_intent(record, said_at=clock.now())  # type: ignore[arg-type]
        if self.intents[reference]["status"] != "succeeded":
            return said
        own = [one for one in self.refunds.values() if one["payment_intent"] == reference]
        asked_back = [one for one in self.disputes.values() if one["payment_intent"] == reference]
        return replace(
            said,
            refunds=tuple(self._said(one).refunds[0] for one in own),
            disputes=tuple(self.said_of(one).disputes[0] for one in asked_back),
        )

    def _said(self, found: dict[str, object]) -> Reading:
        return reading.read_refund(found, said_at=clock.now())  # type: ignore[arg-type]

    def create_intent(self, new: NewPayment, *, key: str) -> Created:
        error = self._scripted("create_intent")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if key not in self.by_key:
            reference = f"pi_{next(_numbers)}"
            record = intent(reference, new.payment_id, new.amount.minor)
            record["currency"] = new.amount.asset.code.lower()
            if new.type == "payment_method_validation":
                record["metadata"] = {"payment_id": new.payment_id, "type": new.type}
            self.intents[reference] = record
            if refusal := fake_charges.confirm(record, new):
                self.refusals[key] = refusal
            self.by_key[key] = calls.created_intent(record)  # type: ignore[arg-type]
        if error is not None:
            raise error
        if key in self.refusals:
            raise self.refusals[key]
        return self.by_key[key]

    create_checkout = create_intent

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:
        if error := self._scripted("find"):
            raise error
        if method == "invoice":
            return self.find_invoice(payment_id, since=since)
        for found in self.intents.values():
            if found["metadata"].get("payment_id") == payment_id:  # type: ignore[attr-defined]
                return calls.created_intent(found)  # type: ignore[arg-type]
        return None

    def cancel(self, reference: str, *, key: str) -> Reading:
        error = self._scripted("cancel")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if reference.startswith("in_"):
            return self.void_invoice(reference, key=key)
        if reference in self.setups:
            self.setups[reference]["status"] = "canceled"
            return self.setup_truth(reference)
        record = self.intents[reference]
        if record["status"] == "succeeded":
            code = ProviderReference(None, "payment_intent_unexpected_state")
            raise ProviderRefused("It has succeeded already.", provider=code)
        record |= {"status": "canceled", "amount_capturable": 0}
        if error is not None:
            raise error
        return reading.read_intent(fake_charges.expanded(record), said_at=clock.now())  # type: ignore[arg-type]

    def capture(self, reference: str, amount: Money, *, key: str) -> Reading:
        error = self._scripted("capture")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        held = self.intents[reference]
        if self.captured.get(key) != reference:
            if held["status"] != "requires_capture":
                code = ProviderReference(None, "payment_intent_unexpected_state")
                raise ProviderRefused(f"It is {held['status']}.", provider=code)
            assert amount.minor <= int(str(held["amount_capturable"]))
            self.captured[key] = reference
            done = {"status": "succeeded", "amount_received": amount.minor, "amount_capturable": 0}
            held.update(done)
        if error is not None:
            raise error
        return reading.read_intent(held, said_at=clock.now())  # type: ignore[arg-type]

    def refund(
        self, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
    ) -> Reading:
        error = self._scripted("refund")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if key not in self.refund_keys:
            self.refund_keys[key] = self.give_back(reference, amount.minor, metadata=metadata)
        if error is not None:
            raise error
        return self._said(self.refunds[self.refund_keys[key]])

    def give_back(
        self, reference: str, amount: int, *, metadata: Mapping[str, str] | None = None
    ) -> str:
        """Give money back; without metadata as somebody does in the provider's own dashboard."""
        received = int(str(self.intents[reference]["amount_received"]))
        own = [one for one in self.refunds.values() if one["payment_intent"] == reference]
        if sum(int(str(o["amount"])) for o in own if o["status"] != "failed") + amount > received:
            code = ProviderReference(None, "charge_already_refunded")
            raise ProviderRefused("That is more than is left.", provider=code)
        name = f"re_{next(_numbers)}"
        self.refunds[name] = {
            "id": name,
            "object": "refund",
            "status": self.refund_status,
            "amount": amount,
            "currency": self.intents[reference]["currency"],
            "payment_intent": reference,
            "metadata": dict(metadata or {}),
        }
        return name

    def find_refund(self, reference: str, refund_id: str) -> Reading | None:
        if error := self._scripted("find_refund"):
            raise error
        for found in self.refunds.values():
            if (
                found["payment_intent"] == reference
                and found["metadata"].get(  # type: ignore[attr-defined]
                    "refund_id"
                )
                == refund_id
            ):
                return self._said(found)
        return None


@dataclass
class World:
    """What a test works with."""

    settings: Settings
    rail: FakeRail
    bo: Actor
    eve: Actor
    fin: Actor

    def order(self, total: int = 12_500, deposit: int | None = 2_500, **more: object) -> Order:
        eur = asset("EUR")
        wanted = orders.OrderWanted(
            "Oak table",
            Money(total, eur),
            deposit=Money(deposit, eur) if deposit else None,
            **more,  # type: ignore[arg-type]
        )
        with database.transaction() as session:
            return orders.create_order(session, wanted, actor=self.bo, source="test")

    def begin(self, order: Order, purpose: str = "deposit") -> tuple[Operation, Payment]:
        wanted = intents.PaymentWanted(order.id, purpose=purpose)
        with database.transaction() as session:
            begun = intents.begin(session, wanted, actor=self.bo, source="test")
        if begun.fence is None:
            return begun.operation, begun.payment
        outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=self.bo)
        with database.transaction() as session:
            return operations.settle(session, outcome)

    def payment(self, total: int = 12_500, deposit: int | None = 2_500) -> Payment:
        return self.begin(self.order(total, deposit))[1]

    def read(self, payment: Payment) -> Payment:
        with database.reading() as session:
            return session.get_one(Payment, payment.id)

    def event(
        self, kind: str, payment: Payment, *, at: int | None = None, **changes: object
    ) -> bytes:
        """Write a Stripe event about a payment's intent; its snapshot follows the rail's record."""
        name = str(payment.provider_reference)
        record = self.rail.setups.get(name) or self.rail.intents[name]
        record.update(changes)
        return self._signed_body(kind, record, at)

    def paid(self, payment: Payment, amount: int | None = None, *, at: int | None = None) -> bytes:
        received = amount or payment.amount_minor
        return self.event(
            "payment_intent.succeeded", payment, at=at, status="succeeded", amount_received=received
        )

    def refund_event(
        self, kind: str, name: str, *, at: int | None = None, **changes: object
    ) -> bytes:
        """Write a Stripe event about a refund; its snapshot follows the rail's record."""
        self.rail.refunds[name].update(changes)
        return self._signed_body(kind, self.rail.refunds[name], at)

    def dispute_event(
        self, kind: str, name: str, *, at: int | None = None, **changes: Json
    ) -> bytes:
        """Write a Stripe event about a dispute; its snapshot follows the rail's record."""
        self.rail.disputes[name].update(changes)
        return self._signed_body(f"charge.dispute.{kind}", self.rail.disputes[name], at)

    def _signed_body(self, kind: str, record: Mapping[str, object], at: int | None) -> bytes:
        event = {
            "id": ids.new("evt"),
            "object": "event",
            "type": kind,
            "created": at or clock.unix(),
            "livemode": False,
            "api_version": sdk.API_VERSION,
            "pending_webhooks": 1,
            "data": {"object": dict(record)},
        }
        return json.dumps(event).encode()

    def held(self, payment: Payment, *, at: int | None = None, **changes: object) -> bytes:
        """Write the event that an amount is held on the card."""
        kind, amount = "payment_intent.amount_capturable_updated", payment.amount_minor
        said: dict[str, object] = {"status": "requires_capture", "amount_capturable": amount}
        return self.event(kind, payment, at=at, **(said | changes))

    def deliver(self, body: bytes, *, secret: str = WEBHOOK_SECRET) -> receiving.Received:
        stamp = clock.unix()
        mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        header = {"Stripe-Signature": f"t={stamp},v1={mac}"}
        sent = Sent("POST", "/api/webhooks/stripe", body, header.get)
        return receiving.receive("stripe", sent, headers=header.items())

    def deliver_and_apply(self, body: bytes) -> InboundEvent:
        received = self.deliver(body)
        worker.work_until_idle()
        with database.reading() as session:
            return session.get_one(InboundEvent, received.inbound_id)


def actor(user_id: str, role: Role, **more: object) -> Actor:
    return Actor(user_id, "user", role, role.value, kyc=Kyc.APPROVED, **more)  # type: ignore[arg-type]


def build(settings: Settings) -> World:
    """Put the people in, and the fake rail in Stripe's place."""
    world = stage(settings)
    people = {"usr_bo": Role.BUYER, "usr_eve": Role.BUYER, "usr_fin": Role.FINANCE}
    with database.transaction() as session:
        for user_id, role in people.items():
            place = f"users|email|{user_id}"
            sealed = keyring.seal_text(f"{user_id}@example.com", purpose="email", place=place)
            index = keyring.vault().blind_index(f"{user_id}@example.com", purpose="email")
            session.add(
                User(
                    id=user_id,
                    email_sealed=sealed,
                    email_index=index,
                    name=user_id.removeprefix("usr_").capitalize(),
                    role=role.value,
                    kyc="approved",
                    state="active",
                    demo=False,
                    created_at=clock.now(),
                )
            )
        if session.query(Merchant).filter_by(is_house=True).first() is None:
            session.add(
                Merchant(
                    id="mer_house",
                    name="House",
                    slug="house",
                    state="live",
                    kyc="approved",
                    is_house=True,
                    created_at=clock.now(),
                )
            )
    return world


def stage(settings: Settings) -> World:
    """Put the fake rail in Stripe's place, before people who are there already."""
    keyring.configure(settings)
    checkpoints.configure(settings)
    mails.configure(settings)
    registry.configure(settings)
    rail = FakeRail(given_secrets=dict(registry.get("stripe").given_secrets))
    registry._built["stripe"] = rail  # type: ignore[assignment]
    secrets.configure(settings)
    return World(
        settings,
        rail,
        bo=actor("usr_bo", Role.BUYER),
        eve=actor("usr_eve", Role.BUYER),
        fin=actor("usr_fin", Role.FINANCE),
    )
