"""A person's page in a real browser: their card appears, is proved and goes while somebody watches."""

from __future__ import annotations

import re
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect

from core.states import Role
from tests.api import personas
from tests.api.personas import Persona
from tests.browser.shop import Shop, call, sign_in, wait_live
from tests.rig import product

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]
CARDS = "/v1/stripe/payment-methods"


def ask(shop: Shop, who: Persona, method: str, path: str) -> dict[str, object]:
    body: dict[str, object] | None = None if method == "DELETE" else {}
    status, said = call(method, f"{shop.url}{path}", body, **who.headers)
    assert status == 200, said
    found: dict[str, object] = said
    return found


def put_in(shop: Shop, setup: dict[str, object]) -> None:
    """Put a card into the provider's form, as the payer's browser does."""
    secret = {"client_secret": str(setup["clientSecret"]), "payment_method": "pm_card_visa"}
    path = f"{shop.stack.stripe.url}/v1/setup_intents/{setup['setupIntentId']}/confirm"
    key = {"Authorization": f"Bearer {product.STRIPE_PUBLISHABLE_KEY}"}
    with urlopen(Request(path, data=urlencode(secret).encode(), headers=key), timeout=20) as done:
        assert done.status == 200


def test_a_card_comes_is_proved_and_goes_while_the_page_is_open(page: Page, shop: Shop) -> None:
    bo = personas.user("bo@people.test", role=Role.BUYER)
    sign_in(page, shop, shop.person("ada", "admin"))
    page.goto(f"{shop.url}/users/{bo.id}")
    cards = page.locator("#person-cards")
    expect(cards).to_contain_text("No card is kept.")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    put_in(shop, ask(shop, bo, "POST", f"{CARDS}/setup"))
    expect(cards).to_contain_text("Proved")
    # The worker asks for what the event did not say.
    expect(cards).to_contain_text("Default")
    ask(shop, bo, "POST", "/v1/start-trial")
    expect(cards).to_contain_text("A trial of 100.00 USD was granted")
    assert page.evaluate("window.neverReloaded") is True
    page.reload()
    expect(cards).to_contain_text("Visa ending 4242")
    expect(cards).to_contain_text("expires 12/2034")
    name = str(cards.locator("li").first.get_attribute("id")).removeprefix("card-")
    wait_live(page)
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cards.get_by_role("link", name="the check of a card").click()
    expect(page.locator("#payment-timeline")).to_contain_text("A hold of 1.00 USD proved the card")
    expect(page.locator("#payment-timeline")).to_contain_text("The hold was let go")
    page.go_back()
    wait_live(page)
    assert ask(shop, bo, "DELETE", f"{CARDS}/{name}") == {"success": True}
    expect(cards).to_contain_text("No card is kept.")
    expect(page).to_have_title(re.compile("Bo"))
