"""Every endpoint against every caller: strangers 401, wrong roles 403, and no answer that is not documented."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase

from api.contract import ENDPOINTS, Endpoint
from core.permissions import HOLDERS, SCOPES, Permission
from core.states import Role
from tests.api import personas
from tests.api.personas import Personas
from tests.rig import environment

# These answer for as long as somebody listens.
STREAMS = {"/api/events/stream", "/api/events/self-test"}
# It would end the very token that the next knock needs.
ENDS_ITSELF = {"/api/auth/token"}
# These say no to some whom the door lets in, for reasons of their own; tests of theirs say which.
MORE_REASONS = {"/api/users/{userId}/sessions", "/api/exceptions/{caseId}"}


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: the doors are the same before both."""
    return environment.settings(sqlite_url, instance)


def guarded() -> list[tuple[Endpoint, Permission]]:
    return [(each, each.who) for each in ENDPOINTS.values() if isinstance(each.who, Permission)]


def knock(client: FlaskClient, found: Endpoint, headers: dict[str, str], **more: Any) -> Any:
    path = found.path.replace("{", "x_").replace("}", "")
    answer = client.open(path, method=found.method, headers=headers, **more)
    answer.close()
    return answer


def test_strangers_get_401_whatever_they_send(app: Flask, client: FlaskClient) -> None:
    del app
    assert len(guarded()) > 20
    for found, _ in guarded():
        bodies: list[dict[str, Any]] = [{}]
        if found.method != "GET":
            bodies += [{"json": {"x": 1}}, {"data": b"{", "content_type": "application/json"}]
        for body in bodies:
            for headers in ({}, {"Idempotency-Key": "x"}, {"Cookie": "paydesk_session=guess"}):
                answer = knock(client, found, headers, **body)
                assert answer.status_code == 401, found.name
                assert answer.json["error"]["code"] == "UNAUTHENTICATED", found.name


def test_each_role_passes_exactly_the_doors_that_are_its_own(
    client: FlaskClient, who: Personas
) -> None:
    for found, permission in guarded():
        if found.path in STREAMS | ENDS_ITSELF:
            continue
        for role in Role:
            answer = knock(client, found, who.by_role(role).headers)
            is_shut = answer.status_code == 403 and answer.json["error"]["code"] == "FORBIDDEN"
            if role not in HOLDERS[permission]:
                assert is_shut, f"{found.name} {role}"
            elif found.path not in MORE_REASONS:
                assert not is_shut, f"{found.name} {role}"


def test_a_key_passes_with_its_scope_only(client: FlaskClient, who: Personas) -> None:
    bare = personas.key(who.merchant("Mel's"), scopes=("withdrawals:request",), name="bare")
    for found, permission in guarded():
        if found.path in STREAMS | ENDS_ITSELF | MORE_REASONS:
            continue
        narrow, full = (
            knock(client, found, bare.headers),
            knock(client, found, who.mels_key.headers),
        )
        scope = SCOPES.get(permission)
        if permission not in SCOPES or Role.MERCHANT not in HOLDERS[permission]:
            for answer in (narrow, full):
                assert (answer.status_code, answer.json["error"]["code"]) == (403, "FORBIDDEN"), (
                    found.name
                )
        elif scope is not None:
            assert narrow.json["error"]["code"] == "SCOPE_MISSING", found.name
            assert narrow.json["error"]["details"] == {"scope": scope}
            assert full.status_code != 403, found.name


def test_no_input_breaks_an_endpoint_and_every_answer_is_documented(
    app: Flask, who: Personas
) -> None:
    callers = [who.ada.headers, who.bo.headers, who.mels_key.headers, {}]
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    bad: Counter[str] = Counter()
    asked = 0
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    for result in schema.get_all_operations():
        operation = result.ok()
        known = operation.definition.raw
        if operation.path in STREAMS or not known["x-who"] or "401" not in known["responses"]:
            continue
        for mode in modes:
            asked += _tried(operation, mode, callers, bad)
    assert asked > 150
    assert bad == {}


def _tried(operation: Any, mode: Any, callers: list[dict[str, str]], bad: Counter[str]) -> int:
    asked = 0

    @hypothesis.settings(
        max_examples=4,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Any) -> None:
        nonlocal asked
        headers = dict(callers[asked % len(callers)])
        asked += 1
        status = case.call(headers=headers).status_code
        if str(status) not in operation.definition.raw["responses"] or status == 500:
            bad[f"{operation.label} {status}"] += 1

    tried()
    return asked
