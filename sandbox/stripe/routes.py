"""Every API path, its operation name and the function that answers it; no logic."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.stripe import (
    balance,
    charges,
    checkout,
    confirm,
    coupons,
    customers,
    disputes,
    endpoints,
    events,
    files,
    intents,
    invoices,
    methods,
    payouts,
    promotions,
    radar,
    refunds,
    search,
    setups,
)
from sandbox.stripe.errors import Obj
from sandbox.stripe.world import Call

Act = Callable[..., Obj]


@dataclass(frozen=True)
class Route:
    """One operation; `browser` says that a publishable key may call it."""

    method: str
    pattern: re.Pattern[str]
    op: str
    act: Act
    browser: bool = False

    def answer(self, call: Call, sent: Obj, ids: tuple[str, ...]) -> Obj:
        """Run the operation."""
        return self.act(call, sent, *ids)


def _route(line: str, op: str, act: Act, *, browser: bool = False) -> Route:
    method, path = line.split()
    pattern = re.compile("/v1/" + path.replace("{id}", "([A-Za-z0-9_-]+)"))
    return Route(method, pattern, op, act, browser)


ROUTES = [
    _route("POST payment_intents", "payment_intents.create", intents.create),
    _route("GET payment_intents", "payment_intents.list", intents.listing),
    _route("GET payment_intents/search", "payment_intents.search", search.payment_intents),
    _route("GET payment_intents/{id}", "payment_intents.retrieve", intents.retrieve, browser=True),
    _route("POST payment_intents/{id}", "payment_intents.update", intents.update),
    _route(
        "POST payment_intents/{id}/confirm",
        "payment_intents.confirm",
        intents.confirm_intent,
        browser=True,
    ),
    _route("POST payment_intents/{id}/capture", "payment_intents.capture", confirm.capture),
    _route("POST payment_intents/{id}/cancel", "payment_intents.cancel", confirm.cancel),
    _route("GET charges", "charges.list", charges.listing),
    _route("GET charges/{id}", "charges.retrieve", charges.retrieve),
    _route("POST charges/{id}", "charges.update", charges.update),
    _route("POST payment_methods", "payment_methods.create", methods.create, browser=True),
    _route("GET payment_methods", "payment_methods.list", methods.listing),
    _route("GET payment_methods/{id}", "payment_methods.retrieve", methods.retrieve),
    _route("POST payment_methods/{id}", "payment_methods.update", methods.update),
    _route("POST payment_methods/{id}/attach", "payment_methods.attach", methods.attach),
    _route("POST payment_methods/{id}/detach", "payment_methods.detach", methods.detach),
    _route("POST customers", "customers.create", customers.create),
    _route("GET customers", "customers.list", customers.listing),
    _route("GET customers/{id}", "customers.retrieve", customers.retrieve),
    _route("POST customers/{id}", "customers.update", customers.update),
    _route("DELETE customers/{id}", "customers.delete", customers.delete),
    _route(
        "GET customers/{id}/payment_methods",
        "customers.payment_methods.list",
        methods.listing_of_customer,
    ),
    _route("POST setup_intents", "setup_intents.create", setups.create),
    _route("GET setup_intents", "setup_intents.list", setups.listing),
    _route("GET setup_intents/{id}", "setup_intents.retrieve", setups.retrieve, browser=True),
    _route("POST setup_intents/{id}", "setup_intents.update", setups.update),
    _route(
        "POST setup_intents/{id}/confirm",
        "setup_intents.confirm",
        setups.confirm_intent,
        browser=True,
    ),
    _route("POST setup_intents/{id}/cancel", "setup_intents.cancel", setups.cancel),
    _route("POST checkout/sessions", "checkout.sessions.create", checkout.create),
    _route("GET checkout/sessions", "checkout.sessions.list", checkout.listing),
    _route("GET checkout/sessions/{id}", "checkout.sessions.retrieve", checkout.retrieve),
    _route("POST checkout/sessions/{id}", "checkout.sessions.update", checkout.update),
    _route("POST checkout/sessions/{id}/expire", "checkout.sessions.expire", checkout.expire),
    _route(
        "GET checkout/sessions/{id}/line_items",
        "checkout.sessions.line_items.list",
        checkout.list_items,
    ),
    _route("POST refunds", "refunds.create", refunds.create),
    _route("GET refunds", "refunds.list", refunds.listing),
    _route("GET refunds/{id}", "refunds.retrieve", refunds.retrieve),
    _route("POST refunds/{id}", "refunds.update", refunds.update),
    _route("POST refunds/{id}/cancel", "refunds.cancel", refunds.cancel),
    _route("POST coupons", "coupons.create", coupons.create),
    _route("GET coupons", "coupons.list", coupons.listing),
    _route("GET coupons/{id}", "coupons.retrieve", coupons.retrieve),
    _route("POST coupons/{id}", "coupons.update", coupons.update),
    _route("DELETE coupons/{id}", "coupons.delete", coupons.delete),
    _route("POST promotion_codes", "promotion_codes.create", promotions.create),
    _route("GET promotion_codes", "promotion_codes.list", promotions.listing),
    _route("GET promotion_codes/{id}", "promotion_codes.retrieve", promotions.retrieve),
    _route("POST promotion_codes/{id}", "promotion_codes.update", promotions.update),
    _route("POST invoices", "invoices.create", invoices.create),
    _route("GET invoices", "invoices.list", invoices.listing),
    _route("GET invoices/{id}", "invoices.retrieve", invoices.retrieve),
    _route("POST invoices/{id}", "invoices.update", invoices.update),
    _route("DELETE invoices/{id}", "invoices.delete", invoices.delete),
    _route("POST invoices/{id}/finalize", "invoices.finalize", invoices.finalize),
    _route("POST invoices/{id}/pay", "invoices.pay", invoices.pay),
    _route("POST invoices/{id}/void", "invoices.void", invoices.void),
    _route(
        "POST invoices/{id}/mark_uncollectible",
        "invoices.mark_uncollectible",
        invoices.mark_uncollectible,
    ),
    _route("POST invoiceitems", "invoiceitems.create", invoices.create_item),
    _route("GET invoiceitems", "invoiceitems.list", invoices.list_items),
    _route("GET invoiceitems/{id}", "invoiceitems.retrieve", invoices.retrieve_item),
    _route("GET disputes", "disputes.list", disputes.listing),
    _route("GET disputes/{id}", "disputes.retrieve", disputes.retrieve),
    _route("POST disputes/{id}", "disputes.update", disputes.update),
    _route("POST disputes/{id}/close", "disputes.close", disputes.close),
    _route("POST files", "files.create", files.create),
    _route("GET files/{id}", "files.retrieve", files.retrieve),
    _route("GET radar/early_fraud_warnings", "radar.warnings.list", radar.list_warnings),
    _route(
        "GET radar/early_fraud_warnings/{id}", "radar.warnings.retrieve", radar.retrieve_warning
    ),
    _route("GET reviews", "reviews.list", radar.list_reviews),
    _route("GET reviews/{id}", "reviews.retrieve", radar.retrieve_review),
    _route("POST reviews/{id}/approve", "reviews.approve", radar.approve),
    _route("GET events", "events.list", events.listing),
    _route("GET events/{id}", "events.retrieve", events.retrieve),
    _route("GET balance", "balance.retrieve", balance.retrieve),
    _route("GET balance_transactions", "balance_transactions.list", balance.list_transactions),
    _route(
        "GET balance_transactions/{id}",
        "balance_transactions.retrieve",
        balance.retrieve_transaction,
    ),
    _route("GET payouts", "payouts.list", payouts.listing),
    _route("GET payouts/{id}", "payouts.retrieve", payouts.retrieve),
    _route("POST payouts/{id}/cancel", "payouts.cancel", payouts.cancel),
    _route("GET account", "accounts.retrieve_current", balance.account),
    _route("GET accounts/{id}", "accounts.retrieve", balance.account),
    _route("GET webhook_endpoints", "webhook_endpoints.list", endpoints.listing),
    _route("POST webhook_endpoints", "webhook_endpoints.create", endpoints.create),
    _route("GET webhook_endpoints/{id}", "webhook_endpoints.retrieve", endpoints.retrieve),
    _route("POST webhook_endpoints/{id}", "webhook_endpoints.update", endpoints.update),
    _route("DELETE webhook_endpoints/{id}", "webhook_endpoints.delete", endpoints.delete),
]


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route of a request and the ids in its path."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path) if route.method == method else None
        if match:
            return route, match.groups()
    return None
