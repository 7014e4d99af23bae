"""Clients as the outside world has them: they retry until answered, and remember what they were told."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.rig import product
from tests.rig.checker import Claim

LONGEST_SECONDS = 60.0
PAUSE_SECONDS = 0.02
# What a program on the other side cannot tell apart from "perhaps it happened".
BROKEN = (OSError, http.client.HTTPException)
_numbers = itertools.count(1)


def until(is_so: Callable[[], object], *, what: str, seconds: float = 60) -> None:
    """Wait for a condition. Raises: AssertionError, naming what did not come"""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(PAUSE_SECONDS)


def new_key() -> str:
    """Make an Idempotency-Key that no other client of this run uses."""
    return f"key-{os.getpid()}-{next(_numbers)}"


class NeverAnswered(AssertionError):
    """A client gave up; the message holds its last answer."""


@dataclass(frozen=True)
class Answer:
    """One answer. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as a document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def code(self) -> str:
        """The stable code of a refusal, or nothing."""
        return str(self.json["error"]["code"]) if self.status >= 400 else ""


def send(
    url: str,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    """Send one request on a connection of its own. Raises: one of BROKEN"""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=timeout)
    with closing(connection):
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, said, answer.read())


def until_answered(
    ask: Callable[[], Answer], *, is_final: Callable[[Answer], bool], between: Callable[[], None]
) -> Answer:
    """Ask again until the answer is final; `between` is what happens in the world meanwhile."""
    last = "nothing was asked"
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        try:
            answer = ask()
        except BROKEN as error:
            last = repr(error)
        else:
            if is_final(answer):
                return answer
            last = f"{answer.status} {answer.body[:400]!r}"
            between()
        time.sleep(PAUSE_SECONDS)
    raise NeverAnswered(last)


def signed(
    body: bytes, *, secret: str = product.STRIPE_WEBHOOK_SECRET, at: int | None = None
) -> str:
    """Write the `Stripe-Signature` of a body."""
    stamp = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={mac}"


def json_of(event: Mapping[str, Any]) -> bytes:
    """Write an event as Stripe does."""
    return json.dumps(event, indent=2, ensure_ascii=False).encode()


def deliver(url: str, body: bytes, *, header: str | None = None, **more: str) -> Answer:
    """Deliver a body at the webhook door as Stripe does, once."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    headers["Stripe-Signature"] = signed(body) if header is None else header
    more_headers = {name.replace("_", "-"): value for name, value in more.items()}
    path = product.STRIPE_WEBHOOK_PATH
    return send(url, "POST", path, body=body, headers=headers | more_headers)


@dataclass
class Buyer:
    """A program that orders and pays; each act keeps its Idempotency-Key until it is answered.

    hurry: called when the answer is "still running", in place of waiting for leases to end.
    """

    url: str
    token: str
    hurry: Callable[[], None]
    orders: set[str] = field(default_factory=set)
    payments: set[str] = field(default_factory=set)

    def post(self, path: str, document: Mapping[str, object], *, key: str) -> Answer:
        """Send one POST, once."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        return send(self.url, "POST", path, body=json.dumps(document).encode(), headers=headers)

    def ask(self, path: str, document: Mapping[str, object], *, key: str | None = None) -> Answer:
        """Send one POST until it has its proper answer."""
        key = key or new_key()

        def is_final(answer: Answer) -> bool:
            if answer.status == 503:
                return False
            if answer.status == 409 and answer.code == "IDEMPOTENCY_IN_PROGRESS":
                assert int(answer.headers["retry-after"]) > 0
                return False
            return not (answer.status == 409 and answer.code == "LOST_RACE")

        return until_answered(
            lambda: self.post(path, document, key=key), is_final=is_final, between=self.hurry
        )

    def order(self, *, minor: int = 2500, key: str | None = None) -> str:
        """Order something. Gives the order's id."""
        total = {"amount": f"{minor // 100}.{minor % 100:02}", "currency": "EUR"}
        answer = self.ask("/api/orders", {"description": "Oak table", "total": total}, key=key)
        assert answer.status == 201, answer
        order_id = str(answer.json["orderId"])
        self.orders.add(order_id)
        return order_id

    def intent(self, order_id: str, *, key: str | None = None) -> dict[str, Any]:
        """Start a payment of an order. Gives the answer, also of an unknown outcome."""
        answer = self.ask("/api/payments/intents", {"orderId": order_id}, key=key)
        assert answer.status in (200, 201, 202), answer
        self.payments.add(str(answer.json["paymentId"]))
        return answer.json


