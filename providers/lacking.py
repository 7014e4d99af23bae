"""What a rail answers for what its network has not: nothing to list, and a final no to every act.

A rail takes over those that are true of it; the seam itself stays whole, so that no caller asks whose rail it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from core.errors import ProviderRefused
from core.money import Money
from providers.book_seam import Booking, SaidPayout
from providers.card_seam import SaidCard
from providers.coupon_seam import NewCoupon, SaidCoupon
from providers.dispute_seam import Evidence
from providers.new_payment import Created, NewPayment
from providers.said import Oddity, Reading


def refuse(what: str) -> NoReturn:
    """Say that a network has no such thing. Raises: ProviderRefused."""
    raise ProviderRefused(f"This rail has no {what}.")


class NoCards:
    """A rail whose payers have no card that could be kept, held or proved."""

    def create_customer(self, user_id: str, *, key: str, demo: bool) -> str:
        """Refuse: nobody is kept here."""
        refuse("customers")

    def find_customer(self, user_id: str, *, since: datetime) -> str | None:
        """Find nobody."""
        return None

    def fetch_card(self, reference: str) -> SaidCard:
        """Refuse: there are no cards."""
        refuse("cards")

    def list_cards(self, customer: str) -> Sequence[SaidCard]:
        """List none."""
        return ()

    def prefer_card(self, customer: str, reference: str, *, key: str) -> None:
        """Refuse: there are no cards."""
        refuse("cards")

    def forget_card(self, reference: str, *, key: str) -> None:
        """Refuse: there are no cards."""
        refuse("cards")

    def create_intent(self, new: NewPayment, *, key: str) -> Created:
        """Refuse: nobody pays on our own page."""
        refuse("payments on our own page")

    def create_checkout(self, new: NewPayment, *, key: str) -> Created:
        """Refuse: there is no checkout."""
        refuse("checkout")

    def create_setup(self, new: NewPayment, *, key: str) -> Created:
        """Refuse: there is nothing to keep."""
        refuse("cards to keep")

    def capture(self, reference: str, amount: Money, *, key: str) -> Reading:
        """Refuse: nothing is ever held."""
        refuse("holds to capture")


class NoCoupons:
    """A rail that keeps no coupons."""

    def find_coupon(self, text: str, *, customer: str | None) -> SaidCoupon | None:
        """Find none."""
        return None

    def apply_coupon(self, new: NewCoupon, *, key: str) -> Created:
        """Refuse: there are no coupons."""
        refuse("coupons")


class NoDisputes:
    """A rail on which what a payer's bank takes back cannot be argued with."""

    def fetch_dispute(self, reference: str) -> Reading:
        """Refuse: there are no disputes."""
        refuse("disputes")

    def submit_evidence(self, reference: str, evidence: Evidence, *, key: str) -> Reading:
        """Refuse: nobody would read it."""
        refuse("evidence to hand in")

    def close_dispute(self, reference: str, *, key: str) -> Reading:
        """Refuse: there are no disputes."""
        refuse("disputes")


class NoBookings:
    """A rail whose provider books nothing of its own that could be listed."""

    def list_bookings(self, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        """List none."""
        return iter(())

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        """List none."""
        return iter(())

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:
        """List none."""
        return iter(())


class NoLinks:
    """A rail whose payers never go to their bank."""

    def create_link(self, new: NewPayment, *, key: str) -> Created:
        """Refuse: there is no bank to go to."""
        refuse("bank links")
