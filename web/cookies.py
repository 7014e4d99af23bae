"""The desk's cookies: the session's secret, and Flask's small signed session, whose CSRF secret is bound to it."""

from __future__ import annotations

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer

from config import Settings
from domain.people.sessions import ABSOLUTE_SECONDS
from domain.secrets import secrets
from providers.deliveries import LiveSecret
from web import form_tokens
from web.form_tokens import FIELD
from web.identity import cookie_name

# Requests to these never carry a person; opening a session would only cost them time.
WITHOUT_SESSION = ("/api/webhooks/", "/static/", "/healthz")


class BoundSessions(SecureCookieSessionInterface):
    """Flask's signed cookie for flashes and the login form, under the live session keys of the store.

    Once somebody is signed in, the CSRF secret is derived from the desk session itself, so that it
    changes and dies with it.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Open the session of one request, or none where nobody can be signed in."""
        if request.path.startswith(WITHOUT_SESSION):
            return None
        settings: Settings = app.config["PAYDESK"]
        opened = self.session_class(self._content(app, request))
        token = request.cookies.get(cookie_name(settings))
        if token:
            # Not through the marking __setitem__: it is derived again at each request, never stored.
            dict.__setitem__(opened, FIELD, form_tokens.bound(token, form_tokens.live_keys()[0]))
        return opened

    def _content(self, app: Flask, request: Request) -> dict[str, object]:
        """Read what the cookie says, if a live key signed it."""
        sent = request.cookies.get(self.get_cookie_name(app))
        if not sent:
            return {}
        for key in form_tokens.live_keys():
            longest = int(app.permanent_session_lifetime.total_seconds())
            try:
                content: dict[str, object] = self._serializer(key).loads(sent, max_age=longest)
            except BadSignature:
                continue
            secrets.note_use(key)
            return content
        return {}

    def _serializer(self, key: LiveSecret) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            key.value,
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={
                "key_derivation": self.key_derivation,
                "digest_method": self.digest_method,
            },
        )

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        """Give what signs the cookie: the newest key."""
        del app
        return self._serializer(form_tokens.live_keys()[0])

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the session, without the derived secret."""
        settings: Settings = app.config["PAYDESK"]
        if session.modified and cookie_name(settings) in request.cookies:
            session.pop(FIELD, None)
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
