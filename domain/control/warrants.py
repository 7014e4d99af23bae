"""What a guarded act is, down to its hash, and the warrant without which nobody carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core import hashing
from core.errors import Conflict
from core.hashing import Plain
from core.money import Money
from core.money_out import Act
from domain.actors import Actor


@dataclass(frozen=True)
class Content:
    """What would be done: all that a person agrees to. text: the same for people, outside the hash.

    details: what else the act depends on, such as a milestone, a chain, the state it starts from.
    alone: what went the same way before on one person's word; with it the threshold counts the
    amount, so that no sum is moved alone in parts. Outside the hash too.
    """

    act: Act
    object_kind: str
    object_id: str
    text: str
    amount: Money | None = None
    destination: str | None = None
    rail: str | None = None
    merchant_id: str | None = None
    order_id: str | None = None
    payment_id: str | None = None
    details: Mapping[str, Plain] = field(default_factory=dict)
    livemode: bool = False
    demo: bool = False
    alone: Money | None = None

    @property
    def weighed(self) -> Money | None:
        """What the threshold is held against."""
        if self.amount is None or self.alone is None:
            return self.amount
        return self.amount + self.alone

    def hash(self) -> str:
        """Hash everything that is agreed to."""
        amount = self.amount
        return hashing.digest(
            {
                "act": self.act.value,
                "object": [self.object_kind, self.object_id],
                "amount": [str(amount.minor), str(amount.asset)] if amount else None,
                "destination": self.destination,
                "rail": self.rail,
                "merchant": self.merchant_id,
                "order": self.order_id,
                "payment": self.payment_id,
                "details": dict(self.details),
                "livemode": self.livemode,
            }
        )


@dataclass(frozen=True)
class Warrant:
    """The right to carry one act out, once, in the transaction that gave it.

    Made by `domain/control/money_out.py` and `domain/control/approvals.py` and nowhere else; a test checks.
    """

    content: Content
    actor: Actor
    maker_id: str
    source: str
    reason: str | None
    approval_id: str | None = None

    def assert_covers(self, content: Content) -> None:
        """Check that this very act was agreed to.

        Raises: Conflict
        """
        if content.hash() != self.content.hash():
            raise Conflict("This is not what was agreed to. Ask again.")
