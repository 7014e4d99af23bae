"""The secrets cockpit over the API: who may, values shown once, what is refused, what it never says."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import clock
from domain.database import reading
from domain.people import tokens
from domain.secrets import credential_uses, secrets
from models.audit import AuditRow
from models.events import EventLog
from tests.api import personas
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields, fresh_key, signature

STRONG = "whsec_" + "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def client(till: Till) -> FlaskClient:
    return till.app.test_client()


def one(client: FlaskClient, who: Personas, kind: str = "webhook") -> dict[str, Any]:
    secrets.adopt_all()
    answer = client.get(f"/api/secrets?kind={kind}", headers=who.ada.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["items"]
    assert len(found) == 1
    return found[0]


def rotate(
    client: FlaskClient, caller: Persona, secret_id: str, **body: object
) -> tuple[TestResponse, str]:
    key = fresh_key()
    sent = {"generate": True, "reason": "quarterly"} if not body else {"reason": "quarterly"} | body
    headers = caller.headers | {"Idempotency-Key": key}
    answer = client.post(f"/api/secrets/{secret_id}/versions", json=sent, headers=headers)
    return answer, key


def act(
    client: FlaskClient, caller: Persona, secret_id: str, number: int | str, verb: str, **more: Any
) -> TestResponse:
    path = f"/api/secrets/{secret_id}/versions/{number}/{verb}"
    return client.post(path, json={"reason": "leaked"} | more, headers=caller.headers)


def test_every_kind_is_listed_with_its_first_version_from_the_environment(
    client: FlaskClient, who: Personas
) -> None:
    secrets.adopt_all()
    listed = client.get("/api/secrets", headers=who.ann.headers).get_json()["items"]
    assert {row["kind"] for row in listed} >= {"webhook", "jwt", "session"}
    webhook = next(row for row in listed if row["kind"] == "webhook")
    assert webhook["provider"] == "stripe"
    assert webhook["endpoint"].endswith("/api/webhooks/stripe")
    assert [(row["version"], row["state"]) for row in webhook["versions"]] == [(1, "active")]
    assert webhook["verdict"]["safeToRetire"] is False and webhook["overdue"] is False
    narrowed = client.get("/api/secrets?provider=paydesk", headers=who.ed.headers)
    assert {row["provider"] for row in narrowed.get_json()["items"]} == {"paydesk"}


def test_only_admins_rotate_and_only_freshly_proved(client: FlaskClient, who: Personas) -> None:
    secret_id = one(client, who)["secretId"]
    for caller in (who.ed, who.ann, who.fin, who.sue, who.mel):
        assert rotate(client, caller, secret_id)[0].status_code == 403
    stale, _ = rotate(client, who.ada, secret_id)
    assert (stale.status_code, code(stale)) == (403, "STEP_UP_REQUIRED")
    for verb in ("retire", "revoke", "restore"):
        assert code(act(client, who.ada, secret_id, 1, verb)) == "STEP_UP_REQUIRED"
        assert code(act(client, personas.fresh(who.ed), secret_id, 1, verb)) == "FORBIDDEN"
    assert len(one(client, who)["versions"]) == 1


def test_a_generated_value_is_shown_once(client: FlaskClient, who: Personas) -> None:
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    made, key = rotate(client, ada, secret_id, generate=True)
    assert made.status_code == 201, made.text
    value = made.get_json()["value"]
    assert value.startswith("whsec_") and made.get_json()["retireAt"] is not None
    again = client.post(
        f"/api/secrets/{secret_id}/versions",
        json={"generate": True, "reason": "quarterly"},
        headers=ada.headers | {"Idempotency-Key": key},
    )
    assert (again.status_code, again.get_json()["value"]) == (201, None)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(one(client, who)["versions"]) == 2
    for path in ("/api/secrets", f"/api/secrets/{secret_id}"):
        assert value not in client.get(path, headers=ada.headers).text
    with reading() as session:
        kept = [str((row.body, row.source)) for row in session.query(EventLog)]
        kept += [str((row.after, row.reason, row.source)) for row in session.query(AuditRow)]
    assert not [said for said in kept if value in said]


def test_an_entered_value_is_not_echoed(client: FlaskClient, who: Personas) -> None:
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    made, _ = rotate(client, ada, secret_id, value=STRONG, overlapHours=1)
    assert (made.status_code, made.get_json()["value"]) == (201, None)
    assert STRONG not in made.text
    same, _ = rotate(client, ada, secret_id, value=STRONG)
    assert (same.status_code, code(same)) == (409, "CONFLICT")


def test_what_cannot_be_a_secret_is_refused_without_repeating_it(
    client: FlaskClient, who: Personas
) -> None:
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    weak, _ = rotate(client, ada, secret_id, value="whsec_weak")
    assert (weak.status_code, code(weak)) == (400, "SECRET_WEAK")
    assert "whsec_weak" not in weak.text
    for body in ({"value": STRONG, "generate": True}, {"overlapHours": 1}):
        answer, _ = rotate(client, ada, secret_id, **body)
        assert (answer.status_code, code(answer)) == (400, "VALIDATION_FAILED")
        assert STRONG not in answer.text
    long, _ = rotate(client, ada, secret_id, generate=True, overlapHours=721)
    assert fields(long) == ["overlapHours"]
    provider, _ = rotate(client, ada, one(client, who, "jwt")["secretId"], value="c2hvcnQ=")
    assert code(provider) == "SECRET_WEAK"


def test_deliveries_signed_with_old_and_new_come_in_until_the_old_is_revoked(
    till: Till, who: Personas
) -> None:
    client = till.app.test_client()
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    assert rotate(client, ada, secret_id, value=STRONG)[0].status_code == 201

    def deliver(secret: str) -> int:
        body = till.event("payment_intent.created", till.payment(who.bo))
        return till.deliver(body, Stripe_Signature=signature(body, secret=secret)).status_code

    assert [deliver("whsec_till"), deliver(STRONG)] == [200, 200]
    credential_uses.flush()
    refused = act(client, ada, secret_id, 1, "retire")
    assert (refused.status_code, code(refused)) == (409, "NOT_SAFE_TO_RETIRE")
    revoked = act(client, ada, secret_id, 1, "revoke")
    assert revoked.status_code == 200
    assert revoked.get_json()["forecast"] == {"inFlight": 1, "backfillable": 1}
    assert [row["state"] for row in revoked.get_json()["versions"]] == ["active", "revoked"]
    assert [deliver("whsec_till"), deliver(STRONG)] == [401, 200]
    assert code(act(client, ada, secret_id, 1, "restore")) == "CONFLICT"
    assert code(act(client, ada, secret_id, 2, "revoke")) == "LAST_LIVE_VERSION"


def test_uses_are_counted_and_drawn(till: Till, who: Personas) -> None:
    client = till.app.test_client()
    body = till.event("payment_intent.created", till.payment(who.bo))
    for _ in range(3):
        assert till.deliver(body).status_code == 200
    credential_uses.flush()
    secret = one(client, who)
    assert secret["versions"][0]["hits24h"] == 3
    for chart in ("24h", "7d"):
        path = f"/api/secrets/{secret['secretId']}?chart={chart}"
        hits = client.get(path, headers=who.ed.headers).get_json()["hits"]
        assert [(hit["version"], hit["count"]) for hit in hits] == [(1, 3)]
    wrong = client.get(f"/api/secrets/{secret['secretId']}?chart=1y", headers=who.ed.headers)
    assert wrong.status_code == 400


def test_a_retirement_is_set_for_later_or_forced(client: FlaskClient, who: Personas) -> None:
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    rotate(client, ada, secret_id, value=STRONG)
    at = clock.rfc3339(clock.after(7200))
    later = act(client, ada, secret_id, 1, "retire", at=at)
    assert later.get_json()["versions"][1] | {"createdAt": ""} == {
        "version": 1,
        "state": "retiring",
        "createdAt": "",
        "retireAt": at,
        "hits24h": 0,
        "lastHitAt": None,
    }
    assert fields(act(client, ada, secret_id, 1, "retire", at="2020-01-01T00:00:00Z")) == ["at"]
    forced = act(client, ada, secret_id, 1, "retire", force=True)
    assert forced.get_json()["versions"][1]["state"] == "retired"
    restored = act(client, ada, secret_id, 1, "restore")
    states = [row["state"] for row in restored.get_json()["versions"]]
    assert states == ["retiring", "active"]


@pytest.mark.parametrize("number", ["0", "9", "x", "-1", "99999999999999999999", "1.0", "\u0661"])
def test_a_version_that_is_not_there_is_not_found(
    client: FlaskClient, who: Personas, number: str
) -> None:
    secret_id, ada = one(client, who)["secretId"], personas.fresh(who.ada)
    for verb in ("retire", "revoke", "restore"):
        assert act(client, ada, secret_id, number, verb).status_code == 404
    assert act(client, ada, "sec_unknown", 1, "revoke").status_code == 404
    assert rotate(client, ada, "sec_unknown")[0].status_code == 404


def test_tokens_of_a_revoked_signing_key_are_refused(client: FlaskClient, who: Personas) -> None:
    secret_id, ada = one(client, who, "jwt")["secretId"], personas.fresh(who.ada)
    assert rotate(client, ada, secret_id)[0].status_code == 201
    assert client.get("/api/me", headers=ada.headers).status_code == 200
    assert act(client, ada, secret_id, 1, "revoke").status_code == 200
    refused = client.get("/api/me", headers=ada.headers)
    assert (refused.status_code, code(refused)) == (401, "UNAUTHENTICATED")
    issued = tokens.issue(who.ada.id, role="admin", kyc="approved")
    anew = {"Authorization": f"Bearer {issued.token}"}
    assert client.get("/api/me", headers=anew).status_code == 200


def test_only_a_webhook_secret_is_probed(client: FlaskClient, who: Personas) -> None:
    secret_id = one(client, who, "session")["secretId"]
    answer = client.post(f"/api/secrets/{secret_id}/probe", headers=who.ed.headers, json={})
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    webhook = one(client, who)["secretId"]
    assert client.post(f"/api/secrets/{webhook}/probe", headers=who.ann.headers).status_code == 403


def test_an_unreachable_public_url_is_said_so(client: FlaskClient, who: Personas) -> None:
    secret_id = one(client, who)["secretId"]
    answer = client.post(f"/api/secrets/{secret_id}/probe", headers=who.ed.headers)
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    assert (found["ok"], found["version"], found["statusCode"]) == (False, None, None)


def test_without_a_pass_nothing_is_sealed_anew(client: FlaskClient, who: Personas) -> None:
    answer = client.get("/api/secrets/reencryption", headers=who.ann.headers)
    assert answer.get_json() == {
        "masterKeyId": "k1",
        "done": 0,
        "total": 0,
        "rate": 0,
        "state": "idle",
    }


def test_an_api_key_is_rotated_with_an_overlap(client: FlaskClient, who: Personas) -> None:
    held, mel = who.mels_key, personas.fresh(who.mel)
    path = f"/api/merchants/{held.merchant_id}/api-keys/{held.id}/rotate"
    body = {"reason": "quarterly"}

    def send(caller: Persona, key: str) -> TestResponse:
        return client.post(path, json=body, headers=caller.headers | {"Idempotency-Key": key})

    assert code(send(who.mel, fresh_key())) == "STEP_UP_REQUIRED"
    assert send(personas.fresh(who.eve), fresh_key()).status_code == 404
    key = fresh_key()
    made, again = send(mel, key), send(mel, key)
    assert made.status_code == 201, made.text
    value = made.get_json()["key"]
    assert again.get_json() == made.get_json() | {"key": None}
    for credential in (held.key, value):
        headers = {"Authorization": f"Bearer {credential}"}
        assert client.get("/api/me", headers=headers).status_code == 200
    assert send(mel, fresh_key()).status_code == 409, "it has been rotated already"
    listed = client.get(path.rsplit("/", 2)[0], headers=mel.headers).get_json()["items"]
    assert sorted(row["state"] for row in listed) == ["active", "retiring"]


def test_without_an_overlap_the_old_api_key_is_refused(client: FlaskClient, who: Personas) -> None:
    held, ada = who.mels_key, personas.fresh(who.ada)
    client.get("/api/me", headers=held.headers)
    made = client.post(
        f"/api/merchants/{held.merchant_id}/api-keys/{held.id}/rotate",
        json={"reason": "leaked", "overlapHours": 0, "reference": "rotate-mels"},
        headers=ada.headers,
    )
    assert made.status_code == 201, made.text
    assert client.get("/api/me", headers=held.headers).status_code == 401
    anew = {"Authorization": f"Bearer {made.get_json()['key']}"}
    assert client.get("/api/me", headers=anew).status_code == 200


def test_the_provider_s_key_is_entered_and_used_for_the_next_call(
    app: Flask, make_app: Any, who: Personas
) -> None:
    from providers import registry

    del app
    made = make_app(STRIPE_SECRET_KEY="sk_test_of_the_environment")
    client = made.test_client()
    rail = registry.get("stripe")
    assert rail.is_configured
    secret_id, ada = one(client, who, "provider_key")["secretId"], personas.fresh(who.ada)
    value = "sk_test_" + "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0"
    assert code(rotate(client, ada, secret_id, generate=True)[0]) == "VALIDATION_FAILED"
    live = value.replace("test", "live")
    assert code(rotate(client, ada, secret_id, value=live)[0]) == "SECRET_WEAK"
    assert rotate(client, ada, secret_id, value=value, overlapHours=0)[0].status_code == 201
    assert secrets.key_of("stripe", "provider_key", False) == value
