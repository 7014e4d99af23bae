"""The application: `gunicorn 'wsgi:create_app()'`. Puts the parts together; does no work at import."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import api
import commands
import config
from config import Settings
from domain import calendar, crash
from domain.control import thresholds
from domain.mail import mails
from domain.payments import trial_terms
from domain.people import passwords, retention
from domain.secrets import keyring, person_keys, secrets
from domain.watch import checkpoints
from providers import registry
from web import (
    access,
    cookies,
    counters,
    errors,
    extensions,
    form_tokens,
    gate,
    headers,
    logging,
    requests,
)

ROOT = Path(__file__).parent
BODY_BYTES = 256 * 1024
FORM_BYTES, FORM_PARTS = 64 * 1024, 100


def _trusted_hosts(settings: Settings) -> list[str] | None:
    """Choose the hosts we answer to; in production never just any."""
    hosts = list(settings.trusted_hosts)
    if settings.is_production and not hosts:
        hosts = [urlsplit(settings.public_url).hostname or ""]
    # Probes of this very machine ask by these names.
    return [*hosts, "localhost", "127.0.0.1"] if hosts else None


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        PAYDESK=settings,
        SECRET_KEY=settings.secret_key.reveal(),
        MAX_CONTENT_LENGTH=BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=FORM_BYTES,
        MAX_FORM_PARTS=FORM_PARTS,
        TRUSTED_HOSTS=_trusted_hosts(settings),
        SESSION_COOKIE_NAME="__Host-paydesk_form" if settings.is_https else "paydesk_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_https,
        # `web/gate.py` calls the check where a cookie is what lets the caller in.
        WTF_CSRF_CHECK_DEFAULT=False,
        # A form is as good as its session; that ends by itself.
        WTF_CSRF_TIME_LIMIT=None,
        # The Origin and Fetch-Metadata check stands in for the Referer's.
        WTF_CSRF_SSL_STRICT=False,
        TEMPLATES_AUTO_RELOAD=False,
        PROPAGATE_EXCEPTIONS=False,
    )
    if settings.is_https:
        # Whoever speaks TLS for us stands directly before us and says whom it speaks for.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]


def _configure_domain(settings: Settings) -> None:
    keyring.configure(settings)
    person_keys.configure(settings)
    retention.configure(settings)
    mails.configure(settings)
    passwords.configure(cheap=settings.env == "test")
    registry.configure(settings, keys=secrets.key_of)
    secrets.configure(settings)
    thresholds.configure(settings)
    trial_terms.configure(settings)
    calendar.configure(settings)
    checkpoints.configure(settings)
    crash.arm(settings.crashpoint)


class Application(Flask):
    """Flask, knowing that no view or hook of ours is a coroutine: asking each costs microseconds."""

    request_class = requests.OurRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function as it is."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application. settings: read from the environment when None.

    Nothing here connects to the database or starts a thread, so processes may fork afterwards.
    Raises: config.BadSettings, web.access.NotDeclared
    """
    settings = settings or config.load()
    logging.configure()
    app = Application("paydesk", root_path=str(ROOT))
    _configure(app, settings)
    _configure_domain(settings)
    app.session_interface = cookies.BoundSessions()
    extensions.start(app, settings)
    form_tokens.register(app)
    errors.register(app)
    gate.register(app)
    headers.register(app, settings)
    counters.register(app)
    api.register(app)
    if find_spec("dashboard") is not None and hasattr(import_module("dashboard"), "register"):
        import_module("dashboard").register(app)
    commands.register(app)
    access.assert_complete(app)
    return app
