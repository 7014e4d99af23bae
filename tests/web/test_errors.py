"""Every error becomes an answer of its surface and says nothing of our insides."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, abort
from sqlalchemy.exc import IntegrityError, OperationalError

from core.errors import AppError, PaymentDeclined, ProviderReference, RailNotConfigured, RateLimited
from tests.rig import environment
from web import access, errors
from web.access import Door


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: nothing here reaches it."""
    return environment.settings(sqlite_url, instance)


@pytest.fixture
def failing(app: Flask) -> dict[str, Any]:
    """The app with routes that raise whatever `raises` holds."""
    raises: dict[str, Any] = {}
    blueprint = Blueprint("failing", __name__)

    def fail() -> str:
        secret = "canary-local-value"
        if raises["error"] is None:
            return secret
        raise raises["error"]

    for path in ("/api/failing", "/api/payment/failing", "/v1/failing", "/failing"):
        door = Door.PAGE if path == "/failing" else Door.API
        # Each route needs a view of its own to be marked.
        view: Any = partial(fail)
        name = path.strip("/").replace("/", "-")
        blueprint.add_url_rule(path, name, access.public("test", door=door)(view))
    app.register_blueprint(blueprint)
    return raises


SAID = "canary: password=hunter2 host=10.0.0.5"
CASES: list[tuple[Exception, int, str]] = [
    (RuntimeError(SAID), 500, "INTERNAL"),
    (KeyError(SAID), 500, "INTERNAL"),
    (OperationalError("select canary", {}, Exception(SAID)), 503, "DATABASE_UNAVAILABLE"),
    (IntegrityError("insert canary", {"p": SAID}, Exception(SAID)), 409, "CONFLICT"),
    (RateLimited(retry_after=7), 429, "RATE_LIMITED"),
    (RailNotConfigured("card"), 503, "RAIL_NOT_CONFIGURED"),
    (RecursionError(SAID), 500, "INTERNAL"),
]


def test_each_error_has_its_status_and_tells_nothing_of_our_insides(
    app: Flask, failing: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client = app.test_client()
    for error, status, code in CASES:
        failing["error"] = error
        for path in ("/api/failing", "/api/payment/failing", "/v1/failing"):
            answer = client.get(path)
            assert (answer.status_code, answer.json["error"]["code"]) == (status, code), path
            assert answer.json["error"]["requestId"] == answer.headers["X-Request-Id"]
            assert ("success" in answer.json) == (path != "/api/failing")
            assert "canary" not in answer.text
            assert ("Retry-After" in answer.headers) == (status in (429, 503))
        page = client.get("/failing")
        assert page.status_code == status
        assert "canary" not in page.text
        assert page.headers["X-Request-Id"] in page.text
    said = capsys.readouterr().err
    assert "canary-local-value" not in said
    assert "request.failed" in said


def test_a_provider_error_keeps_its_reference_and_code(app: Flask, failing: dict[str, Any]) -> None:
    failing["error"] = PaymentDeclined(
        details={"stripeCode": "card_declined", "retryable": False},
        provider=ProviderReference("pi_1", "insufficient_funds"),
    )
    answer = app.test_client().get("/api/failing")
    assert (answer.status_code, answer.json["error"]["code"]) == (402, "PAYMENT_FAILED")
    assert answer.json["error"]["provider"] == {"reference": "pi_1", "code": "insufficient_funds"}
    assert answer.json["error"]["details"]["stripeCode"] == "card_declined"


def test_https_own_refusals_are_told_in_our_shape(app: Flask, failing: dict[str, Any]) -> None:
    failing["error"] = None
    client = app.test_client()
    wrong = client.post("/api/failing")
    assert (wrong.status_code, wrong.json["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in wrong.headers["Allow"]
    assert client.get("/api/none").json["error"]["code"] == "NOT_FOUND"
    assert client.get("/none").status_code == 404
    assert client.get("/healthz", headers={"Accept": "text/html"}).status_code == 200


def test_pages_are_drawn_by_the_desk_when_it_offers_to(app: Flask, failing: dict[str, Any]) -> None:
    def draw(error: AppError, request_id: str) -> str:
        return f"<h1>{error.code}</h1>{request_id}"

    errors.show_pages_with(app, draw)
    failing["error"] = RuntimeError("x")
    answer = app.test_client().get("/failing")
    assert (answer.status_code, answer.content_type) == (500, "text/html; charset=utf-8")
    assert answer.text.startswith("<h1>INTERNAL</h1>req_")


def test_a_page_that_cannot_be_drawn_still_says_what_went_wrong(app: Flask) -> None:
    def broken(error: AppError, request_id: str) -> str:
        raise RuntimeError(f"template of {error.code} for {request_id}")

    errors.show_pages_with(app, broken)
    answer = app.test_client().get("/none-such")
    assert (answer.status_code, answer.content_type) == (404, "text/plain; charset=utf-8")
    assert "NOT_FOUND" in answer.text


def test_an_abort_is_told_too(app: Flask) -> None:
    blueprint = Blueprint("aborting", __name__)

    @blueprint.get("/api/aborting/<int:status>")
    @access.public("test", door=Door.API)
    def aborting(status: int) -> str:
        abort(status)

    app.register_blueprint(blueprint)
    for status in (400, 404, 405, 406, 413, 415, 429):
        answer = app.test_client().get(f"/api/aborting/{status}")
        assert answer.status_code == status
        assert answer.json["error"]["code"] != "INTERNAL"
