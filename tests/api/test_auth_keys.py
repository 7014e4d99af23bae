"""API keys: made and shown once, scoped to their merchant and mode, refused in browsers, dead when revoked."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock
from domain.database import reading
from domain.people import keys
from models.people import ApiKey
from tests.api import personas
from tests.api.personas import Personas
from web import identity

MELS = "Mel's"
SCOPES = ["orders:read", "payments:read"]


def code(answer: Any) -> str:
    return str(answer.json["error"]["code"])


def make(client: FlaskClient, who: Personas, *, caller: Any = None, **more: object) -> Any:
    body = {
        "name": "shop",
        "environment": "test",
        "scopes": SCOPES,
        "reference": "make-key-1",
    } | more
    owner = who.merchant("Mel's")
    return client.post(
        f"/api/merchants/{owner}/api-keys", json=body, headers=(caller or who.mel).headers
    )


def test_a_key_is_shown_once(client: FlaskClient, who: Personas) -> None:
    made = make(client, who)
    assert made.status_code == 201
    key = made.json["key"]
    assert keys.FORM.fullmatch(key)
    again = make(client, who)
    assert (again.status_code, again.json["key"]) == (201, None)
    assert again.json["keyId"] == made.json["keyId"]
    listed = client.get(f"/api/merchants/{who.merchant(MELS)}/api-keys", headers=who.mel.headers)
    assert [row["keyId"] for row in listed.json["items"]] == [made.json["keyId"]]
    assert key.split("_", 3)[-1] not in listed.text
    me = client.get("/api/me", headers={"Authorization": f"Bearer {key}"})
    assert (me.json["keyId"], me.json["scopes"]) == (made.json["keyId"], sorted(SCOPES))
    assert (me.json["environment"], me.json["merchantId"]) == ("test", who.merchant("Mel's"))


def test_only_a_hash_of_the_secret_is_stored(client: FlaskClient, who: Personas) -> None:
    key = make(client, who).json["key"]
    with reading() as session:
        row = session.scalars(select(ApiKey)).one()
    secret = key.removeprefix(f"{row.prefix}_")
    assert len(secret) == 43
    assert secret not in str(vars(row))


def test_a_live_key_needs_an_approved_merchant_and_a_fresh_second_factor(
    client: FlaskClient, who: Personas
) -> None:
    fresh = personas.merchant("New", state="intake")
    body = {"name": "live", "environment": "live", "scopes": SCOPES}
    headers = who.ada.headers | {"Idempotency-Key": "live-key-1"}
    answer = client.post(f"/api/merchants/{fresh}/api-keys", json=body, headers=headers)
    assert (answer.status_code, code(answer)) == (403, "MERCHANT_NOT_APPROVED")
    answer = make(client, who, environment="live")
    assert (answer.status_code, code(answer)) == (403, "STEP_UP_REQUIRED")


def test_a_bad_wish_is_refused(client: FlaskClient, who: Personas) -> None:
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"environment": "prod"}, "environment"),
        ({"name": ""}, "name"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"merchantId": "mer_other"}, "merchantId"),
        ({"livemode": True}, "livemode"),
        ({"secretHash": "x"}, "secretHash"),
    ]
    for more, field in wishes:
        answer = make(client, who, **more)
        assert answer.status_code == 400
        assert [row["field"] for row in answer.json["error"]["details"]["fields"]] == [field]


def test_two_live_keys_of_one_name_are_refused(client: FlaskClient, who: Personas) -> None:
    assert make(client, who).status_code == 201
    assert code(make(client, who, reference="make-key-2")) == "CONFLICT"


def test_another_merchants_keys_do_not_exist(client: FlaskClient, who: Personas) -> None:
    owner = who.merchant("Mel's")
    key = who.mels_key
    url = f"/api/merchants/{owner}/api-keys"
    unknown = "/api/merchants/mer_00000000000000000000000000/api-keys"
    for method, path in (("get", url), ("post", url), ("delete", f"{url}/{key.id}")):
        body = (
            {"json": {"name": "x", "environment": "test", "scopes": SCOPES}}
            if method == "post"
            else {}
        )
        headers = who.eve.headers | {"Idempotency-Key": f"foreign-{method}-1"}
        foreign = getattr(client, method)(path, headers=headers, **body)
        headers |= {"Idempotency-Key": f"unknown-{method}-1"}
        missing = getattr(client, method)(path.replace(url, unknown), headers=headers, **body)
        assert foreign.status_code == missing.status_code == 404
        assert {**foreign.json["error"], "requestId": 0} == {
            **missing.json["error"],
            "requestId": 0,
        }
    assert client.get("/api/me", headers=key.headers).status_code == 200


def test_who_may_not_see_keys(client: FlaskClient, who: Personas) -> None:
    path = f"/api/merchants/{who.merchant(MELS)}/api-keys"
    for caller in (who.sue, who.fin, who.ed, who.bo, who.sal):
        answer = client.get(path, headers=caller.headers)
        assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")


def test_a_key_manages_no_keys(client: FlaskClient, who: Personas) -> None:
    assert make(client, who, caller=who.mels_key).status_code == 403


def test_a_revoked_key_is_dead(client: FlaskClient, who: Personas) -> None:
    key = who.mels_key
    assert client.get("/api/me", headers=key.headers).status_code == 200
    path = f"/api/merchants/{key.merchant_id}/api-keys/{key.id}?reason=leaked"
    assert client.delete(path, headers=who.mel.headers).status_code == 204
    assert client.get("/api/me", headers=key.headers).status_code == 401
    assert client.delete(path, headers=who.mel.headers).status_code == 204
    rows = client.get("/api/audit?action=api_key.revoke", headers=who.ann.headers).json["items"]
    assert [(row["reason"], row["object"]["id"]) for row in rows] == [("leaked", key.id)]


def test_a_key_is_refused_in_a_browser(client: FlaskClient, who: Personas) -> None:
    answer = client.get(
        "/api/me", headers=who.mels_key.headers | {"Origin": "https://shop.example"}
    )
    assert (answer.status_code, code(answer)) == (403, "KEY_IN_BROWSER")


def test_a_key_of_wrong_secret_prefix_or_form_is_nobody(client: FlaskClient, who: Personas) -> None:
    key = who.mels_key.key
    for wrong in (
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key.replace("pd_test_", "pd_live_"),
        key + "x",
        key[:30],
        "pd_test_",
        "pd_test_0000000000000000_" + "A" * 43,
    ):
        answer = client.get("/api/me", headers={"Authorization": f"Bearer {wrong}"})
        assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED"), wrong


def test_a_key_ends_at_its_time_and_with_its_merchants_suspension(
    client: FlaskClient, who: Personas
) -> None:
    from domain.database import transaction
    from models.people import Merchant

    key = who.mels_key
    with transaction() as session:
        session.get_one(ApiKey, key.id).expires_at = clock.after(-1)
    identity.forget_cached()
    assert client.get("/api/me", headers=key.headers).status_code == 401
    with transaction() as session:
        session.get_one(ApiKey, key.id).expires_at = None
    identity.forget_cached()
    assert client.get("/api/me", headers=key.headers).status_code == 200
    with transaction() as session:
        session.get_one(Merchant, key.merchant_id).state = "suspended"
    identity.forget_cached()
    assert client.get("/api/me", headers=key.headers).status_code == 401


def test_the_last_use_is_written_down(client: FlaskClient, who: Personas) -> None:
    key = who.mels_key
    client.get("/api/me", headers=key.headers)
    listed = client.get(f"/api/merchants/{key.merchant_id}/api-keys", headers=who.ada.headers)
    assert listed.json["items"][0]["lastUsedAt"] is not None


def test_an_unknown_key_costs_the_same_comparison(
    who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def counting(left: str, right: str) -> bool:
        compared.append((left, right))
        return bool(real(left, right))

    monkeypatch.setattr(hmac, "compare_digest", counting)
    with reading() as session:
        for credential in (who.mels_key.key, "pd_test_0000000000000000_" + "A" * 43, "pd_test_x"):
            keys.find_key(session, credential)
    assert len(compared) == 3
    assert all(len(left) == len(right) == 64 for left, right in compared)
