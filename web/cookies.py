"""The desk's cookies: the session's secret, and Flask's small signed session, whose CSRF secret is bound to it."""

from __future__ import annotations

import hashlib
import hmac

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from config import Settings
from domain.sessions import ABSOLUTE_SECONDS
from web.identity import cookie_name

# Requests to these never carry a person; opening a session would only cost them time.
WITHOUT_SESSION = ("/api/webhooks/", "/static/", "/healthz")
_FIELD = "csrf_token"


class BoundSessions(SecureCookieSessionInterface):
    """Flask's signed cookie for flashes and the login form.

    Once somebody is signed in, the CSRF secret is derived from the desk session itself, so that it
    changes and dies with it.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Open the session of one request, or none where nobody can be signed in."""
        if request.path.startswith(WITHOUT_SESSION):
            return None
        opened = super().open_session(app, request)
        settings: Settings = app.config["PAYDESK"]
        token = request.cookies.get(cookie_name(settings))
        if opened is not None and token:
            secret = settings.secret_key.reveal().encode()
            bound = hmac.new(secret, f"csrf|{token}".encode(), hashlib.sha256).hexdigest()
            # Not through the marking __setitem__: it is derived again at each request, never stored.
            dict.__setitem__(opened, _FIELD, bound)
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the session, without the derived secret."""
        settings: Settings = app.config["PAYDESK"]
        if session.modified and cookie_name(settings) in request.cookies:
            session.pop(_FIELD, None)
        super().save_session(app, session, response)


def set_session(response: Response, token: str, settings: Settings) -> None:
    """Give the browser its desk session's secret."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=ABSOLUTE_SECONDS,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Take the desk session's secret from the browser."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.is_https, httponly=True, samesite="Lax"
    )
