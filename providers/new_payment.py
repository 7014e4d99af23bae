"""What a provider is asked for when a payment begins, and what it made of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.money import Money
from providers.said import Reading


@dataclass(frozen=True)
class Payer:
    """Who will pay, for a provider that asks for it; nothing of it is ever logged."""

    name: str = field(repr=False)
    email: str | None = field(repr=False)


@dataclass(frozen=True)
class NewPayment:
    """What to ask a provider for. amount: what the buyer shall pay.

    type: source 002's word for a payment without an order; customer, card: the payer and the kept card as
    the provider calls them, to be charged or held at once. return_url: where a payer's bank sends them back
    to; bank_reference: what the bank statement shall say, valid by the rail's scheme.
    """

    payment_id: str
    operation_id: str
    order_id: str
    amount: Money
    description: str
    manual_capture: bool
    success_url: str | None = None
    cancel_url: str | None = None
    expires_at: datetime | None = None
    demo: bool = False
    type: str | None = None
    customer: str | None = None
    card: str | None = None
    return_url: str | None = None
    bank_reference: str | None = None
    payer: Payer | None = None


@dataclass(frozen=True)
class Created:
    """What the provider made: its name for it, what the payer needs, and what it says so far.

    is_whole: False when it was found and the payer's page is still to be made; the same call goes on with it.
    """

    reference: str
    client_secret: str | None
    hosted_url: str | None
    expires_at: datetime | None
    reading: Reading
    is_whole: bool = True
