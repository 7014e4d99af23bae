"""A merchant's shop as the browser tests use it: real processes, an API key, orders and pay links."""

from __future__ import annotations

import itertools
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from playwright.sync_api import Page, expect

from core.states import Role
from tests.api import personas
from tests.reliability import stage as stages
from tests.rig.product import Processes, Stack

PASSWORD = "correct horse battery"
FIELDS = "#card-mount iframe"
BANK = "iframe[name=stripe-challenge-frame]"
GOOD, DECLINED, ASKS_3DS = "4242424242424242", "4000000000009995", "4000000000003220"
_numbers = itertools.count(1)


def call(method: str, url: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """Send JSON and read JSON."""
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, method=method, headers=named)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"null")


@dataclass
class Shop:
    """The running product with its people. engine: of its database, in this process."""

    stack: Stack
    processes: Processes
    env: dict[str, str]
    engine: sqlalchemy.Engine
    key: str = ""
    people: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return self.stack.web.url

    def bind(self) -> None:
        """Make its database the one that the domain works on in this process."""
        stages.bind(self.env, self.engine)

    def person(self, name: str, role: str) -> str:
        """Add a person with the desk's usual password; gives the address."""
        email = f"{name}@people.test"
        if email not in self.people:
            made = personas.user(email, role=Role(role))
            personas.give_password(made.id, PASSWORD)
            self.people.add(email)
        return email

    def headers(self) -> dict[str, str]:
        if not self.key:
            self.key = personas.key(personas.merchant("Meadow Market")).key
        return {
            "Authorization": f"Bearer {self.key}",
            "Idempotency_Key": f"shop-{next(_numbers):06d}",
        }

    def order(self, **more: object) -> dict[str, Any]:
        body = {
            "description": "Oak table",
            "total": {"amount": "125.00", "currency": "EUR"},
            "deposit": "25.00",
            "reference": f"SHOP-{next(_numbers)}",
        }
        status, made = call("POST", f"{self.url}/api/orders", body | more, **self.headers())
        assert status == 201, made
        found: dict[str, Any] = made
        return found

    def payment(self, **more: object) -> dict[str, Any]:
        """Make an order and start its payment; gives the payment with its pay link."""
        body = {"orderId": self.order(**more)["orderId"]}
        status, made = call("POST", f"{self.url}/api/payments/intents", body, **self.headers())
        assert status in (200, 201), made
        found: dict[str, Any] = made
        return found

    def read(self, path: str) -> Any:
        status, found = call("GET", f"{self.url}{path}", **self.headers())
        assert status == 200, found
        return found


def sign_in(page: Page, shop: Shop, email: str) -> None:
    """Sign in through the login page."""
    page.goto(f"{shop.url}/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Good")


def wait_live(page: Page) -> None:
    """Wait until the page hears of changes."""
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def enter_card(page: Page, number: str) -> None:
    """Type a card into the provider's frame."""
    expect(page.locator("#card-mount")).to_have_attribute("data-state", "ready")
    fields = page.frame_locator(FIELDS)
    entry = fields.get_by_label(re.compile("Card number"))
    entry.fill("")
    entry.press_sequentially(number)
    fields.get_by_label("Expiration date").fill("12 / 34")
    fields.get_by_label("Security code").fill("123")
