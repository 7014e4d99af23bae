"""What a provider that keeps coupons offers to the domain: finding one, and spending it on a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.money import Money
from providers.new_payment import Created, NewPayment


@dataclass(frozen=True)
class SaidCoupon:
    """One coupon as its provider tells of it.

    coupon_id: its name there; amount: what it takes off, None when that is no fixed amount; code,
    promotion: the promotion code that leads to it and the provider's name of that code, if one was typed;
    is_over: expired, used up or ended; obstacle: why it cannot become credit although it is valid.
    """

    coupon_id: str
    name: str | None
    amount: Money | None
    code: str | None = None
    promotion: str | None = None
    is_over: bool = False
    obstacle: str | None = None


@dataclass(frozen=True)
class NewCoupon:
    """What to spend a coupon on. payment: for whom and over how much, its `customer` known.

    look_since: since when an earlier try may have left something at the provider, None at the first one;
    may_make: the keys are still known there, so that nothing is made twice.
    """

    payment: NewPayment
    coupon_id: str
    promotion: str | None = None
    look_since: datetime | None = None
    may_make: bool = True


class CouponKeeper(Protocol):
    """Coupons at one provider. Raises, from every call: the provider errors of the seam."""

    def find_coupon(self, text: str, *, customer: str | None) -> SaidCoupon | None:
        """Find what somebody typed: a promotion code that can be used, else a coupon by its id.

        customer: who types, as the provider calls them; a code may be for one customer only.
        Calls: the provider, reads only.
        """
        ...

    def apply_coupon(self, new: NewCoupon, *, key: str) -> Created:
        """Spend a coupon on an invoice of its own amount, so that nothing is due and it is paid at once.

        Each step has a key of its own, derived from `key`: a try that broke off anywhere is gone on with,
        and there is never a second invoice. Raises ProviderRefused, with nothing finalized, when the
        coupon would not cover all of it. Calls: the provider, several times.
        """
        ...
