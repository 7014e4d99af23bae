"""GoCardless' API on a loopback port: checks what it is sent, keeps its own truth, fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from providers.gocardless import rail
from providers.gocardless.api import Api
from providers.seam import Rail
from providers.values import Thing
from tests.providers.desk_http import HttpDesk, Request, made_settings, opened
from tests.providers.gocardless import bodies

TOKEN = "sandbox_a-token-of-the-desk-01234"
SECRET = "a-webhook-secret-of-the-desk"
Answered = tuple[int, dict[str, Any]]


@dataclass
class Desk(HttpDesk):
    """The truth of one GoCardless; of each kind its objects, oldest first."""

    billing_requests: dict[str, Thing] = field(default_factory=dict)
    flows: dict[str, Thing] = field(default_factory=dict)
    payments: dict[str, Thing] = field(default_factory=dict)
    refunds: dict[str, Thing] = field(default_factory=dict)
    payouts: dict[str, Thing] = field(default_factory=dict)
    payout_items: dict[str, list[Thing]] = field(default_factory=dict)
    events: list[Thing] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    page: int = 100
    url: str = ""

    def problem(self, status: int, kind: str) -> dict[str, Any]:
        return problem(status, kind)[1]

    def answer(self, request: Request) -> tuple[int, dict[str, Any] | bytes]:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return problem(401, "access_token_not_found")
        assert request.headers["gocardless-version"] == "2015-07-06"
        if request.method == "GET":
            return self._get(request)
        assert request.headers["content-type"].startswith("application/json")
        if request.path.endswith("/actions/cancel"):
            return self._cancel(request.path.split("/")[2])
        return self._create(request)

    def pays(self, reference: str, status: str = "confirmed", **more: object) -> str:
        """Let a payer agree to a billing request; gives its payment's name."""
        name = reference.replace("BRQ", "PM")
        asked = self.billing_requests[reference]
        own: dict[str, Any] = dict(asked["payment_request"])  # type: ignore[arg-type]
        words = {"metadata": asked["metadata"], "amount": own["amount"]} | more
        self.billing_requests[reference] = bodies.request(
            "fulfilled", reference, metadata=asked["metadata"], payment_request=own
        )
        self.payments[name] = bodies.payment(status, name, currency=own["currency"], **words)
        return name

    def _create(self, request: Request) -> Answered:
        envelope = request.path.strip("/")
        key = f"{envelope} {request.headers['idempotency-key']}"
        if key in self.keys:
            return used(self.keys[key])
        sent = request.json[envelope]
        status, said = getattr(self, f"_make_{envelope}")(sent)
        if status < 300:
            self.keys[key] = said["id"]
            return status, {envelope: said}
        return status, said

    def _make_billing_requests(self, sent: dict[str, Any]) -> Answered:
        name = f"BRQ{len(self.billing_requests):03d}"
        made = bodies.request("pending", name, **sent)
        self.billing_requests[name] = made
        return 201, made

    def _make_billing_request_flows(self, sent: dict[str, Any]) -> Answered:
        of = self.billing_requests.get(sent["links"]["billing_request"])
        if of is None or of["status"] != "pending":
            return problem(422, "billing_request_already_fulfilled")
        name = f"BRF{len(self.flows):03d}"
        self.flows[name] = {
            **sent,
            "id": name,
            "authorisation_url": f"{self.url}/billing/static/flow?id={name}",
            "expires_at": "2026-11-27T10:00:00.000Z",
        }
        return 201, self.flows[name]

    def _make_refunds(self, sent: dict[str, Any]) -> Answered:
        of = self.payments.get(sent["links"]["payment"])
        if of is None or of["status"] not in ("confirmed", "paid_out"):
            return problem(422, "refund_payment_invalid_state")
        before = int(str(of["amount_refunded"]))
        if sent["total_amount_confirmation"] != before + sent["amount"]:
            return problem(422, "total_amount_confirmation_invalid")
        name = f"RF{len(self.refunds):03d}"
        own = {each: sent[each] for each in ("amount", "metadata", "links")}
        self.refunds[name] = bodies.refund("created", name, currency=of["currency"], **own)
        of["amount_refunded"] = before + sent["amount"]
        return 201, self.refunds[name]

    def _cancel(self, name: str) -> Answered:
        found = self.billing_requests.get(name)
        if found is None:
            return problem(404, "resource_not_found")
        if found["status"] != "pending":
            return problem(422, "billing_request_not_cancellable")
        self.billing_requests[name] = found | {"status": "cancelled"}
        return 200, {"billing_requests": self.billing_requests[name]}

    def _get(self, request: Request) -> Answered:
        parts = request.path.strip("/").split("/")
        if parts[0] == "payout_items":
            return self._paged("payout_items", self.payout_items[request.query["payout"]], request)
        if parts[0] == "events":
            return self._paged("events", self._events(request), request)
        kept: dict[str, Thing] = getattr(self, parts[0])
        if len(parts) == 2:
            found = kept.get(parts[1])
            return (200, {parts[0]: found}) if found else problem(404, "resource_not_found")
        return self._paged(parts[0], self._within(list(kept.values())[::-1], request), request)

    def _events(self, request: Request) -> list[Thing]:
        [(kind, name)] = [pair for pair in request.query.items() if pair[0] not in _PAGING]
        of = {"billing_request": "billing_requests", "payment": "payments"}[kind]
        return [
            each
            for each in self.events[::-1]
            if each["resource_type"] == of and each["links"][kind] == name  # type: ignore[index,call-overload]
        ]

    def _within(self, items: list[Thing], request: Request) -> list[Thing]:
        begin = request.query.get("created_at[gte]", "")
        end = request.query.get("created_at[lte]", "~")
        of = request.query.get("payment")
        return [
            each
            for each in items
            if begin <= str(each["created_at"]) <= end
            and (of is None or each["links"]["payment"] == of)  # type: ignore[index,call-overload]
        ]

    def _paged(self, name: str, items: list[Thing], request: Request) -> Answered:
        size = min(self.page, int(request.query["limit"]))
        begin = int(request.query.get("after", "0"))
        after = str(begin + size) if begin + size < len(items) else None
        meta = {"cursors": {"before": None, "after": after}, "limit": size}
        return 200, {name: items[begin : begin + size], "meta": meta}


_PAGING = {"limit", "after"}


def problem(status: int, kind: str) -> Answered:
    error = {
        "message": kind,
        "type": "invalid_api_usage" if status < 409 else "invalid_state",
        "errors": [{"reason": kind, "message": kind}],
        "request_id": "request-1",
        "code": status,
    }
    return status, {"error": error}


def used(made: str) -> Answered:
    status, said = problem(409, "idempotent_creation_conflict")
    said["error"]["errors"][0]["links"] = {"conflicting_resource_id": made}
    return status, said


def hang_up(made: Rail) -> None:
    """Close the line that a rail keeps open for its next call."""
    api: Api = made.api  # type: ignore[attr-defined]
    api.line.session.close()


@contextmanager
def open_desk(**settings: str) -> Iterator[tuple[Desk, Rail]]:
    """Open a desk, and give it with a rail that is built from settings as the product builds it."""
    desk = Desk()
    with opened(desk) as url:
        desk.url = url
        given = {
            "GOCARDLESS_ACCESS_TOKEN": TOKEN,
            "GOCARDLESS_WEBHOOK_SECRET": SECRET,
            "GOCARDLESS_API_URL": url,
        }
        made = rail.build(made_settings(given | settings))
        try:
            yield desk, made
        finally:
            hang_up(made)
