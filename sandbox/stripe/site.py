"""Paths that browsers open: challenge, scripts, styles; every other path is not found."""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.common.wire import Reply, Request
from sandbox.stripe import challenge_page, hosted, money, pages
from sandbox.stripe.wire import params_of
from sandbox.stripe.world import World, unit

Show = Callable[..., Reply]

_PAGES: list[tuple[str, re.Pattern[str], Show]] = [
    ("GET", re.compile(r"/3ds/([A-Za-z0-9]+)"), challenge_page.show),
    ("POST", re.compile(r"/3ds/([A-Za-z0-9]+)"), challenge_page.decide),
    ("GET", re.compile(r"/c/pay/(cs_test_[A-Za-z0-9]+)"), hosted.show),
    ("POST", re.compile(r"/c/pay/(cs_test_[A-Za-z0-9]+)"), hosted.submit),
    ("GET", re.compile(r"/c/pay/(cs_test_[A-Za-z0-9]+)/return"), hosted.returned),
]


def _receipt(world: World, _request: Request, charge_id: str) -> Reply:
    """Answer `GET /receipts/{charge}`."""
    with unit(world) as call:
        charge = call.store.find("charge", charge_id)
    if charge is None:
        return pages.page("not_found.html", status=404)
    kind = charge["payment_method_details"]["type"]
    details = charge["payment_method_details"][kind]
    return pages.page(
        "receipt.html",
        amount=money.shown(charge["amount_captured"] or charge["amount"], charge["currency"]),
        method=f"{details.get('brand') or 'Bank account'} ending in {details['last4']}",
        state=charge["status"] if charge["captured"] else "authorised, not captured",
        charge=charge_id,
    )


def _fields(_world: World, request: Request) -> Reply:
    """Answer `GET /v3/fields`: the card fields that stripe.js frames."""
    kind = params_of(request).get("kind")
    scheme = params_of(request).get("scheme")
    return pages.page(
        "fields.html",
        kind="payment" if kind == "payment" else "card",
        scheme=scheme if scheme in ("light", "dark") else "auto",
    )


def _script(_world: World, _request: Request) -> Reply:
    """Answer `GET /v3/`: stripe.js."""
    return pages.static("stripe.js") or pages.page("not_found.html", status=404)


_PAGES += [
    ("GET", re.compile(r"/receipts/((?:ch|py)_[A-Za-z0-9]+)"), _receipt),
    ("GET", re.compile(r"/v3/fields"), _fields),
    # Newer releases of stripe.js are addressed by their name, such as /basil/stripe.js.
    ("GET", re.compile(r"/v3/?|/[a-z]+/stripe\.js"), _script),
]


def answer(world: World, request: Request) -> Reply:
    """Answer a page, a script or a style sheet."""
    return pages.OWN.answer(_PAGES, request, world)