@dataclass
class Provider:
    """Stripe's side: takes the card at the stand-in, then delivers what the stand-in has to tell.

    The stand-in itself delivers nothing; so the test knows exactly what was acknowledged.
    """

    standin: str
    url: str
    acked: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)

    def call(self, method: str, path: str, **params: str) -> dict[str, Any]:
        """Call the stand-in's API as a merchant's program does."""
        headers = {
            "Authorization": f"Bearer {product.STRIPE_KEY}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode(params).encode() if method == "POST" else None
        answer = send(self.standin, method, f"/v1/{path}", body=body, headers=headers)
        assert answer.status in (200, 402), answer
        return answer.json

    def control(self, method: str, path: str, document: object = None) -> Any:
        """Ask the stand-in's own door."""
        body = None if document is None else json.dumps(document).encode()
        answer = send(self.standin, method, f"/_sandbox/{path}", body=body)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def fault(self, *faults: Mapping[str, object]) -> None:
        """Script faults."""
        self.control("POST", "faults", list(faults))

    def pay(self, reference: str, *, card: str = "visa") -> None:
        """Pay an intent by card."""
        self.call("POST", f"payment_intents/{reference}/confirm", payment_method=f"pm_card_{card}")

    def events(self) -> Iterator[dict[str, Any]]:
        """List what the stand-in has to tell, oldest first."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.call("GET", f"events?limit=100{after}")
            found += page["data"]
            if not page["has_more"]:
                return iter(reversed(found))
            after = f"&starting_after={found[-1]['id']}"

    def deliver(self, event: Mapping[str, Any]) -> Answer:
        """Deliver one event until it is acknowledged."""
        body = json_of(event)

        def between() -> None:
            """Stripe waits longer; what it does is the same."""

        answer = until_answered(
            lambda: deliver(self.url, body),
            is_final=lambda said: 200 <= said.status < 300,
            between=between,
        )
        self.acked.add(str(event["id"]))
        return answer

    def deliver_new(self) -> int:
        """Deliver everything that was not acknowledged yet. Gives how many."""
        fresh = [e for e in self.events() if e["id"] not in self.acked | self.skipped]
        for event in fresh:
            self.deliver(event)
        return len(fresh)

    def skip_new(self) -> None:
        """Lose everything that was not acknowledged yet, for ever."""
        self.skipped |= {event["id"] for event in self.events()} - self.acked

    def claim(self, buyer: Buyer, *, is_complete: bool = True, is_idle: bool = True) -> Claim:
        """Say what the database must agree with."""
        return Claim(
            truth=self.control("GET", "ledger"),
            events=frozenset(self.acked),
            orders=frozenset(buyer.orders),
            payments=frozenset(buyer.payments),
            is_complete=is_complete,
            is_idle=is_idle,
        )


def at_once(acts: list[Callable[[], Answer]], *, seconds: float = 60) -> list[Answer]:
    """Run acts on a thread each, all released together. Gives their answers in order."""
    gate = threading.Barrier(len(acts))
    answers: list[Answer | None] = [None] * len(acts)
    failed: list[Exception] = []

    def run(place: int, act: Callable[[], Answer]) -> None:
        gate.wait(30)
        try:
            answers[place] = act()
        except (*BROKEN, AssertionError) as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    if failed:
        raise failed[0]
    assert None not in answers
    return [answer for answer in answers if answer is not None]
