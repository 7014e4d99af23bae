"""A payment as its page and every act on it look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.money import Money
from domain.actors import Actor
from domain.payments.captures import Capture
from models.control import Approval, Freeze
from models.effects import CouponUse, Effect
from models.inbound import InboundEvent
from models.operations import Operation
from models.orders import Order
from models.payments import Payment


@dataclass(frozen=True)
class Hold:
    """What keeps a payment from being refunded now, beside its own state.

    alone_minor: what of it went back on one person's word; it counts towards what they send alone.
    held: what its order still holds, when it has one.
    """

    freeze: Freeze | None = None
    is_disputed: bool = False
    alone_minor: int = 0
    charged_back_minor: int = 0
    held: Money | None = None


@dataclass(frozen=True)
class Shown:
    """A payment with what its page needs beside it. marking: the request to settle it by hand; hold:
    what keeps it from being refunded; suspended: what of its money only people vouch for; captures: what
    was asked to be taken of a hold, by whom (names); ending: the act that ends it and has no outcome yet.
    """

    payment: Payment
    order: Order | None
    actor: Actor
    last_event: InboundEvent | None
    has_operation: bool
    public_url: str
    suspended: Money
    marking: Approval | None = None
    effects: Sequence[Effect] = ()
    captures: Sequence[Capture] = ()
    ending: Operation | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    hold: Hold = field(default_factory=Hold)
    coupon: CouponUse | None = None

    @property
    def href(self) -> str:
        """The page's own address."""
        return f"/payments/{self.payment.id}"
