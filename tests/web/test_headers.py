"""Security headers, CORS, hosts: what every answer carries and whom it is shared with."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.apps import Make
from tests.rig import environment
from tests.web.pages import Desk

SHOP = "https://shop.example"


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough; one trusted frontend."""
    return environment.settings(
        sqlite_url, instance, CORS_ORIGINS=f"{SHOP},https://two.example:8443"
    )


def _production(make_app: Make, **more: str) -> Flask:
    keys = dict.fromkeys(("MASTER_KEYS", "JWT_KEYS"), "k1:" + "QUJDRA" * 7 + "Q=")
    made = {
        "PAYDESK_ENV": "production",
        "SECRET_KEY": "y8" * 20,
        "PUBLIC_URL": "https://pay.example",
    }
    return make_app(**(keys | made | more))


def test_every_answer_carries_the_basic_headers(desk: Desk, client: FlaskClient) -> None:
    del desk
    for path in (
        "/healthz",
        "/api/me",
        "/api/nope",
        "/nope",
        "/knock/open",
        "/knock/pay",
        "/static/css/base.css",
    ):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["X-Request-Id"].startswith("req_"), path
        assert "Strict-Transport-Security" not in headers
        assert "Server" not in headers


def test_the_api_is_never_stored_and_runs_nothing(client: FlaskClient) -> None:
    headers = client.get("/api/errors").headers
    assert headers["Cache-Control"] == "no-store"
    assert "Origin" in headers["Vary"]
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_desk_pages_run_nothing_but_our_own_files(desk: Desk, client: FlaskClient) -> None:
    del desk
    headers = client.get("/knock/open").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
        "manifest-src": "'self'",
        "report-uri": "/csp-reports",
    }
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "payment=()" in headers["Permissions-Policy"]


def test_pay_pages_alone_may_load_stripe(make_app: Make) -> None:
    for url, script, frames, connects in (
        (
            "https://js.stripe.com/v3/",
            "https://js.stripe.com",
            "https://js.stripe.com https://hooks.stripe.com",
            "https://api.stripe.com",
        ),
        (
            "http://127.0.0.1:8421/v3/",
            "http://127.0.0.1:8421",
            "http://127.0.0.1:8421",
            "http://127.0.0.1:8421",
        ),
    ):
        from tests.web import pages

        desk = pages.mount(make_app(STRIPE_JS_URL=url))
        client = desk.app.test_client()
        policy = client.get("/knock/pay").headers["Content-Security-Policy"]
        assert f"script-src 'self' {script};" in policy
        assert f"frame-src {frames};" in policy
        assert f"connect-src 'self' {connects};" in policy
        assert "unsafe" not in policy
        assert script not in client.get("/knock/open").headers["Content-Security-Policy"]


def test_over_https_browsers_stay_there(make_app: Make) -> None:
    client = _production(make_app).test_client()
    headers = client.get("/healthz", base_url="https://pay.example").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_production_answers_to_its_own_hosts_only(make_app: Make) -> None:
    client = _production(make_app).test_client()
    for host, status in (
        ("pay.example", 200),
        ("localhost", 200),
        ("evil.example", 400),
        ("pay.example.evil.example", 400),
    ):
        assert client.get("/healthz", base_url=f"https://{host}").status_code == status, host
    named = _production(make_app, TRUSTED_HOSTS="one.example,.two.example").test_client()
    for host, status in (("one.example", 200), ("a.two.example", 200), ("pay.example", 400)):
        assert named.get("/healthz", base_url=f"https://{host}").status_code == status, host


def test_a_request_without_host_is_refused(app: Flask) -> None:
    from werkzeug.test import EnvironBuilder, run_wsgi_app

    surroundings = EnvironBuilder(path="/healthz").get_environ()
    del surroundings["HTTP_HOST"]
    assert run_wsgi_app(app.wsgi_app, surroundings)[1].startswith("400")


def test_only_a_tls_terminator_may_say_who_asks(app: Flask, make_app: Make) -> None:
    seen: list[tuple[str | None, str]] = []

    def note(each: Flask) -> None:
        @each.before_request
        def look() -> None:
            from flask import request

            seen.append((request.remote_addr, request.scheme))

    secure = _production(make_app)
    for each in (app, secure):
        note(each)
    forwarded = {
        "X-Forwarded-For": "198.51.100.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
    }
    app.test_client().get("/healthz", headers=forwarded)
    answer = secure.test_client().get("/healthz", headers=forwarded, base_url="http://pay.example")
    assert answer.status_code == 200
    assert seen == [("127.0.0.1", "http"), ("198.51.100.9", "https")]


def test_trusted_frontends_are_shared_with_and_no_others(client: FlaskClient) -> None:
    for origin in (SHOP, "https://two.example:8443", "HTTPS://SHOP.EXAMPLE"):
        headers = client.get("/api/errors", headers={"Origin": origin}).headers
        assert headers["Access-Control-Allow-Origin"] == origin
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "Idempotent-Replayed" in headers["Access-Control-Expose-Headers"]
        assert "Origin" in headers["Vary"]
    for origin in (
        "https://evil.example",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://shop.example:444",
        "null",
        "*",
        "",
    ):
        headers = client.get("/api/errors", headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in headers, origin
        assert "Origin" in headers["Vary"]


def test_preflights_are_answered_for_trusted_frontends(client: FlaskClient) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    good = client.options("/api/auth/token", headers=asked | {"Origin": SHOP})
    assert good.status_code == 204
    assert "Idempotency-Key" in good.headers["Access-Control-Allow-Headers"]
    assert "POST" in good.headers["Access-Control-Allow-Methods"]
    bad = client.options("/api/auth/token", headers=asked | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in bad.headers
    assert "Access-Control-Allow-Methods" not in bad.headers


def test_errors_are_shared_too(client: FlaskClient) -> None:
    answer = client.get("/api/me", headers={"Origin": SHOP})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP


def test_pages_and_webhooks_are_shared_with_nobody(desk: Desk, client: FlaskClient) -> None:
    del desk
    for path in ("/knock/open", "/api/webhooks/stripe", "/healthz"):
        assert (
            "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": SHOP}).headers
        )


def test_a_callers_request_name_is_kept_when_it_has_the_form(client: FlaskClient) -> None:
    assert (
        client.get("/healthz", headers={"X-Request-Id": "my-request-1"}).headers["X-Request-Id"]
        == "my-request-1"
    )
    for bad in ("short", "x" * 65, "with space", "semi;colon12", "ümlaut-12345"):
        assert (
            client.get("/healthz", headers={"X-Request-Id": bad})
            .headers["X-Request-Id"]
            .startswith("req_")
        )


def test_limits_are_counted_per_principal_and_per_address(make_app: Make) -> None:
    from tests.api import personas
    from web import limits

    client = make_app(RATE_LIMITS="on").test_client()
    who = personas.Personas()
    first = client.get("/api/me", headers=who.bo.headers).headers
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("1200", "1199")
    assert 1 <= int(first["RateLimit-Reset"]) <= 60
    for number in range(limits.PER_ADDRESS.amount):
        answer = client.get("/api/errors")
        assert answer.status_code == 200, number
    over = client.get("/api/errors")
    assert (over.status_code, over.json["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(over.headers["Retry-After"]) >= 1
    assert over.headers["RateLimit-Remaining"] == "0"
    # A wrong credential is counted by address; a right one has a limit of its own.
    assert client.get("/api/me", headers={"Authorization": "Bearer guess"}).status_code == 429
    assert client.get("/api/me", headers=who.bo.headers).status_code == 200
    assert "RateLimit-Limit" not in client.get("/healthz").headers
