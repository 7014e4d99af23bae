"""Probes, metrics, status, the error catalogue, policy reports, and both descriptions of the API."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

import config
import wsgi
from api import catalogue, openapi
from core import clock
from domain import database, presence
from domain.database import transaction
from models.operations import Operation
from tests.api.apps import Make
from tests.api.personas import Personas


def test_healthz_asks_no_database(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "engine", lambda: pytest.fail("it asked the database"))
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_readyz_is_degraded_without_worker_and_ready_with_one(make_app: Make) -> None:
    client = make_app().test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert (answer.json["migrations"], answer.json["workers"]) == ("at head", 0)
    app = make_app(STRIPE_SECRET_KEY="sk_test_x")
    with transaction() as session:
        presence.beat(session, presence.identify("worker"))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"], answer.json["workers"]) == (200, "ready", 1)


def test_readyz_says_503_when_migrations_are_behind(client: FlaskClient) -> None:
    from sqlalchemy import text

    with transaction() as session:
        session.execute(text("update alembic_version set version_num = '0000'"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def broken(instance: Path) -> Flask:
    """An app whose database does not answer."""
    from tests.rig import environment

    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    return wsgi.create_app(config.load(environment.settings(url, instance)))


def test_without_database_probes_and_routes_say_so(broken: Flask) -> None:
    client = broken.test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["database"]) == (503, "unreachable")
    for path in ("/api/status", "/api/me"):
        token = {"Authorization": "Bearer pd_test_0000000000000000_" + "A" * 43}
        answer = client.get(path, headers=token)
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0


def test_metrics_are_prometheus_text_with_counts_of_what_waits(client: FlaskClient) -> None:
    client.get("/healthz")
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {"paydesk_inbound_events_open", "paydesk_operations_open", "paydesk_requests"} <= set(
        families
    )
    routes = {sample.labels["route"] for sample in families["paydesk_requests"].samples}
    assert "/healthz" in routes


def test_in_production_metrics_take_a_token_or_a_role(make_app: Make) -> None:
    import base64
    import os

    def key() -> str:
        return "k1:" + base64.b64encode(os.urandom(32)).decode()

    env = {
        "PAYDESK_ENV": "production",
        "SECRET_KEY": "x9" * 20,
        "MASTER_KEYS": key(),
        "JWT_KEYS": key(),
        "PUBLIC_URL": "https://pay.example",
        "METRICS_TOKEN": "metrics-token-1",
    }
    client = make_app(**env).test_client()
    ask = {"base_url": "https://pay.example"}
    assert client.get("/metrics", **ask).status_code == 401
    for header in ("Bearer metrics-token-2", "metrics-token-1", "Bearer "):
        assert client.get("/metrics", headers={"Authorization": header}, **ask).status_code == 401
    good = {"Authorization": "Bearer metrics-token-1"}
    assert client.get("/metrics", headers=good, **ask).status_code == 200
    from tests.api import personas

    who = personas.Personas()
    assert client.get("/metrics", headers=who.ed.headers, **ask).status_code == 200
    assert client.get("/metrics", headers=who.bo.headers, **ask).status_code == 403
    assert client.get("/healthz", base_url="https://evil.example").status_code == 400


def test_every_error_code_has_its_meaning(client: FlaskClient) -> None:
    items = client.get("/api/errors").json["items"]
    assert {row["code"] for row in items} == set(catalogue.MEANINGS)
    assert all(row["meaning"] and row["whatToDo"] and 400 <= row["status"] < 600 for row in items)


def test_every_code_that_the_code_raises_is_in_the_catalogue() -> None:
    root = Path(wsgi.__file__).parent
    named = set()
    for room in ("core", "domain", "api", "web"):
        for path in (root / room).rglob("*.py"):
            named |= set(
                re.findall(r'\bcode\s*=\s*"([A-Z][A-Z_]+)"', path.read_text(encoding="utf-8"))
            )
    # What is no refusal: an answer 202, and a fact that becomes an exception case.
    assert named - set(catalogue.MEANINGS) - {"PROVIDER_UNKNOWN", "UNMAPPED_VALUE"} == set()


def _operation(number: int, state: str) -> Operation:
    now = clock.now()
    return Operation(
        id=f"op_{number}",
        kind="create_intent",
        business_key=f"test:{number}",
        provider="stripe",
        provider_key=f"key-{number}",
        epoch=1,
        request={},
        request_hash="x",
        state=state,
        attempts=1,
        fence=1,
        actor="test",
        created_at=now,
        updated_at=now,
    )


def test_the_public_status_follows_what_providers_answer(make_app: Make) -> None:
    client = make_app(STRIPE_SECRET_KEY="sk_test_x").test_client()
    assert client.get("/api/status").json["state"] == "ok"
    with transaction() as session:
        session.add_all(_operation(number, "unknown") for number in range(3))
    answer = client.get("/api/status").json
    assert (answer["state"], answer["rails"][0]["state"]) == ("outage", "outage")
    with transaction() as session:
        session.add(_operation(9, "succeeded"))
    assert client.get("/api/status").json["state"] == "degraded"


def test_policy_reports_are_counted_and_never_break_anything(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {
        "csp-report": {
            "effective-directive": "script-src",
            "blocked-uri": "https://evil.example/x?card=4242424242424242",
        }
    }
    new = [
        {"type": "csp-violation", "body": {"effectiveDirective": "img-src", "blockedURL": "inline"}}
    ]
    for media, body in (
        ("application/csp-report", json.dumps(old).encode()),
        ("application/reports+json", json.dumps(new).encode()),
        ("application/csp-report", b"{broken"),
        ("application/csp-report", b"[1, null, {}]"),
        ("", b""),
    ):
        answer = client.post("/csp-reports", data=body, content_type=media)
        assert (answer.status_code, answer.data) == (204, b"")
    assert client.post("/csp-reports", data=b"x" * 70_000).status_code == 413
    said = capsys.readouterr().err
    assert "https://evil.example" in said
    assert "4242424242424242" not in said
    assert 'directive="script-src"' in client.get("/metrics").text


def test_the_description_is_openapi_and_names_every_endpoint(
    app: Flask, client: FlaskClient
) -> None:
    said = client.get("/api/openapi.json").json
    assert said["openapi"].startswith("3.1")
    documented = {
        (method.upper(), re.sub(r"\{(\w+)\}", r"<\1>", path))
        for path, operations in said["paths"].items()
        for method in operations
    }
    routed = {
        (method, str(rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if str(rule).startswith(
            ("/api/", "/v1/", "/healthz", "/readyz", "/metrics", "/csp-reports")
        )
    }
    assert routed - documented == {("GET", "/api/docs")}
    assert documented <= routed


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(item) for item in value))
    return set()


def test_every_reference_of_the_description_leads_somewhere(client: FlaskClient) -> None:
    said = client.get("/api/openapi.json").json
    known = {f"#/components/schemas/{name}" for name in said["components"]["schemas"]}
    assert _references(said) <= known
    ids = [row["operationId"] for path in said["paths"].values() for row in path.values()]
    assert len(ids) == len(set(ids))


def test_every_guarded_operation_documents_its_refusals(app: Flask) -> None:
    del app
    for path, operations in openapi.document()["paths"].items():
        for method, row in operations.items():
            if row["security"]:
                assert {"401", "403", "429", "500", "503"} <= set(row["responses"]), (
                    f"{method} {path}"
                )


def test_the_reference_page_shows_every_operation(client: FlaskClient, who: Personas) -> None:
    del who
    answer = client.get("/api/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    for path, operations in openapi.document()["paths"].items():
        for row in operations.values():
            assert f'id="{row["operationId"]}"' in answer.text, path
    assert "CARD_NUMBER_REFUSED" in answer.text
