"""Secrets put into every act of the cockpit, good and refused: none of them lies open in any table, log or answer."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

import pytest
from flask import Flask
from sqlalchemy import select

from domain.database import reading
from domain.jobs import secrets as duties
from domain.secrets import credential_uses, secret_queries, secrets
from models import Base
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, fresh_key
from tests.dashboard.desk import Desk
from web import logging

GOOD = {
    "webhook": "whsec_" + "CanaryZq3x7Lw9Rt2y5Uv8Kp4n6Mb1",
    "provider_key": "sk_test_" + "CanaryZq3x7Lw9Rt2y5Uv8Kp4n6",
    "session": "CanaryZq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0Session",
    "jwt": base64.b64encode(b"canary-jwt-signing-key-of-32-byt").decode(),
}
WEAK = {kind: f"canaryweak{kind}" for kind in GOOD}


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """Everything that this process prints."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        logging.configure()
        yield said
    logging.configure()


def stored() -> Iterator[tuple[str, bytes]]:
    """Give every value of every row of the database, as bytes."""
    with reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for column, value in zip(table.columns, row, strict=True):
                    said = (
                        bytes(value)
                        if isinstance(value, bytes | memoryview)
                        else str(value).encode()
                    )
                    yield f"{table.name}.{column.name}", said


def test_no_secret_lies_open_anywhere(app: Flask, who: Personas, printed: io.StringIO) -> None:
    Till.open(app)
    client, ada = app.test_client(), personas.fresh(who.ada)
    browser = Desk(app).browser(who.abe, fresh=True)
    canaries = [*GOOD.values(), *WEAK.values()]
    secrets.adopt_all()
    answers = []
    with reading() as session:
        held = {seen.row.kind: seen.row.id for seen in secret_queries.list_secrets(session)}
    for kind, secret_id in held.items():
        path = f"/api/secrets/{secret_id}/versions"
        for value in (WEAK[kind], GOOD[kind], GOOD[kind]):
            headers = ada.headers | {"Idempotency-Key": fresh_key()}
            body = {"value": value, "reason": "quarterly"}
            answers.append(client.post(path, json=body, headers=headers))
            answers.append(client.post(path, json=body | {"unknown": value}, headers=headers))
            form = {"value": value, "reason": "quarterly", "overlap": "1"}
            answers.append(browser.post(f"/secrets/{secret_id}/rotate", form))
        generated = client.post(
            path,
            json={"generate": True, "reason": "quarterly"},
            headers=ada.headers | {"Idempotency-Key": fresh_key()},
        )
        if generated.status_code == 201:
            canaries.append(generated.get_json()["value"])
        answers.append(client.get(f"/api/secrets/{secret_id}", headers=ada.headers))
        answers.append(browser.get(f"/secrets/{secret_id}"))
    held_key = who.mels_key
    base = f"/api/merchants/{held_key.merchant_id}/api-keys/{held_key.id}/rotate"
    made = client.post(
        base, json={"reason": "quarterly", "reference": "rotate-canary"}, headers=ada.headers
    )
    canaries += [held_key.key, made.get_json()["key"]]
    answers += [client.get(path, headers=ada.headers) for path in ("/api/secrets", "/api/audit")]
    answers += [browser.get(path) for path in ("/secrets", "/secrets/api-keys", "/audit", "/")]
    duties.look_after()
    credential_uses.flush()
    assert len(canaries) > 10
    found = [
        (place, canary[:12])
        for place, value in stored()
        for canary in canaries
        if canary.encode() in value
    ]
    assert found == []
    said = printed.getvalue() + "".join(answer.text for answer in answers)
    said += "".join(str(answer.headers) for answer in answers)
    assert [canary[:12] for canary in canaries if canary in said] == []
