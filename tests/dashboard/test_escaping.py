"""Whatever people and providers write is text on every page: never markup, never a link."""

from __future__ import annotations

import json
import re

import pytest

from core.errors import ProviderRefused
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, ids_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    '</textarea><script src="https://evil.test/x.js"></script>',
    'x" hx-get="/logout" hx-trigger="load',
    "\u202egnp.exe <a href=https://evil.test>pay here</a>",
)
_MARKUP = re.compile(
    r"<script>|<img src=x|<svg/onload|<a href=https://evil|evil\.test/x\.js\"></script>"
    r"|href=\"javascript:|<[^>]*\" hx-get=\"/logout\"",
    re.IGNORECASE,
)


def assert_clean(browser: Browser, paths: list[str], probe: str) -> None:
    seen = False
    for path in paths:
        page = browser.page(path)
        assert not _MARKUP.search(page), (path, probe)
        assert "49{% raw %}" not in page
        seen = seen or "evil" in page or "alert(1)" in page or "7*7" in page or "logout" in page
    assert seen, probe


@pytest.mark.parametrize("probe", HOSTILE)
def test_hostile_words_stay_words(desk: Desk, who: Personas, till: Till, probe: str) -> None:
    parts = [{"title": probe, "amount": {"amount": "25.00", "currency": "EUR"}}]
    order = till.order(who.bo, description=probe, reference=probe[:60], milestones=parts)
    payment = till.intent(who.bo, order["orderId"])
    record = till.rail.intents[payment["providerReference"]]
    error = {"code": probe[:40], "decline_code": probe[:40], "message": probe, "type": "card_error"}
    body = json.loads(
        till.event("payment_intent.payment_failed", payment, last_payment_error=error)
    )
    body["data"]["object"] |= {"description": probe, "metadata": dict(record["metadata"], x=probe)}  # type: ignore[call-overload]
    assert (
        till.deliver(
            json.dumps(body).encode(), User_Agent=probe.encode("ascii", "ignore").decode()
        ).status_code
        == 200
    )
    till.work()
    browser = desk.browser(who.sue)
    browser.post(f"/payments/{payment['paymentId']}/notes", note=probe)
    (inbound,) = ids_of(browser.page("/webhooks"), "webhook")
    till.rail.script.append(ProviderRefused(probe))
    browser.post(f"/payments/{payment['paymentId']}/cancel", reason=probe)
    public = payment["payUrl"].rsplit("/", 1)[1]
    paths = ["/", "/payments", "/orders", "/webhooks", "/exceptions", f"/pay/{public}"]
    paths += [f"/payments/{payment['paymentId']}", f"/orders/{order['orderId']}"]
    paths += [f"/webhooks/{inbound}", f"/webhooks/{inbound}/preview"]
    assert_clean(browser, paths, probe)
    for path in ("/search", "/payments", "/orders", "/webhooks", "/exceptions"):
        answer = browser.client.get(path, query_string={"q": probe, "type": probe, "order": probe})
        assert answer.status_code in (200, 303), path
        assert not _MARKUP.search(answer.text), path
    answer = browser.client.get("/login", query_string={"next": probe})
    assert not _MARKUP.search(answer.text)


def test_event_type_of_a_provider_is_text(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    body = json.loads(till.event("x", payment))
    for number, probe in enumerate(HOSTILE):
        strange = body | {"id": f"evt_{number}", "type": probe[:60]}
        assert till.deliver(json.dumps(strange).encode()).status_code == 200
    till.work()
    browser = desk.browser(who.ed)
    inbound = ids_of(browser.page("/webhooks"), "webhook")
    assert len(inbound) == len(HOSTILE)
    for path in ("/", "/webhooks", "/exceptions", *(f"/webhooks/{each}" for each in inbound)):
        assert not _MARKUP.search(browser.page(path))
