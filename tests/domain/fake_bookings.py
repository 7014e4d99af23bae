"""The account that the fake rail keeps for us: balance transactions and payouts as Stripe writes them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from core.strictjson import Json
from domain import database
from models.payments import Payment
from providers.book_seam import Booking, SaidPayout
from providers.said import Oddity
from providers.stripe import bookings
from providers.stripe.things import Thing

_numbers = itertools.count(1)
BOOKED = 1_790_000_000


@dataclass
class FakeBookings:
    """What is listed. members: which bookings a payout is made of; pages: how often a list was begun."""

    transactions: dict[str, Thing] = field(default_factory=dict)
    payouts: dict[str, Thing] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)

    def _scripted(self, call: str) -> Exception | None:
        """The rail that this is a part of knows which calls shall fail."""
        raise AssertionError(call)

    def list_bookings(self, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        if error := self._scripted("list_bookings"):
            raise error
        for record in reversed(list(self.transactions.values())):
            assert not database.is_open(), "a page was asked for inside a transaction"
            if since.timestamp() - 1 <= int(str(record["created"])) <= until.timestamp():
                yield bookings.said_booking(record)

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        if error := self._scripted("list_payouts"):
            raise error
        for record in reversed(list(self.payouts.values())):
            if since.timestamp() - 1 <= int(str(record["created"])) <= until.timestamp():
                yield bookings.said_payout(record)

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:
        if error := self._scripted("bookings_of_payout"):
            raise error
        for name in self.members.get(reference, []):
            yield bookings.said_booking(self.transactions[name])

    def book(self, kind: str, amount: int, *, fee: int = 0, **more: Json) -> Thing:
        """Book something on our balance; the record is the provider's own truth."""
        record = transaction(kind, amount, fee=fee, **more)
        self.transactions[str(record["id"])] = record
        return record

    def pay_out(self, *names: str, at: int = BOOKED + 100, status: str = "paid") -> Thing:
        """Pay bookings out: the payout, and its own booking."""
        amount = sum(int(str(self.transactions[name]["net"])) for name in names)
        currency = self.transactions[names[0]]["currency"]
        record: Thing = {
            "id": f"po_{next(_numbers)}",
            "object": "payout",
            "amount": amount,
            "currency": currency,
            "status": status,
            "created": at,
            "arrival_date": at + 86_400,
            "reconciliation_status": "completed",
        }
        self.payouts[str(record["id"])] = record
        own = self.book("payout", -amount, currency=currency, source=dict(record), created=at)
        self.members[str(record["id"])] = [*names, str(own["id"])]
        return record

    def send_back(self, payout: Thing, *, at: int = BOOKED + 200) -> Thing:
        """Have the bank send a payout back, which gives our balance its money again."""
        payout |= {"status": "failed", "failure_code": "account_closed"}
        source = dict(payout)
        amount = int(str(payout["amount"]))
        return self.book(
            "payout_failure", amount, currency=payout["currency"], source=source, created=at
        )


def transaction(kind: str, amount: int, *, fee: int = 0, **more: Json) -> Thing:
    """Make a balance transaction as Stripe writes it."""
    record: Thing = {
        "id": f"txn_{next(_numbers)}",
        "object": "balance_transaction",
        "amount": amount,
        "available_on": BOOKED + 2 * 86_400,
        "created": BOOKED,
        "currency": "eur",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": None,
        "type": kind,
    }
    return record | more


def charge_of(payment: Payment, amount: int | None = None, **more: Json) -> Thing:
    """Make the charge behind a payment, as a balance transaction carries it when it was asked to."""
    total = payment.amount_minor if amount is None else amount
    return {
        "id": f"ch_{payment.provider_reference}",
        "object": "charge",
        "amount": total,
        "amount_captured": total,
        "captured": True,
        "currency": payment.asset.split("/")[0].lower(),
        "payment_intent": payment.provider_reference,
        "metadata": {"payment_id": payment.id},
        **more,
    }
