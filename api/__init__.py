"""The machine door: JSON in, a domain call, JSON out. One module per surface; no rules here."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from flask import Flask

# Each has `blueprint`; static segments before placeholders, so the order does not matter to Flask.
MODULES = (
    "api.auth",
    "api.people",
    "api.keys",
    "api.secrets",
    "api.audit",
    "api.orders",
    "api.payments",
    "api.marking",
    "api.refunds",
    "api.disputes",
    "api.approvals",
    "api.intents",
    "api.captures",
    "api.operations",
    "api.transactions_confirm",
    "api.trials",
    "api.payment_methods",
    "api.wallets",
    "api.transactions",
    "api.coupons",
    "api.exceptions",
    "api.exception_acts",
    "api.exception_rules",
    "api.freezes",
    "api.notices",
    "api.deadlines",
    "api.periods",
    "api.controls",
    "api.journal",
    "api.invoices",
    "api.credit_notes",
    "api.invoice_documents",
    "api.ledger",
    "api.reconciliation",
    "api.bank",
    "api.bank_lines",
    "api.trial_balances",
    "api.watch",
    "api.inbound",
    "api.webhooks",
    "api.events",
    "api.meta",
    "api.openapi",
    "api.reference",
    "api.touch",
)


def register(app: Flask) -> None:
    """Add every surface to the app."""
    for name in MODULES:
        if find_spec(name) is not None:
            app.register_blueprint(import_module(name).blueprint)
