"""Logs hold names, ids and states, and nothing that is secret, personal or a card's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask

from core.vault import Secret
from tests.api import personas
from tests.rig import environment
from web import logging as ours


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough."""
    return environment.settings(sqlite_url, instance)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what was logged since, line by line."""
    ours.configure()

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line]

    return read


CANARIES = {
    "visa": "4242424242424242",
    "amex": "3782 822463 10005",
    "master": "5555-5555-5555-4444",
    "webhook": "whsec_c4n4ryc4n4ryc4n4ryc4n4ry",
    "secret": "sk_live_c4n4ryc4n4ryc4n4ry",
    "restricted": "rk_test_c4n4ryc4n4ryc4n4ry",
    "own": "pd_live_0123456789abcdef_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ry4",
    "client": "pi_3Abc_secret_c4n4ryc4n4ry",
}


def test_secrets_and_cards_are_masked_wherever_they_stand(lines: Any) -> None:
    log = structlog.get_logger()
    for name, value in CANARIES.items():
        log.info("canary.plain", value=value)
        log.info("canary.inside", text=f"before {value} after", nested={"list": [value]})
        log.info(f"canary.event {value}", name=name)  # noqa: G004  # as nobody should
        try:
            raise ValueError(f"failed with {value}")
        except ValueError:
            log.exception("canary.raised")
    said = json.dumps(lines())
    for name, value in CANARIES.items():
        assert value not in said, name


def test_fields_that_are_secret_by_name_are_masked_whatever_they_hold(lines: Any) -> None:
    log = structlog.get_logger()
    names = (
        "password",
        "token",
        "authorization",
        "cookie",
        "email",
        "totp",
        "code",
        "body",
        "headers",
    )
    for name in names:
        log.info("canary.named", **{name: "canary-value", "deep": {name: "canary-value"}})
    log.info("canary.wrapped", key=Secret("canary-value"), deep=[Secret("canary-value")])
    found = lines()
    assert len(found) == len(names) + 1
    assert "canary-value" not in json.dumps(found)


def test_a_traceback_shows_no_locals(lines: Any) -> None:
    def fail() -> None:
        hidden = "canary-value" * 1
        raise RuntimeError(f"broke {len(hidden)}")

    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("canary.raised")
    (found,) = lines()
    assert "canary-value" not in json.dumps(found)
    assert found["exception"][0]["exc_type"] == "RuntimeError"
    assert found["exception"][0]["frames"][-1]["name"] == "fail"


def test_lines_stay_lines(lines: Any) -> None:
    structlog.get_logger().info("one.line", text='two\nlines {"event": "forged"}\r\n')
    assert len(lines()) == 1


def test_what_libraries_say_goes_the_same_way(lines: Any) -> None:
    logging.getLogger("some.library").warning("card 4242424242424242 failed")
    logging.getLogger("some.library").info("chatter")
    (found,) = lines()
    assert (found["event"], found["logger"], found["level"]) == (
        "library.said",
        "some.library",
        "warning",
    )
    assert "4242424242424242" not in json.dumps(found)


def test_a_request_is_named_in_what_it_logs(app: Flask, lines: Any) -> None:
    with app.test_request_context("/", headers={"X-Request-Id": "named-request-1"}):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    inside, outside = lines()
    assert inside["request_id"] == "named-request-1"
    assert "request_id" not in outside


def test_credentials_sent_to_every_route_reach_no_log(app: Flask, lines: Any) -> None:
    who = personas.Personas()
    client = app.test_client()
    key = who.mels_key
    for rule in app.url_map.iter_rules():
        path = str(rule).replace("<path:filename>", "x")
        path = "/".join("x_1" if part.startswith("<") else part for part in path.split("/"))
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            if str(rule).endswith("/stream"):
                continue
            answer = client.open(
                path,
                method=method,
                headers={"Authorization": f"Bearer {key.key}", "Idempotency-Key": "canary-key-1"},
                json={"note": CANARIES["visa"], "secret": CANARIES["secret"]},
            )
            answer.close()
            wrong = client.open(
                path, method=method, headers={"Authorization": f"Bearer {key.key}x"}
            )
            wrong.close()
    body = {"email": "canary@people.test", "password": "canary password"}
    client.post("/api/auth/token", json=body)
    said = json.dumps(lines())
    secret = key.key.split("_", 3)[-1]
    for canary in (key.key, secret, "canary password", "canary@people.test", *CANARIES.values()):
        assert canary not in said
