"""The human door: form in, domain call, page or fragment out. Rules live in `domain/`, looks in `templates/`."""

from __future__ import annotations

from flask import Flask

from dashboard import (
    account,
    account_links,
    approvals,
    attachments,
    auditing,
    banners,
    code_app,
    controlling,
    exceptions,
    freezes,
    freezing,
    home,
    marking,
    notifying,
    order_views,
    orders,
    own_password,
    passkey_pages,
    pay,
    payment_acts,
    payment_views,
    payments,
    render,
    renewing,
    replaying,
    roles,
    rule_acts,
    rule_forms,
    rules,
    search,
    second_step,
    session,
    status,
    step_up,
    stream,
    user_acts,
    user_links,
    user_page,
    users,
    webhook_views,
    webhooks,
)

PAGES = (
    session,
    second_step,
    home,
    payments,
    payment_views,
    payment_acts,
    marking,
    orders,
    order_views,
    webhooks,
    webhook_views,
    replaying,
    exceptions,
    rules,
    rule_forms,
    rule_acts,
    attachments,
    approvals,
    freezes,
    freezing,
    controlling,
    banners,
    auditing,
    roles,
    users,
    user_links,
    user_page,
    user_acts,
    account,
    account_links,
    notifying,
    step_up,
    code_app,
    passkey_pages,
    own_password,
    renewing,
    search,
    status,
    pay,
)


def register(app: Flask) -> None:
    """Add the desk's pages to an app, and its error pages."""
    render.register(app)
    for module in PAGES:
        app.register_blueprint(module.routes)
    app.register_blueprint(stream.blueprint)
