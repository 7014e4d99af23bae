"""The customers and cards of the fake rail: kept in memory, one customer per key, as Stripe keeps them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core import clock
from core.errors import ProviderReference, ProviderRefused
from providers.card_seam import SaidCard
from providers.new_payment import Created, NewPayment
from providers.said import Reading
from providers.stripe import setups

_numbers = itertools.count(1)


def card(name: str, customer: str | None = None, **more: object) -> SaidCard:
    """Make a card as a provider tells of it."""
    said = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034} | more
    return SaidCard(name, customer, **said)  # type: ignore[arg-type]


@dataclass
class FakeVault:
    """What the rail knows of people and their cards."""

    customers: dict[str, str] = field(default_factory=dict)
    customer_keys: dict[str, str] = field(default_factory=dict)
    cards: dict[str, SaidCard] = field(default_factory=dict)
    preferred: dict[str, str] = field(default_factory=dict)
    setups: dict[str, dict[str, object]] = field(default_factory=dict)
    setup_keys: dict[str, str] = field(default_factory=dict)

    def _scripted(self, call: str) -> Exception | None:
        raise AssertionError(f"{call} has no script")

    def create_customer(self, user_id: str, *, key: str, demo: bool) -> str:
        del demo
        error = self._scripted("create_customer")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if key not in self.customer_keys:
            self.customer_keys[key] = f"cus_{next(_numbers)}"
            self.customers[self.customer_keys[key]] = user_id
        if error is not None:
            raise error
        return self.customer_keys[key]

    def create_setup(self, new: NewPayment, *, key: str) -> Created:
        error = self._scripted("create_setup")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if key not in self.setup_keys:
            name = self.setup_keys[key] = f"seti_{next(_numbers)}"
            self.setups[name] = {
                "id": name,
                "object": "setup_intent",
                "status": "requires_payment_method",
                "client_secret": f"{name}_secret_x",
                "customer": new.customer,
                "metadata": {"payment_id": new.payment_id},
                "payment_method": None,
                "last_setup_error": None,
                "latest_attempt": None,
            }
        if error is not None:
            raise error
        return setups.created_setup(self.setups[self.setup_keys[key]])  # type: ignore[arg-type]

    def complete(self, name: str, card_name: str) -> None:
        """Have a payer put a card into a setup, and their bank agree."""
        setup = self.setups[name]
        setup |= {"status": "succeeded", "payment_method": card_name}
        self.cards[card_name] = card(card_name, str(setup["customer"]))

    def setup_truth(self, name: str) -> Reading:
        """Write a setup as it is answered when its card is asked for with it."""
        record = dict(self.setups[name])
        said = self.cards.get(str(record["payment_method"]))
        if said is not None:
            details = {
                "brand": said.brand,
                "last4": said.last4,
                "exp_month": said.exp_month,
                "exp_year": said.exp_year,
            }
            record["payment_method"] = {
                "id": said.reference,
                "type": "card",
                "customer": said.customer,
                "card": details,
            }
        return setups.read_setup(record, said_at=clock.now())  # type: ignore[arg-type]

    def find_customer(self, user_id: str, *, since: datetime) -> str | None:
        del since
        if error := self._scripted("find_customer"):
            raise error
        return next((name for name, who in self.customers.items() if who == user_id), None)

    def fetch_card(self, reference: str) -> SaidCard:
        if error := self._scripted("fetch_card"):
            raise error
        if reference not in self.cards:
            said = ProviderReference(None, "resource_missing")
            raise ProviderRefused("No such PaymentMethod.", provider=said)
        return self.cards[reference]

    def list_cards(self, customer: str) -> Sequence[SaidCard]:
        if error := self._scripted("list_cards"):
            raise error
        return [each for each in self.cards.values() if each.customer == customer]

    def prefer_card(self, customer: str, reference: str, *, key: str) -> None:
        if error := self._scripted("prefer_card"):
            raise error
        self.preferred[customer] = reference

    def forget_card(self, reference: str, *, key: str) -> None:
        if error := self._scripted("forget_card"):
            raise error
        if reference in self.cards:
            self.cards[reference] = card(reference)
