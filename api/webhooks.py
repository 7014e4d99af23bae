"""The providers' door: verify the raw bytes, store them, acknowledge; everything else happens later."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict

import structlog
from flask import Blueprint, Response, request
from prometheus_client import Counter

from api.contract import Open, Out, route
from api.contract.reading import assert_form
from core.errors import BadSignature
from domain.inbox import receiving
from domain.secrets import keyring
from providers import registry
from providers.deliveries import Sent
from providers.seam import Rail
from web import counters, identity, limits, wire

blueprint = Blueprint("webhooks", __name__)
log = structlog.get_logger()
_RECEIVED = b'{"received":true}'
DELIVERIES = Counter(
    "paydesk_webhook_deliveries",
    "Deliveries at the webhook door: accepted, duplicate, refused (no live secret signed it).",
    ["process", "provider", "outcome"],
    registry=counters.REGISTRY,
)
# Making the labels anew for each delivery costs more than counting it.
_counted: dict[tuple[str, str], Counter] = {}
MOST_SOURCES = 1024
BANK_DOOR = "bank"
NO_CONTENT = 204
_refused: OrderedDict[str, int] = OrderedDict()
_lock = threading.Lock()


class ReceivedOut(Out):
    """The delivery is stored."""

    received: bool


def _count(provider: str, outcome: str) -> None:
    child = _counted.get((provider, outcome))
    if child is None:
        child = DELIVERIES.labels(counters.process(), provider, outcome)
        _counted[provider, outcome] = child
    child.inc()


def source_of(address: str) -> str:
    """Name where a delivery came from without keeping the address: a keyed hash of its network.

    Source: reliability A14 (one sender is a /24 of IPv4, a /64 of IPv6)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        network = address
    else:
        bits = 24 if ip.version == 4 else 64
        network = str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))
    return keyring.vault().blind_index(network, purpose="address")[:16]


def _is_power_of_ten(number: int) -> bool:
    text = str(number)
    return text[0] == "1" and not text.strip("10") and text.count("1") == 1


def _refuse(provider: str) -> None:
    """Count a delivery that nobody we know signed, by its hashed source; nothing else is kept of it.

    Raises: RateLimited
    """
    _count(provider, "refused")
    address = identity.address(request)
    source = source_of(address)
    with _lock:
        number = _refused.pop(source, 0) + 1
        _refused[source] = number
        if len(_refused) > MOST_SOURCES:
            _refused.popitem(last=False)
    if _is_power_of_ten(number):
        log.warning("webhook.refused", provider=provider, source=source, count=number)
    limits.count_unverified(address)


def _receive(rail: Rail) -> Response:
    """Take one delivery in.

    Raises: AppError 411, 413, 415, BadSignature, RateLimited; what the database raises, as 503.
    """
    assert_form(request, limit=rail.body_limit)
    headers = request.headers
    body = request.get_data(cache=False, parse_form_data=False)
    try:
        sent = Sent(request.method, request.path, body, headers.get)
        received = receiving.receive(rail.name, sent, headers=headers.items())
    except BadSignature as error:
        _refuse(rail.name)
        # Some senders ask for a status of their own.
        error.http_status = rail.refused_status
        raise
    _count(rail.name, "duplicate" if received.is_duplicate else "accepted")
    if rail.taken_status == NO_CONTENT:
        return Response(status=NO_CONTENT)
    return Response(_RECEIVED, 200, content_type=wire.CONTENT_TYPE)


@route(
    blueprint,
    "POST",
    "/api/webhooks/stripe",
    access=Open("Stripe signs each delivery; what no live secret signed is refused", signed=True),
    answers={200: ReceivedOut},
    errors=("WEBHOOK_INVALID_SIGNATURE", "RATE_LIMITED", "DATABASE_UNAVAILABLE"),
    events=("inbound.received", "inbound.quarantined"),
    summary="Take a signed Stripe event in; it is applied by the worker.",
    requirement="S26",
)
def stripe() -> Response:
    """Take a delivery of Stripe's in."""
    return _receive(registry.at_door("stripe"))


@route(
    blueprint,
    "POST",
    "/api/webhooks/bank",
    access=Open("each bank provider signs its deliveries; others are refused", signed=True),
    answers={200: ReceivedOut, 204: None},
    errors=("WEBHOOK_INVALID_SIGNATURE", "RATE_LIMITED", "DATABASE_UNAVAILABLE"),
    events=("inbound.received", "inbound.quarantined"),
    summary="Take a bank provider's signed delivery in; its signature's header tells whose it is.",
    requirement="S26",
)
def bank() -> Response:
    """Take a delivery in whose sender is known by the header that signs it."""
    try:
        rail = registry.signing(request.headers.get, below=BANK_DOOR)
    except BadSignature:
        _refuse(BANK_DOOR)
        raise
    return _receive(rail)


@route(
    blueprint,
    "POST",
    "/api/webhooks/bank/<provider>",
    access=Open("the bank provider signs each delivery; others are refused", signed=True),
    answers={200: ReceivedOut, 204: None},
    errors=("NOT_FOUND", "WEBHOOK_INVALID_SIGNATURE", "RATE_LIMITED", "DATABASE_UNAVAILABLE"),
    events=("inbound.received", "inbound.quarantined"),
    summary="Take a signed delivery of one bank provider in.",
    requirement="S76",
)
def bank_provider(provider: str) -> Response:
    """Take a delivery in at a bank provider's own door."""
    return _receive(registry.at_door(f"{BANK_DOOR}/{provider}"))
