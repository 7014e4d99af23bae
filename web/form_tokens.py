"""The tokens of the desk's forms: signed and bound with the newest session key, good under any live one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from flask import Flask
from flask.globals import request_ctx
from flask_wtf.csrf import generate_csrf, validate_csrf  # type: ignore[import-untyped]
from wtforms.validators import ValidationError

from domain.secrets import secrets
from domain.secrets.secret_kinds import OURS, SESSION
from providers.deliveries import LiveSecret

FIELD = "csrf_token"


def live_keys() -> tuple[LiveSecret, ...]:
    """Give the live session keys, the one that signs first."""
    return secrets.live_or_last(OURS, SESSION)


def bound(token: str, key: LiveSecret) -> str:
    """Derive what the forms of a signed-in browser carry. token: its session's secret.

    It changes and dies with that session, and with the key.
    """
    return hmac.new(key.value.encode(), f"csrf|{token}".encode(), hashlib.sha256).hexdigest()


def make() -> str:
    """Make the token of this request's forms."""
    made: str = generate_csrf(secret_key=live_keys()[0].value)
    return made


def is_good(sent: str | None, token: str | None) -> bool:
    """Tell whether a form was drawn by us, for this very browser, under a key that is still live.

    token: the secret of the browser's session; None for a form that nobody need be signed in for.
    """
    for key in live_keys():
        if token:
            # Not through the marking __setitem__: it is derived again at each request, never stored.
            dict.__setitem__(request_ctx.session, FIELD, bound(token, key))  # type: ignore[index]  # Flask's is a dict
        try:
            validate_csrf(sent, secret_key=key.value)
        except ValidationError:
            continue
        secrets.note_use(key)
        return True
    return False


def register(app: Flask) -> None:
    """Give the templates their token; after Flask-WTF, whose own knows one key only."""
    made: dict[str, Callable[[], str]] = {FIELD: make}
    app.jinja_env.globals.update(made)
    app.context_processor(lambda: made)
