"""What a provider that keeps cards for people offers to the domain; never a card's number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class SaidCard:
    """What a provider says of one card. reference: its name there; customer: whom it is kept for, None
    when for nobody (any more).
    """

    reference: str
    customer: str | None = None
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    is_card: bool = True


class CardKeeper(Protocol):
    """Customers and their cards at one provider. Raises, from every call: the provider errors of the seam."""

    def create_customer(self, user_id: str, *, key: str, demo: bool) -> str:
        """Make a customer for one of our people. Gives the provider's name of it. Calls: the provider.

        Nothing personal is sent: our id of the person is enough to find them again.
        """
        ...

    def find_customer(self, user_id: str, *, since: datetime) -> str | None:
        """Look for the customer that an earlier call with a lost answer may have made. Calls: the provider."""
        ...

    def fetch_card(self, reference: str) -> SaidCard:
        """Ask what is known of a card now. Calls: the provider."""
        ...

    def list_cards(self, customer: str) -> Sequence[SaidCard]:
        """List the cards that are kept for a customer. Calls: the provider."""
        ...

    def prefer_card(self, customer: str, reference: str, *, key: str) -> None:
        """Make a card the one that a customer pays with by default. Calls: the provider."""
        ...

    def forget_card(self, reference: str, *, key: str) -> None:
        """Keep a card no longer; done already is done. Calls: the provider."""
        ...
