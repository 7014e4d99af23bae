"""What every answer carries: security headers, CORS for trusted frontends, the request's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, current_app, request

from config import Settings
from providers import registry
from web import access, limits, origins
from web.requests import request_id

CORS_PATHS = ("/api/", "/v1/")
NO_CORS_PATHS = ("/api/webhooks/",)
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Paydesk-Version, X-Client-Token, "
    "X-CSRF-Token, X-Request-Id"
)
EXPOSED_HEADERS = (
    "Deprecation, Idempotent-Replayed, Link, Location, Paydesk-Version, RateLimit-Limit, "
    "RateLimit-Remaining, RateLimit-Reset, Retry-After, Sunset, X-Request-Id"
)
_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "microphone",
    "usb",
)
PERMISSIONS = ", ".join(f"{name}=()" for name in _FEATURES) + ", payment=(self {origins})"
YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Policies:
    """The headers of this installation, put together once. api, desk, pay: one set for each kind of answer."""

    api: tuple[tuple[str, str], ...]
    desk: tuple[tuple[str, str], ...]
    pay: tuple[tuple[str, str], ...]
    static: tuple[tuple[str, str], ...]


def content_policy(*, scripts: str = "", frames: str = "", connects: str = "") -> str:
    """Write the content security policy: nothing but our own files, no inline script or style.

    Source: CSP level 3; reliability 4.14; Stripe's list https://docs.stripe.com/security/guide
    """
    return (
        f"default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self'{connects}; form-action 'self'; frame-src {frames or 'none'}; "
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; manifest-src 'self'; "
        "report-uri /csp-reports"
    ).replace("frame-src none", "frame-src 'none'")


def stripe_policy() -> tuple[str, str]:
    """Give the policy of the pay pages and the origins that may ask for payment features."""
    script = origins.origin_of(registry.get("stripe").js_url)
    if script == "https://js.stripe.com":
        frames, connects = f"{script} https://hooks.stripe.com", " https://api.stripe.com"
    else:
        frames, connects = script, f" {script}"
    return content_policy(scripts=f" {script}", frames=frames, connects=connects), f'"{script}"'


def policies(settings: Settings) -> Policies:
    """Put the headers of each kind of answer together."""
    common = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin")]
    if settings.is_https:
        hsts = f"max-age={YEAR_SECONDS}; includeSubDomains"
        common.append(("Strict-Transport-Security", hsts))
    pay_policy, pay_origins = stripe_policy()
    closed = PERMISSIONS.replace("payment=(self {origins})", "payment=()")
    isolated = [("Cross-Origin-Opener-Policy", "same-origin")]
    isolated.append(("Cross-Origin-Resource-Policy", "same-origin"))
    shown = [("X-Frame-Options", "DENY"), ("Cache-Control", "no-store")]
    api = [("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")]
    api += [("Cache-Control", "no-store"), ("Vary", "Origin")]
    desk = [*isolated, *shown, ("Permissions-Policy", closed)]
    desk.append(("Content-Security-Policy", content_policy()))
    # A bank's challenge may open a window that must still know its opener.
    pay = [("Cross-Origin-Opener-Policy", "same-origin-allow-popups"), *shown]
    pay.append(("Permissions-Policy", PERMISSIONS.format(origins=pay_origins)))
    pay.append(("Content-Security-Policy", pay_policy))
    static = [("Cross-Origin-Resource-Policy", "same-origin")]
    return Policies(
        api=(*common, *api),
        desk=(*common, *desk),
        pay=(*common, *pay),
        static=(*common, *static),
    )


def _kind(found: Policies) -> tuple[tuple[str, str], ...]:
    path = request.path
    if path.startswith("/static/"):
        return found.static
    if path.startswith(CORS_PATHS) and path != "/api/docs":
        return found.api
    view = current_app.view_functions.get(request.endpoint or "")
    rule = access.of(view) if view else None
    return found.pay if rule is not None and rule.loads_stripe else found.desk


def _share(response: Response, settings: Settings) -> None:
    """Let a trusted frontend read the answer; nobody else, and never with a star."""
    origin = request.headers.get("Origin")
    if origin is None or not origins.is_allowed(origin, settings):
        return
    if request.path.startswith(CORS_PATHS) and not request.path.startswith(NO_CORS_PATHS):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


def preflight() -> Response | None:
    """Answer a browser's question whether a trusted frontend may send a request."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    settings: Settings = current_app.config["PAYDESK"]
    response = Response(status=204)
    _share(response, settings)
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def register(app: Flask, settings: Settings) -> None:
    """Put the headers on every answer of this app."""
    found = policies(settings)
    app.after_request(_writer(found, settings))


def _writer(found: Policies, settings: Settings) -> Callable[[Response], Response]:
    def write(response: Response) -> Response:
        headers = response.headers
        headers.add("X-Request-Id", request_id())
        if request.path.startswith(NO_CORS_PATHS):
            # A sender of webhooks is no browser, and here each microsecond counts.
            headers.add("X-Content-Type-Options", "nosniff")
            headers.add("Cache-Control", "no-store")
            return response
        _write_policies(response, _kind(found))
        if settings.cors_origins:
            _share(response, settings)
        limits.write_headers(response)
        return response

    return write


def _write_policies(response: Response, policy: tuple[tuple[str, str], ...]) -> None:
    headers = response.headers
    there = {name.lower() for name in headers.keys()}  # noqa: SIM118  # iterating gives pairs
    for name, value in policy:
        if name == "Vary" and "vary" in there:
            response.vary.add(value)
        elif name.lower() not in there:
            headers.add(name, value)
