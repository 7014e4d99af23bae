"""How a coupon reads on the desk: its name and code in lists, what it gave and what it cost us. No routes."""

from __future__ import annotations

from core.purposes import Purpose
from core.states import Payment as Status
from dashboard import words
from dashboard.shapes import Fact, FactGroup
from domain.actors import Actor
from models.effects import CouponUse
from models.payments import Payment

NO_REFUND = "A coupon's credit was never paid in, so there is nothing to give back."


def is_coupon(payment: Payment) -> bool:
    """Tell whether a coupon pays, so that nobody's money is in it."""
    return payment.purpose == Purpose.COUPON


def sums(payment: Payment) -> tuple[str, str]:
    """Name what a payment is over, and what has come of it."""
    return ("Worth", "Credited") if is_coupon(payment) else ("Asked", "Received")


def title(use: CouponUse) -> str:
    """Name a coupon in a title."""
    return f"Coupon “{use.name}”" if use.name else f"Coupon {use.coupon_id}"


def sub(use: CouponUse, payment: Payment) -> str:
    """Say under its title which code led to it."""
    return f"{use.code or use.coupon_id} · {words.short(payment.id)}"


def group(use: CouponUse | None, payment: Payment, actor: Actor) -> list[FactGroup]:
    """Prepare what is known of the coupon behind a payment; nothing for any other payment.

    What it cost is for staff.
    """
    if use is None:
        return []
    amount = words.money(use.amount_minor, use.asset)
    rows = [Fact("Name", use.name or "None at the provider")]
    if use.code is not None:
        rows.append(Fact("Code typed", ref=words.ref("promotion code", use.code)))
    rows += [
        Fact("Coupon", ref=words.ref("coupon id", use.coupon_id)),
        Fact("Takes off", money=amount),
    ]
    rows += [_cost(payment)] if actor.is_staff else []
    return [FactGroup("coupon", "Coupon", rows, "once per person")]


def _cost(payment: Payment) -> Fact:
    """Say what it has cost us: what was credited, and nothing before that."""
    note = f"booked as promotions with {words.provider_label(payment.provider)}"
    if payment.status in (Status.FAILED, Status.CANCELLED) and not payment.received_minor:
        note = "nothing was credited; the coupon can be applied again"
    elif not payment.received_minor:
        note = "nothing is credited yet"
    return Fact("Cost us", money=words.money(payment.received_minor, payment.asset), note=note)
