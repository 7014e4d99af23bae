"""The one place where an error becomes an answer: JSON in the style of its surface, or a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, make_response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from core.errors import AppError, Conflict, SamePerson, Unavailable
from domain import refusals
from web import wire
from web.extensions import IntegrityError, is_outage
from web.requests import request_id

log = structlog.get_logger()
Page = Callable[[AppError, str], Response | str]
_PAGE_HOOK = "paydesk_error_page"
# HTTP's own refusals in our words: status → (code, sentence).
_OF_HTTP: Mapping[int, tuple[str, str]] = {
    400: ("VALIDATION_FAILED", "The request cannot be read."),
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method."),
    406: ("NOT_ACCEPTABLE", "We cannot answer in a form that you accept."),
    411: ("LENGTH_REQUIRED", "Send the body with a Content-Length, not in chunks."),
    413: ("BODY_TOO_LARGE", "The body is larger than this address takes."),
    414: ("VALIDATION_FAILED", "The address is too long."),
    415: ("UNSUPPORTED_MEDIA", "Send JSON: Content-Type application/json, not encoded."),
    429: ("RATE_LIMITED", "Too many requests. Wait, then try again."),
    431: ("VALIDATION_FAILED", "The headers are too large."),
}


def http_error(status: int) -> AppError:
    """Make one of HTTP's own refusals as an error of ours."""
    code, message = _OF_HTTP.get(status, ("INTERNAL", AppError.message))
    error = AppError(message, code=code)
    error.http_status = status
    return error


def is_api(path: str) -> bool:
    """Tell whether a path belongs to the machine door."""
    return path.startswith(("/api/", "/v1/", "/healthz", "/readyz", "/metrics"))


def is_wrapped(path: str) -> bool:
    """Tell whether a path's surface wraps its errors in `{"success": false}`."""
    return path == "/api/payment" or path.startswith(("/api/payment/", "/v1/"))


def document(error: AppError, *, path: str, request_id: str) -> dict[str, Any]:
    """Write an error as JSON in the style of its surface (surface §1)."""
    provider = error.provider
    said: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "provider": {"reference": provider.reference, "code": provider.code} if provider else None,
        "requestId": request_id,
    }
    if is_wrapped(path):
        return {"success": False, "message": error.message, "error": said}
    return {"error": said}


def headers_of(error: AppError) -> dict[str, str]:
    """Give the headers that go with an error."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    elif error.http_status in (429, 503):
        headers["Retry-After"] = "5"
    if error.http_status == 401 and is_api(request.path):
        headers["WWW-Authenticate"] = 'Bearer realm="paydesk"'
    return headers


def show_pages_with(app: Flask, page: Page) -> None:
    """Let the desk draw its own error pages: `page(error, request_id)` gives the body."""
    app.extensions[_PAGE_HOOK] = page


def _plain_page(error: AppError, request_id: str) -> str:
    return f"{error.http_status} {error.code}\n{error.message}\nRequest {request_id}\n"


def _page(error: AppError, name: str) -> Response:
    page: Page | None = current_app.extensions.get(_PAGE_HOOK)
    if page is not None:
        try:
            return make_response(page(error, name))
        except Exception as broken:  # noqa: BLE001  # whoever asks must still learn what went wrong
            _log_failure(broken)
    return Response(_plain_page(error, name), content_type="text/plain; charset=utf-8")


def respond(error: AppError) -> Response:
    """Answer the present request with an error."""
    name = request_id()
    if is_api(request.path):
        body = document(error, path=request.path, request_id=name)
        return wire.answer(body, error.http_status, headers_of(error))
    response = _page(error, name)
    response.status_code = error.http_status
    response.headers.update(headers_of(error))
    return response


def translate(error: Exception) -> AppError:
    """Give the error of ours that stands for any exception; an unknown one says nothing of itself."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, HTTPException):
        return http_error(error.code or 500)
    if is_outage(error):
        return Unavailable()
    if isinstance(error, IntegrityError):
        return Conflict()
    return AppError()


def _on_http(error: HTTPException) -> Response:
    if error.code and error.code < 400:
        return make_response(error.get_response())
    response = respond(translate(error))
    if isinstance(error, WrongMethod) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _on_app_error(error: AppError) -> Response:
    if error.http_status >= 500 and error.code == AppError.code:
        _log_failure(error)
    note_refusal(error)
    return respond(error)


def _is_refusal(error: AppError) -> bool:
    """Tell whether somebody tried what is not theirs; to be asked for a fresh proof is no refusal."""
    return error.code == SamePerson.code or (
        error.http_status == 403 and error.code != "STEP_UP_REQUIRED"
    )


def note_refusal(error: AppError) -> None:
    """Write a refusal down for whoever reads the audit log; the answer never depends on it.

    Whoever shows a form again instead of raising the error calls it too; other errors are passed over.
    Transaction: opens its own, after the refused work was rolled back.
    """
    principal = g.get("paydesk_principal")
    rule = request.url_rule
    if principal is None or rule is None or not _is_refusal(error):
        return
    try:
        refusals.note(
            principal.actor,
            route=rule.rule,
            method=request.method,
            # A link that opens an account is written down nowhere.
            path=rule.rule if "<token>" in rule.rule else request.path,
            code=error.code,
        )
    except Exception as broken:
        if not is_outage(broken):
            raise
        log.warning("refusal.not_written", error=type(broken).__name__)


def _on_anything(error: Exception) -> Response:
    found = translate(error)
    if isinstance(found, Unavailable):
        log.warning("database.unavailable", error=type(error).__name__)
    else:
        _log_failure(error)
    return respond(found)


def _log_failure(error: Exception) -> None:
    # The formatter writes the stack without locals; `g` marks the request for the metrics.
    g.paydesk_failed = True
    log.error("request.failed", endpoint=request.endpoint, exc_info=error)


def register(app: Flask) -> None:
    """Translate every error of this app."""
    app.register_error_handler(AppError, _on_app_error)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(Exception, _on_anything)
