"""Clients and receivers of both wires, written from the protocols alone, not from the stand-in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from uuid import uuid4

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.sandbox.inbox import Inbox

CLIENT_ID, CLIENT_SECRET, KID = "paydesk", "client-secret", "our-key"
ACCESS_TOKEN, SECRET = "gc-token", "gc-secret"
ES512 = ec.ECDSA(hashes.SHA512())
# A test is not told off for what the rehearsal shall refuse; each request ends within this.
SECONDS = 10

Answer = requests.Response


def b64(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pems(key: ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    """Return a key's private and public PEM."""
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def signed(
    key: ec.EllipticCurvePrivateKey, path: str, body: str, headers: dict[str, str], kid: str = KID
) -> str:
    """Return a `Tl-Signature` for a POST."""
    head = {"alg": "ES512", "kid": kid, "tl_version": "2", "tl_headers": ",".join(headers)}
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    first = b64(json.dumps(head, separators=(",", ":")).encode())
    payload = f"POST {path}\n{lines}{body}".encode()
    content = f"{first}.{b64(payload)}".encode()
    r, s = utils.decode_dss_signature(key.sign(content, ES512))
    return f"{first}..{b64(r.to_bytes(66, 'big') + s.to_bytes(66, 'big'))}"


@dataclass
class TrueLayer:
    """A client with a key of its own."""

    url: str
    key: ec.EllipticCurvePrivateKey
    bearer: str = ""

    def grant(self, **changed: str) -> Answer:
        """Ask for a token."""
        asked = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": "payments",
        }
        return requests.post(f"{self.url}/connect/token", data=asked | changed, timeout=SECONDS)

    def get(self, path: str, **query: str) -> Any:
        """Read something."""
        return self.ask("GET", path, query).json()

    def ask(self, method: str, path: str, query: dict[str, str] | None = None) -> Answer:
        """Ask without a signature."""
        headers = {"Authorization": f"Bearer {self.bearer}"}
        return requests.request(
            method, f"{self.url}{path}", params=query, headers=headers, timeout=SECONDS
        )

    def post(self, path: str, body: object, key: str | None = None, **headers: str) -> Answer:
        """Post something signed; headers replace what would be sent."""
        text = json.dumps(body)
        used = {"Idempotency-Key": key or str(uuid4())}
        sent = used | {
            "Authorization": f"Bearer {self.bearer}",
            "Content-Type": "application/json",
            "Tl-Signature": signed(self.key, path, text, used),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}{path}", data=text, headers=sent, timeout=SECONDS)

    def account(self, currency: str = "GBP") -> Any:
        """Return the merchant account of a currency."""
        items = self.get("/v3/merchant-accounts")["items"]
        return next(each for each in items if each["currency"] == currency)

    def wanted(self, amount: int = 10_000, currency: str = "GBP", **more: Any) -> dict[str, Any]:
        """Return a payment to be created."""
        beneficiary = {
            "type": "merchant_account",
            "merchant_account_id": self.account(currency)["id"],
        }
        return {
            "amount_in_minor": amount,
            "currency": currency,
            "payment_method": {
                "type": "bank_transfer",
                "provider_selection": {"type": "user_selected"},
                "beneficiary": beneficiary,
            },
            "user": {"name": "Jane Doe", "email": "jane@example.com"},
            "metadata": {"order_id": "ORD-1"},
        } | more

    def pay(self, amount: int = 10_000, currency: str = "GBP") -> Any:
        """Create a payment and return the answer."""
        made = self.post("/v3/payments", self.wanted(amount, currency))
        assert made.status_code == 201, made.text
        return made.json()


