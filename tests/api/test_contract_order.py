"""The checks of a call come in the order of surface §1, each with its own code."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from core.states import Kyc, Role
from tests.api import personas
from tests.api.personas import Personas
from tests.api.probe import Probe

THINGS = "/api/probe/things"
KEY = {"Idempotency-Key": "key-0123456789"}


def code(answer: Any) -> str:
    return str(answer.json["error"]["code"])


def test_without_credentials_every_guarded_route_says_401_whatever_else_is_wrong(
    probed: Probe, client: FlaskClient
) -> None:
    for sent in ({"data": b"{broken", "content_type": "application/json"}, {"json": {"x": 1}}, {}):
        answer = client.post(THINGS, **sent)
        assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/api/probe/things/x").status_code == 401
    assert probed.runs == 0


def test_length_and_encoding_are_refused_before_credentials(
    probed: Probe, client: FlaskClient
) -> None:
    json_type = {"content_type": "application/json"}
    chunked = client.post(
        THINGS, environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked"}, **json_type
    )
    assert (chunked.status_code, code(chunked)) == (411, "LENGTH_REQUIRED")
    large = client.post(THINGS, data=b"x" * (256 * 1024 + 1), **json_type)
    assert (large.status_code, code(large)) == (413, "BODY_TOO_LARGE")
    packed = client.post(THINGS, data=b"{}", headers={"Content-Encoding": "gzip"}, **json_type)
    assert (packed.status_code, code(packed)) == (415, "UNSUPPORTED_MEDIA")
    for media in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "application/json; charset=latin-1",
    ):
        answer = client.post(THINGS, data=b"{}", content_type=media)
        assert (answer.status_code, code(answer)) == (415, "UNSUPPORTED_MEDIA"), media
    assert (
        client.post(THINGS, data=b"{}", content_type="application/json; charset=utf-8").status_code
        == 401
    )


def test_role_comes_before_key_and_body(probed: Probe, client: FlaskClient, who: Personas) -> None:
    answer = client.post(
        THINGS, data=b"{broken", content_type="application/json", headers=who.sal.headers
    )
    assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")


def test_a_key_without_the_scope_is_told_which(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    narrow = personas.key(who.merchant("Mel's"), scopes=("payments:read",), name="narrow")
    answer = client.post(THINGS, json={}, headers=narrow.headers | KEY)
    assert (answer.status_code, code(answer)) == (403, "SCOPE_MISSING")
    assert answer.json["error"]["details"] == {"scope": "orders:write"}
    assert client.post(THINGS, json={}, headers=who.mels_key.headers | KEY).status_code == 201


def test_buyers_without_kyc_move_no_money(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    del who
    for kyc in (Kyc.NONE, Kyc.PENDING, Kyc.REJECTED):
        buyer = personas.user(f"{kyc.value}@people.test", role=Role.BUYER, kyc=kyc)
        answer = client.post(THINGS, json={}, headers=buyer.headers)
        assert (answer.status_code, code(answer)) == (403, "KYC_REQUIRED")


def test_staff_need_no_kyc(probed: Probe, client: FlaskClient) -> None:
    fin = personas.user("fin@people.test", role=Role.FINANCE, kyc=Kyc.NONE)
    assert client.post(THINGS, json={}, headers=fin.headers | KEY).status_code == 201


def test_the_key_comes_before_the_body(probed: Probe, client: FlaskClient, who: Personas) -> None:
    def post(data: bytes, **headers: str) -> Any:
        return client.post(
            THINGS, data=data, content_type="application/json", headers=who.bo.headers | headers
        )

    assert code(post(b"{broken")) == "IDEMPOTENCY_KEY_REQUIRED"
    for bad in ("short", "x" * 256, "with space 123", "ümlaut-123456", "semi;colon;123"):
        answer = post(b"{broken", **{"Idempotency-Key": bad})
        assert (answer.status_code, code(answer)) == (400, "IDEMPOTENCY_KEY_INVALID"), bad
    assert code(post(b"{broken", **KEY)) == "MALFORMED_JSON"


def test_an_unknown_version_is_refused(probed: Probe, client: FlaskClient, who: Personas) -> None:
    headers = who.bo.headers | {"Paydesk-Version": "2020-01-01"}
    answer = client.get("/api/probe/things/x", headers=headers)
    assert (answer.status_code, code(answer)) == (400, "UNKNOWN_VERSION")
    answer = client.get(
        "/api/probe/things/x", headers=who.bo.headers | {"Paydesk-Version": "2026-11-21"}
    )
    assert (answer.status_code, answer.headers["Paydesk-Version"]) == (200, "2026-11-21")


def test_what_cannot_be_an_id_does_not_exist(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    for place in ("a%00b", "a'b", "..%2Fx", "é", "x" * 101, "4111111111111111"):
        answer = client.get(f"/api/probe/things/{place}", headers=who.bo.headers)
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND"), place


def test_refused_acts_leave_an_audit_row_each_time_and_refused_reads_once_a_minute(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    for _ in range(2):
        client.post(THINGS, json={}, headers=who.sal.headers)
        assert client.get("/api/users", headers=who.sal.headers).status_code == 403
    rows = client.get("/api/audit?refused=true", headers=who.ann.headers).json["items"]
    assert sorted((row["actor"], row["action"], row["refused"]) for row in rows) == [
        (who.sal.id, "GET /api/users", True),
        (who.sal.id, "POST /api/probe/things", True),
        (who.sal.id, "POST /api/probe/things", True),
    ]


def test_wrapped_surfaces_wrap_their_errors(
    probed: Probe, client: FlaskClient, who: Personas
) -> None:
    answer = client.post("/api/payment/probe", json={}, headers=who.bo.headers)
    assert answer.status_code == 400
    assert answer.json["success"] is False
    assert answer.json["message"] == answer.json["error"]["message"]
    assert answer.json["error"]["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    plain = client.get("/api/payments-of-nobody")
    assert "success" not in plain.json
    assert client.get("/v1/nothing").json["success"] is False
