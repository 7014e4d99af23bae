"""One payer's way from the shop to a bank and back: which payment, where from, how far."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.bank import payments
from sandbox.bank.banks import BANKS
from sandbox.bank.gocardless import events as gocardless
from sandbox.bank.gocardless.resources import FLOW
from sandbox.bank.truelayer import tokens
from sandbox.bank.world import PAYMENT, TRUELAYER, Call
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj

KIND = "journey"


def start_truelayer(call: Call, sent: dict[str, str]) -> Obj | None:
    """Begin with what TrueLayer's page was given, or return None when it is not genuine."""
    payment = payments.find(call, sent.get("payment_id", ""))
    token = call.store.find(tokens.KIND, sent.get("resource_token", ""))
    back = sent.get("return_uri", "")
    if payment is None or token is None or urlsplit(back).scheme not in {"http", "https"}:
        return None
    if token["scope"] != f"payment:{payment['id']}" or token["until"] <= call.now:
        return None
    return _start(call, payment, back=back, exit_to=back)


def start_gocardless(call: Call, flow_id: str) -> Obj | None:
    """Begin with a billing request flow, or return None when there is none."""
    flow = call.store.find(FLOW, flow_id)
    payment = call.store.find(PAYMENT, flow["request"]) if flow else None
    if flow is None or payment is None:
        return None
    return _start(call, payment, back=flow["redirect_uri"], exit_to=flow["exit_uri"])


def _start(call: Call, payment: Obj, *, back: str | None, exit_to: str | None) -> Obj:
    payments.visit(call, payment)
    journey: Obj = {
        "id": random_text(32),
        "payment": payment["id"],
        "back": back,
        "exit": exit_to,
        "bank": _preselected(payment),
        "known": False,
        "coded": False,
    }
    return call.store.put(KIND, journey)


def _preselected(payment: Obj) -> str | None:
    chosen = payment.get("method", {}).get("provider_selection", {})
    wanted = chosen.get("provider_id") if chosen.get("type") == "preselected" else None
    return wanted if wanted in BANKS else None


def back(journey: Obj, payment: Obj) -> str | None:
    """Return where a payer goes who is done.

    TrueLayer adds the payment's id. What GoCardless adds is documented nowhere, so nobody should
    rely on it; here it says how it ended and which request it was.
    """
    if payment["wire"] == TRUELAYER:
        return _with(journey["back"], {"payment_id": payment["id"]})
    return _with(journey["back"], {"outcome": "success", "billing_request": payment["id"]})


def leave(call: Call, journey: Obj, payment: Obj) -> str | None:
    """Return where a payer goes who gives up. Emits: flow_exited."""
    if payment["wire"] == TRUELAYER:
        left = {"payment_id": payment["id"], "error": "tl_hpp_abandoned"}
        return _with(journey["exit"], left)
    gocardless.tell(call, payment, "left")
    return _with(journey["exit"] or journey["back"], {})


def _with(url: str | None, more: dict[str, str]) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *more.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))
