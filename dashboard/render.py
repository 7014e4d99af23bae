"""Turns what a view prepared into a page, a fragment or a redirect; the only file that knows htmx-flask."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlsplit

import htmx_flask
from flask import Flask, Response, current_app, flash, g, get_flashed_messages, redirect, request
from flask import render_template as fill
from htmx_flask.requests import HtmxHeaders

from config import Settings
from core.errors import AppError, NotFound
from dashboard import chrome, faults, stream
from dashboard.shapes import Alert, View
from domain.actors import Actor
from web import errors, identity

NOTICE = "notice"
STREAM = "paydesk_stream"
# The groups of pages with parts that change by themselves.
LIVE = frozenset(
    f"desk_{name}"
    for name in (
        *("home", "payments", "payment", "payment_acts", "orders", "order"),
        *("webhooks", "webhook", "exceptions", "exception"),
        *("approvals", "freezes", "refunds", "refund", "secrets", "secret_keys"),
        *("users", "user", "wallet", "disputes", "dispute"),
        *("journal", "journal_entry", "account_statement", "ledger"),
        *("invoices", "invoice", "credit_notes"),
        *("periods", "period"),
        *("reconciliation", "reconciliation_run"),
        *("bank_payouts", "bank_payout"),
        *("providers", "deadlines"),
        *("bank_lines", "bank_line", "bank_statements"),
        "watch",
    )
)


def wants_fragment() -> bool:
    """Tell whether htmx asks for a part of a page, not for the page."""
    # Its own request class would read these headers of every request, of webhooks too.
    asked = HtmxHeaders(request.headers)
    return bool(asked) and not asked.boosted and not asked.history_restore_request


def actor() -> Actor:
    """Give the signed-in person."""
    return identity.require().actor


def settings() -> Settings:
    """Give the settings of the running app."""
    found: Settings = current_app.config["PAYDESK"]
    return found


def theme() -> str:
    """Give the theme the person chose, or `auto`.

    Only who was found already is asked: a page that says what went wrong must not fail itself.
    """
    found: identity.Principal | None = g.get("paydesk_principal")
    return (found.theme if found else None) or "auto"


def tell(alert: Alert) -> None:
    """Say something above the next page that this browser loads."""
    flash(asdict(alert), NOTICE)  # type: ignore[arg-type]  # kept as JSON, so a dict is as good


def _told() -> list[Alert]:
    return [Alert(**said) for said in get_flashed_messages(category_filter=[NOTICE])]  # type: ignore[arg-type]


def page(template: str, view: View, *, status: int = 200, live: bool = True) -> Response:
    """Show a page of the desk with its frame. live: it holds parts that change by themselves."""
    frame = chrome.frame(actor(), settings(), path=request.path)
    frame |= {
        "theme": theme(),
        "here": request.full_path.rstrip("?") if request.method == "GET" else "/",
        "flashes": _told(),
        "stream_url": g.get(STREAM) if live else None,
    }
    return _html(fill(template, **(frame | view)), status)


def plain(template: str, view: View, *, status: int = 200) -> Response:
    """Show a page without the desk's frame: sign-in, public status, pay pages."""
    frame = {"environment": chrome.environment(settings()), "theme": theme(), "flashes": _told()}
    return _html(fill(template, **(frame | view)), status)


def fragment(template: str, view: View, *, page_href: str) -> Response:
    """Give a part of a page to htmx; a person who opens its address gets the page it belongs to."""
    if not wants_fragment():
        return to(page_href)
    return part(template, view)


def part(template: str, view: View, *, status: int = 200) -> Response:
    """Give a part of a page, whoever asks."""
    return _html(fill(template, **view), status)


def to(href: str) -> Response:
    """Send the browser to another page of ours; inside htmx, the whole page goes there."""
    if wants_fragment():
        answer: Response = htmx_flask.make_response("", 204, redirect=href)
        return answer
    return redirect(href, code=303)  # type: ignore[return-value]  # werkzeug's own class is served as well


def _html(text: str, status: int) -> Response:
    return Response(text, status=status, content_type="text/html; charset=utf-8")


def local(href: str | None) -> str | None:
    """Give an address back when it is a path of this desk, else None.

    Source: OWASP unvalidated redirects cheat sheet; browsers read a backslash as a slash
    """
    if not href or not href.startswith("/") or href.startswith(("//", "/\\")):
        return None
    parts = urlsplit(href)
    is_path = not parts.scheme and not parts.netloc and "\\" not in href
    return href if is_path and href.isprintable() else None


def storable(text: str) -> str:
    """Give a text as every database can hold it: no NUL, no lone surrogates, plain line ends."""
    text = text.replace("\0", "").replace("\r\n", "\n")
    return text.encode(errors="ignore").decode().strip()


def typed(name: str) -> str:
    """Read one field of the form."""
    return storable(request.form.get(name, ""))


def error_page(error: AppError, request_id: str) -> Response:
    """Draw an error as a page, or as the small alert that fits into a fragment."""
    problem = faults.problem(error, request_id)
    if wants_fragment():
        return part("errors/_fragment.html", {"problem": problem}, status=error.http_status)
    view: View = {"problem": problem, "theme": theme(), "flashes": []}
    return _html(fill("errors/page.html", **view), error.http_status)


def _note_place() -> None:
    """Note where the event log stands before anything is read, so that the page misses nothing."""
    is_page = request.method == "GET" and request.blueprint in LIVE and not wants_fragment()
    if is_page and g.get("paydesk_principal") is not None:
        setattr(g, STREAM, stream.url())


def _assert_names() -> None:
    """Answer 404 for a name in the path that no row can bear, before a database chokes on it.

    Raises: NotFound
    """
    names = (request.view_args or {}).values()
    if any(isinstance(name, str) and storable(name) != name for name in names):
        raise NotFound


def register(app: Flask) -> None:
    """Draw the desk's error pages on an app."""
    app.before_request(_assert_names)
    app.before_request(_note_place)
    errors.show_pages_with(app, error_page)
