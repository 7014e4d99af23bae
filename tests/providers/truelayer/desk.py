"""TrueLayer's API on a loopback port: checks what it is sent, keeps its own truth, fails as it is told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import config
from providers.seam import Rail
from providers.truelayer import rail
from providers.truelayer.api import Api
from tests.providers.truelayer.bodies import ACCOUNT, payment, refund
from tests.providers.truelayer.forging import Key, b64, plaintext
from tests.rig import environment

OURS = Key("ours-1")
SECRET = "a-client-secret-of-the-desk"
TROUBLE = "https://docs.truelayer.com/docs/error-types#"


@dataclass
class Fault:
    """One thing that goes wrong, once. status: what is answered instead; None: the line breaks.

    after: whether the request has done what it asks for by then.
    """

    status: int | None = None
    after: bool = False
    kind: str = "internal-server-error"
    retry_after: str | None = None
    body: bytes | None = None


@dataclass
class Request:
    """What came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}


@dataclass
class Desk:
    """The truth of one TrueLayer. faults: by the beginning of `METHOD path`, taken one by one."""

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
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    key_set: bytes = b"{}"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self, beginning: str) -> list[str]:
        found = [f"{each.method} {each.path}" for each in self.requests]
        return [each for each in found if each.startswith(beginning)]

    def fail(self, beginning: str, *faults: Fault) -> None:
        self.faults.setdefault(beginning, []).extend(faults)

    def take(self, request: Request) -> Fault | None:
        line = f"{request.method} {request.path}"
        for beginning, faults in self.faults.items():
            if line.startswith(beginning) and faults:
                return faults.pop(0)
        return None

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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
        desk = self.server.desk
        with desk.lock:
            desk.requests.append(request)
            fault = desk.take(request)
            said = desk.answer(request) if fault is None or fault.after else None
        if fault is None:
            assert said is not None
            self._reply(*said)
        elif fault.status is None:
            self.close_connection = True
        else:
            _, body = problem(fault.status, fault.kind)
            more = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._reply(fault.status, body if fault.body is None else fault.body, more)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _reply(
        self, status: int, body: dict[str, Any] | bytes, more: dict[str, str] | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's signature
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, desk: Desk) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk = desk


def made_settings(given: dict[str, str]) -> config.Settings:
    """Make the product's settings with some of a provider's; nothing of them is kept."""
    with TemporaryDirectory() as place:
        own = environment.settings(f"sqlite:///{place}/none.db", Path(place))
        return config.load(own | given)


def hang_up(made: Rail) -> None:
    """Close the lines that a rail keeps open for its next call."""
    api: Api = made.api  # type: ignore[attr-defined]
    for line in (api.line, api.tokens._line):
        line.session.close()


@contextmanager
def open_desk(**settings: str) -> Iterator[tuple[Desk, Rail]]:
    """Open a desk, and give it with a rail that is built from settings as the product builds it."""
    desk = Desk()
    server = _Server(desk)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
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
        server.shutdown()
        server.server_close()
        thread.join()
