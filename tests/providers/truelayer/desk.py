"""TrueLayer's API on a loopback port: checks what it is sent, keeps its own truth, fails as it is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from providers.seam import Rail
from providers.truelayer import rail
from providers.truelayer.api import Api
from tests.providers.desk_http import Fault, HttpDesk, Request, made_settings, opened
from tests.providers.truelayer.bodies import ACCOUNT, payment, refund
from tests.providers.truelayer.forging import Key, b64, plaintext

__all__ = ["Desk", "Fault", "Request", "hang_up", "made_settings", "open_desk"]
OURS = Key("ours-1")
SECRET = "a-client-secret-of-the-desk"
TROUBLE = "https://docs.truelayer.com/docs/error-types#"


@dataclass
class Desk(HttpDesk):
    """The truth of one TrueLayer."""

    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    lasts: int = 3600
    page: int = 100
    cancels_at_once: bool = True
    token_of: Callable[[str], str] = lambda name: f"resource-{name}"
    key_set: bytes = b"{}"

    def answer(self, request: Request) -> tuple[int, dict[str, Any] | bytes]:
        if request.path == "/.well-known/jwks":
            return 200, self.key_set
        if request.path == "/connect/token":
            return self._token(request)
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given not in self.good:
            return problem(401, "unauthenticated")
        if request.method == "GET":
            return self._get(request)
        if not is_signed(request):
            return problem(401, "unauthenticated")
        return self._once(request)

    def problem(self, status: int, kind: str) -> dict[str, Any]:
        return problem(status, kind)[1]

    def _token(self, request: Request) -> tuple[int, dict[str, Any]]:
        sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if (sent["client_id"], sent["client_secret"]) != ("desk-client", SECRET):
            return 400, {"error": "invalid_client"}
        assert (sent["grant_type"], sent["scope"]) == ("client_credentials", "payments")
        token = f"token-{len(self.tokens)}"
        self.tokens.append(token)
        self.good.add(token)
        return 200, {"access_token": token, "expires_in": self.lasts, "token_type": "Bearer"}

    def _once(self, request: Request) -> tuple[int, dict[str, Any]]:
        key = request.headers["idempotency-key"]
        known = self.keys.get(key)
        if known is not None and known[0] != request.path.encode() + request.body:
            return problem(422, "idempotency-key-reuse")
        if known is not None:
            return 201, known[1]
        status, said = self._post(request)
        if status < 300:
            self.keys[key] = (request.path.encode() + request.body, said)
        return status, said

    def _post(self, request: Request) -> tuple[int, dict[str, Any]]:
        sent, parts = request.json, request.path.split("/")
        if request.path == "/v3/payments":
            name = f"pm-{len(self.payments)}"
            self.payments[name] = payment("authorization_required", name, **sent)
            token, status = self.token_of(name), "authorization_required"
            return 201, {"id": name, "user": {}, "resource_token": token, "status": status}
        name = parts[3]
        if name not in self.payments:
            return problem(404, "not-found")
        if request.path.endswith("/actions/cancel"):
            if self.payments[name]["status"] not in ("authorization_required", "authorizing"):
                return problem(409, "invalid-state")
            if self.cancels_at_once:
                self.payments[name] = payment("failed", name, failure_reason="canceled")
            return 202, {}
        own = self.refunds.setdefault(name, [])
        code = {"currency": self.payments[name]["currency"]}
        own.append(refund("pending", f"rf-{len(own)}") | code | sent)
        return 202, {"id": own[-1]["id"]}

    def _get(self, request: Request) -> tuple[int, dict[str, Any]]:
        parts = request.path.split("/")
        if request.path == "/v3/merchant-accounts":
            euros = {"id": "eur-account", "currency": "EUR"}
            return 200, {"items": [{"id": ACCOUNT, "currency": "GBP"}, euros]}
        if request.path.endswith("/transactions"):
            return 200, self._paged(self._within(request, parts[3]), request)
        if parts[3] not in self.payments:
            return problem(404, "not-found")
        if request.path.endswith("/refunds"):
            return 200, self._paged(self.refunds.get(parts[3], []), request)
        return 200, self.payments[parts[3]]

    def _within(self, request: Request, account: str) -> list[dict[str, Any]]:
        begin, end = request.query["from"], request.query["to"]
        moved = [(one.get("settled_at") or one["created_at"], one) for one in self.transactions]
        return [one for at, one in moved if begin <= at <= end and account == ACCOUNT]

    def _paged(self, items: list[dict[str, Any]], request: Request) -> dict[str, Any]:
        begin = int(request.query.get("cursor", "0"))
        page: dict[str, Any] = {"items": items[begin : begin + self.page]}
        if begin + self.page < len(items):
            page["pagination"] = {"next_cursor": str(begin + self.page)}
        return page


def problem(status: int, kind: str) -> tuple[int, dict[str, Any]]:
    return status, {"type": TROUBLE + kind, "status": status, "title": kind, "trace_id": "trace-1"}


def is_signed(request: Request) -> bool:
    """Check our request signature with our public key, by nothing but `cryptography`."""
    head, signature = request.headers["tl-signature"].split("..")
    said = json.loads(base64.urlsafe_b64decode(head + "=="))
    if (said["alg"], said["kid"], said["tl_version"]) != ("ES512", OURS.kid, "2"):
        return False
    names = said["tl_headers"].split(",")
    assert "Idempotency-Key" in names
    headers = {name: request.headers[name.lower()] for name in names}
    written = plaintext(request.method, request.path, headers, request.body)
    raw = base64.urlsafe_b64decode(signature)
    r, s = (int.from_bytes(part, "big") for part in (raw[:66], raw[66:]))
    try:
        OURS.private.public_key().verify(
            encode_dss_signature(r, s),
            f"{head}.{b64(written)}".encode(),
            ec.ECDSA(hashes.SHA512()),
        )
    except InvalidSignature:
        return False
    return True


def hang_up(made: Rail) -> None:
    """Close the lines that a rail keeps open for its next call."""
    api: Api = made.api  # type: ignore[attr-defined]
    for line in (api.line, api.tokens._line):
        line.session.close()


@contextmanager
def open_desk(**settings: str) -> Iterator[tuple[Desk, Rail]]:
    """Open a desk, and give it with a rail that is built from settings as the product builds it."""
    desk = Desk()
    with opened(desk) as url:
        given = {
            "TRUELAYER_CLIENT_ID": "desk-client",
            "TRUELAYER_CLIENT_SECRET": SECRET,
            "TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem}",
            "TRUELAYER_API_URL": url,
        }
        made = rail.build(made_settings(given | settings))
        try:
            yield desk, made
        finally:
            hang_up(made)
