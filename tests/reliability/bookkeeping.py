"""A shop at the stand-in for Stripe that hears of nothing by itself: it pays, asks, and reads its account."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from core import clock
from core.money import Money, asset
from domain import database
from domain.jobs import bookings as job
from domain.orders import orders
from domain.payments import asking
from models.payments import Payment
from models.reconciliation import ProviderBooking
from providers import registry
from tests.domain import booking
from tests.domain.booking import balance
from tests.domain.world import World
from tests.rig import product

LONG_AGO = timedelta(hours=1)


class Shop:
    """A world whose rail is the real one, at a stand-in that sends no webhook at all."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url, self.rail = world, url, registry.configured("stripe")

    def ask(self, path: str, **params: str) -> dict[str, Any]:
        """Call the stand-in as its merchant would."""
        request = urllib.request.Request(
            f"{self.url}/v1/{path}",
            data=urlencode(params).encode() if params else None,
            headers={"Authorization": f"Bearer {product.STRIPE_KEY}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def control(self, act: str, **said: object) -> dict[str, Any]:
        """Call the stand-in's own door."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{act}",
            data=json.dumps(said).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def pay(self, minor: int, currency: str = "EUR", card: str = "visa") -> Payment:
        """Have a payment confirmed there; nobody here hears of it yet."""
        wanted = orders.OrderWanted("Oak table", Money(minor, asset(currency)))
        with database.transaction() as session:
            order = orders.create_order(session, wanted, actor=self.world.bo, source="test")
        payment = self.world.begin(order, purpose="deposit")[1]
        path = f"payment_intents/{payment.provider_reference}/confirm"
        self.ask(path, payment_method=f"pm_card_{card}")
        return payment

    def refund(self, payment: Payment, minor: int) -> None:
        self.ask("refunds", payment_intent=str(payment.provider_reference), amount=str(minor))

    def hear(self) -> None:
        """Hear what no webhook told, by asking about each payment."""
        with database.reading() as session:
            payments = session.scalars(select(Payment)).all()
        for payment in payments:
            reading = self.rail.fetch(str(payment.provider_reference))
            asking.apply_answer(payment.id, reading, why=booking.WHY)

    def read(self) -> None:
        """Read the account as the worker does."""
        now = clock.now() + timedelta(seconds=2)
        job.read(self.rail, since=now - LONG_AGO, until=now)
        job.read_payouts(self.rail, since=now - LONG_AGO, until=now)

    def held(self) -> Counter[str]:
        """Give what the account holds, by the provider's own word."""
        said = self.ask("balance")
        found = Counter[str]()
        for side in ("available", "pending"):
            for each in said[side]:
                found[str(asset(each["currency"]))] += each["amount"]
        return +found


def cleared() -> Counter[str]:
    with database.reading() as session:
        units = set(session.scalars(select(ProviderBooking.asset)))
    return +Counter({unit: balance(booking.CLEARING, unit) for unit in units})
