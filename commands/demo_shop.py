"""The demo's shop and its visitors: where they go, and what every one of them can do there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from commands import demo_wire
from commands.demo_wire import Answered
from core import ids
from domain.samples.dice import Dice

PATIENCE_SECONDS = 20


class Unexpected(Exception):
    """An answer that the demo has no part for; the message says which. code: the API's own word, or ''."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Shop:
    """Where the visits go. stripe, bank: origins of the stand-ins, bank empty where none is; sign_in: gives
    one of the people a token; pace: by how much every pause is stretched; desk: held while counting what
    waits for people and adding to it; cards: held while somebody keeps a card.
    """

    url: str
    key: str
    stripe: str
    stripe_key: str
    publishable_key: str
    buyers: Sequence[str]
    sellers: Sequence[str]
    sign_in: Callable[[str], str]
    stopped: threading.Event
    pace: float = 1.0
    bank: str = ""
    desk: threading.Lock = field(default_factory=threading.Lock)
    cards: threading.Lock = field(default_factory=threading.Lock)

    def pause(self, dice: Dice, low: int, high: int) -> None:
        """Let the visitor think for some tenths of seconds, unless all shall end."""
        self.stopped.wait(dice.between(low, high) / 10 * self.pace)

    def wait_for(self, look: Callable[[], bool]) -> bool:
        """Look each second until it holds. Gives False when it does not come true, or all shall end.

        Raises: Unexpected, OSError
        """
        for _ in range(PATIENCE_SECONDS):
            if look():
                return True
            if self.stopped.wait(1):
                break
        return False

    def post(
        self, path: str, document: dict[str, object], *, token: str | None = None
    ) -> dict[str, Any]:
        """Call the API as a merchant's server does, or with a token of one's own.

        Raises: Unexpected, OSError
        """
        headers = {
            "Authorization": f"Bearer {token or self.key}",
            "Idempotency-Key": ids.new("demo"),
        }
        url = f"{self.url}{path}"
        return _wanted(demo_wire.send("POST", url, document=document, headers=headers), path)

    def get(self, path: str) -> dict[str, Any]:
        """Read from the API.

        Raises: Unexpected, OSError
        """
        headers = {"Authorization": f"Bearer {self.key}"}
        return _wanted(demo_wire.send("GET", f"{self.url}{path}", headers=headers), path)

    def at_provider(self, path: str, form: dict[str, str]) -> None:
        """Do what somebody does in the provider's own dashboard, past us.

        Raises: Unexpected, OSError
        """
        headers = {"Authorization": f"Bearer {self.stripe_key}"}
        _wanted(demo_wire.send("POST", self.stripe + path, form=form, headers=headers), path)


def _wanted(answered: Answered, path: str) -> dict[str, Any]:
    if answered.is_success:
        return answered.body
    error = answered.body.get("error", {})
    code = str(error.get("code", ""))
    raise Unexpected(f"{path} answered {answered.status} {code}".rstrip(), code)


@dataclass(frozen=True)
class Visit:
    """One visitor with an order just made."""

    shop: Shop
    dice: Dice
    order: dict[str, Any]

    @property
    def title(self) -> str:
        """The order as a line of the log shows it."""
        total = self.order["total"]
        return f"{total['amount']} {total['currency']} {self.order['description']}"

    def intent(self, **more: object) -> dict[str, Any]:
        """Ask for a payment on the pay page."""
        said: dict[str, object] = {"orderId": self.order["orderId"]}
        return self.shop.post("/api/payments/intents", said | more)

    def confirm(self, intent: dict[str, Any], card: str) -> Answered:
        """Pay as the payer's browser does: with the publishable key and the client secret."""
        form = {
            "client_secret": intent["clientSecret"],
            "payment_method": f"pm_card_{card}",
            "return_url": f"{intent['payUrl']}/return",
        }
        path = f"/v1/payment_intents/{intent['providerReference']}/confirm"
        headers = {"Authorization": f"Bearer {intent['publishableKey']}"}
        answered = demo_wire.send("POST", self.shop.stripe + path, form=form, headers=headers)
        if answered.status not in (200, 402):
            raise Unexpected(f"the stand-in answered {answered.status} to a confirmation")
        return answered
