"""What stands before every view: a known host, a preflight's answer, and the rule of the page asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, redirect, request
from flask_login import LoginManager, UserMixin
from werkzeug.wrappers import Response as BaseResponse

from core.errors import Forbidden, Unauthenticated
from core.permissions import Permission
from domain.actors import Actor
from web import access, headers, identity
from web.access import Door, Kind
from web.errors import http_error

# A file of 10 MiB with the fields and borders of its form around it.
FILE_FORM_BYTES = 10 * 1024 * 1024 + 64 * 1024
FORM_PIECE_BYTES = 256 * 1024


class Person(UserMixin):  # type: ignore[misc]  # flask-login is published without types
    """The signed-in person as Flask-Login and the templates know them."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.id = actor.id


class _Manager(LoginManager):  # type: ignore[misc]  # as above
    def _update_remember_cookie(self, response: Response) -> Response:
        # Sessions are rows; there is no cookie to be remembered by.
        return response


def _load(_: object) -> Person | None:
    found = identity.viewer()
    return Person(found.actor) if found is not None else None


def _login_manager(app: Flask) -> None:
    manager = _Manager()
    manager.session_protection = None
    manager.request_loader(_load)
    manager.init_app(app)


def to_login() -> BaseResponse:
    """Send a browser to the login page, and back here afterwards when that is safe to repeat."""
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    response = redirect(f"/login?next={quote(target, safe='')}", code=303)
    if request.headers.get("HX-Request") == "true":
        # A fragment's place would hold the login page; let htmx load it as a page.
        response = Response(status=204, headers={"HX-Redirect": response.location})
    return response


def _page_actor() -> Actor | None:
    """Give the person behind the desk's cookie; a token or key opens no page."""
    if "Authorization" in request.headers:
        raise Unauthenticated("Desk pages take the desk's own sign-in only.")
    found = identity.principal()
    return found.actor if found is not None else None


def _check_page(rule: access.Access) -> BaseResponse | None:
    if rule.kind == Kind.PUBLIC:
        _assert_form_is_ours()
        return None
    person = _page_actor()
    if person is None:
        return to_login()
    if rule.takes_files and rule.permission is not None and person.may(rule.permission):
        make_room()
    actor = identity.require().actor
    if rule.permission is not None and not actor.may(rule.permission):
        raise Forbidden
    return None


def make_room() -> None:
    """Let this request, and no other, be as large as a file; its token is read from the same form."""
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        # What comes in chunks would be cut where the limit is, without a word.
        raise http_error(411)
    request.max_content_length = FILE_FORM_BYTES
    # Also bounds what the parser looks at in one piece; as large as its pieces, it refuses at random.
    request.max_form_memory_size = FORM_PIECE_BYTES


def _assert_form_is_ours() -> None:
    """Check the token of a form that nobody need be signed in for, such as the login's."""
    if request.method not in identity.SAFE:
        identity.assert_meant(request)


def _check_metrics() -> None:
    settings = identity.settings()
    if not settings.is_production:
        return
    given = request.headers.get("Authorization", "")
    if settings.metrics_token and identity.is_same_secret(given, settings.metrics_token):
        return
    if not identity.require().actor.may(Permission.METRICS_READ):
        raise Forbidden


def _before() -> BaseResponse | None:
    rule_of_url = request.url_rule
    if rule_of_url is None:
        return headers.preflight()
    view = current_app.view_functions[rule_of_url.endpoint]
    rule = access.of(view)
    if rule is None:
        raise Forbidden
    if "HTTP_HOST" not in request.environ:
        raise http_error(400)
    if rule.kind == Kind.SIGNATURE:
        return None
    if request.method == "OPTIONS":
        return headers.preflight()
    if rule.kind == Kind.METRICS:
        _check_metrics()
        return None
    return _check_page(rule) if rule.door == Door.PAGE else None


def _static_is_public(app: Flask) -> None:
    static: Any = app.view_functions.get("static")
    if static is not None:
        access.public("style, scripts and fonts of the desk")(static)


def register(app: Flask) -> None:
    """Stand before every view of this app."""
    _login_manager(app)
    _static_is_public(app)
    app.before_request(_before)