@dataclass
class GoCardless:
    """A client of the plain API."""

    url: str
    headers: dict[str, str] = field(
        default_factory=lambda: {
            "Authorization": f"Bearer {ACCESS_TOKEN}",
            "GoCardless-Version": "2015-07-06",
        }
    )

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self.ask(path, **query).json()

    def ask(self, path: str, **query: Any) -> Answer:
        """Read something and return the whole answer."""
        return requests.get(
            f"{self.url}{path}", params=query, headers=self.headers, timeout=SECONDS
        )

    def post(self, path: str, body: object, key: str | None = None) -> Answer:
        """Post something."""
        headers = self.headers | {"Idempotency-Key": key or str(uuid4())}
        return requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=SECONDS)

    def request(self, amount: int = 12_300, key: str | None = None, **more: Any) -> Any:
        """Create a billing request and return it."""
        asked = {"description": "Order 1", "amount": amount, "currency": "GBP",
                 "metadata": {"order_id": "1"}}  # fmt: skip
        made = self.post("/billing_requests", {"billing_requests": {"payment_request": asked | more}},
                         key)  # fmt: skip
        assert made.status_code == 201, made.text
        return made.json()["billing_requests"]

    def flow(self, request: str, back: str = "http://127.0.0.1:9/back") -> Any:
        """Create a flow and return it."""
        asked = {"redirect_uri": back, "exit_uri": f"{back}-out",
                 "links": {"billing_request": request}}  # fmt: skip
        made = self.post("/billing_request_flows", {"billing_request_flows": asked})
        assert made.status_code == 201, made.text
        return made.json()["billing_request_flows"]

    def refund(self, payment: str, amount: int, total: int, key: str | None = None) -> Answer:
        """Ask for a refund."""
        asked = {"amount": amount, "total_amount_confirmation": total,
                 "links": {"payment": payment}}  # fmt: skip
        return self.post("/refunds", {"refunds": asked}, key)


class TrueLayerInbox(Inbox):
    """Verifies each webhook with the keys that its `jku` leads to."""

    path = "/hooks/truelayer"

    def __init__(self) -> None:
        self.jku = ""
        self.kids: list[str] = []
        self.stamps: list[str] = []
        super().__init__()

    def types(self, object_id: str | None = None) -> list[str]:
        """Return the types that arrived, of one payment or of all."""
        return [e["type"] for e in list(self.events)
                if object_id is None or e.get("payment_id") == object_id]  # fmt: skip

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        """Verify one delivery and return its event."""
        problem = self._problem(body, headers)
        if problem:
            self.problems.append(problem)
        return [json.loads(body)]

    def _problem(self, body: bytes, headers: Message) -> str | None:
        head, mark = headers["Tl-Signature"].split("..")
        said = json.loads(unb64(head))
        if (said["alg"], said["tl_version"], said["jku"]) != ("ES512", "2", self.jku):
            return f"header {said}"
        self.kids.append(said["kid"])
        self.stamps.append(headers["X-Tl-Webhook-Timestamp"])
        known = requests.get(self.jku, timeout=SECONDS).json()["keys"]
        key = next((each for each in known if each["kid"] == said["kid"]), None)
        if key is None:
            return f"unknown kid {said['kid']}"
        lines = "".join(f"{name}: {headers[name]}\n" for name in said["tl_headers"].split(","))
        payload = f"POST {self.path}\n{lines}".encode() + body
        content = f"{head}.{b64(payload)}".encode()
        x, y, raw = (unb64(part) for part in (key["x"], key["y"], mark))
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP521R1()
        )
        r, s = int.from_bytes(raw[:66], "big"), int.from_bytes(raw[66:], "big")
        try:
            point.public_key().verify(utils.encode_dss_signature(r, s), content, ES512)
        except InvalidSignature:
            return "signature does not hold"
        return None


class GoCardlessInbox(Inbox):
    """Verifies each batch with the endpoint's secret."""

    path = "/hooks/gocardless"

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        super().__init__()

    def forget(self) -> None:
        """Start afresh."""
        super().forget()
        self.batches = []

    def types(self, object_id: str | None = None) -> list[str]:
        """Return `resource.action` of what arrived, of one object or of all."""
        return [
            f"{e['resource_type']}.{e['action']}" for e in list(self.events)
            if object_id is None or object_id in e["links"].values()
        ]  # fmt: skip

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        """Verify one delivery and return its events."""
        right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if headers["Webhook-Signature"] != right:
            self.problems.append("signature does not hold")
        if not headers["Origin"].startswith("https://api-sandbox.gocardless.com"):
            self.problems.append(f"origin {headers['Origin']}")
        batch = json.loads(body)
        self.batches.append(batch)
        return list(batch["events"])
