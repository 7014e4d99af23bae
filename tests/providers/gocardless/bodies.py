"""What GoCardless says, as its API reference writes it.

Source: https://developer.gocardless.com/api-reference (billing requests, payments, refunds, payouts, events)
"""

from __future__ import annotations

import hashlib
import hmac
import json

from providers.values import Thing

REQUEST, PAYMENT, REFUND, PAYOUT = "BRQ000123", "PM000123", "RF000123", "PO000123"
AT = "2026-11-20T10:00:{second:02d}.000Z"
OURS = {"payment_id": "pay_1", "operation_id": "op_1", "order_id": "ord_1"}
# Causes where they are not the resource's and the action's own names.
_CAUSES = {
    ("payments", "failed"): "refer_to_payer",
    ("payments", "charged_back"): "authorisation_disputed",
}
_SINGULAR = {
    "billing_requests": "billing_request",
    "payments": "payment",
    "refunds": "refund",
    "payouts": "payout",
    "mandates": "mandate",
}
# At which second of its life each thing happens.
_SECONDS = {
    "billing_requests.bank_authorisation_visited": 1,
    "billing_requests.bank_authorisation_authorised": 4,
    "billing_requests.fulfilled": 5,
    "payments.created": 5,
    "payments.submitted": 6,
    "payments.confirmed": 7,
    "payments.paid_out": 8,
    "payments.failed": 9,
    "payments.charged_back": 10,
    "payments.chargeback_cancelled": 11,
}


def at(second: int) -> str:
    return AT.format(second=second)


def event(kind: str, second: int | None = None, **more: object) -> Thing:
    """Write an event. kind: `payments.confirmed`; more: what it holds besides, or instead."""
    resource, _, action = kind.partition(".")
    links: dict[str, object] = {
        "billing_requests": {"billing_request": REQUEST},
        "payments": {"payment": PAYMENT},
        "refunds": {"refund": REFUND, "payment": PAYMENT},
        "payouts": {"payout": PAYOUT},
    }.get(resource, {})  # type: ignore[assignment]
    if kind == "billing_requests.fulfilled":
        links["payment_request_payment"] = PAYMENT
    cause = _CAUSES.get((resource, action), f"{_SINGULAR.get(resource, resource)}_{action}")
    when = _SECONDS.get(kind, 2) if second is None else second
    said: dict[str, object] = {
        "id": f"EV-{kind}-{when}",
        "created_at": at(when),
        "resource_type": resource,
        "action": action,
        "links": links,
        "details": {"origin": "gocardless", "cause": cause, "description": "A sentence."},
        "metadata": {},
        "resource_metadata": {},
    }
    return said | more  # type: ignore[return-value]


def batch(*events: object) -> bytes:
    return json.dumps({"events": list(events), "meta": {"webhook_id": "WB123"}}).encode()


def signed(secret: str, body: bytes) -> str:
    """Sign as GoCardless does, by nothing but HMAC."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def written(said: object) -> bytes:
    return json.dumps(said).encode()


def request(status: str = "pending", reference: str = REQUEST, **more: object) -> Thing:
    """Write a billing request. more: what it holds besides, or instead."""
    links: dict[str, object] = {"creditor": "CR123", "customer": "CU123"}
    if status == "fulfilled":
        links["payment_request_payment"] = reference.replace("BRQ", "PM")
    said: dict[str, object] = {
        "id": reference,
        "created_at": at(0),
        "status": status,
        "payment_request": {"amount": 2_500, "currency": "GBP", "description": "Order 1"},
        "metadata": OURS,
        "links": links,
    }
    return said | more  # type: ignore[return-value]


def payment(status: str, reference: str = PAYMENT, **more: object) -> Thing:
    """Write a payment. more: what it holds besides, or instead."""
    said: dict[str, object] = {
        "id": reference,
        "created_at": at(5),
        "charge_date": "2026-11-20",
        "amount": 2_500,
        "amount_refunded": 0,
        "currency": "GBP",
        "status": status,
        "reference": "PM-REF",
        "metadata": OURS,
        "links": {"creditor": "CR123"},
    }
    return said | more  # type: ignore[return-value]


def refund(status: str, reference: str = REFUND, **more: object) -> Thing:
    """Write a refund. more: what it holds besides, or instead."""
    said: dict[str, object] = {
        "id": reference,
        "created_at": at(20),
        "amount": 1_000,
        "currency": "GBP",
        "status": status,
        "metadata": {},
        "links": {"payment": PAYMENT},
    }
    return said | more  # type: ignore[return-value]


def payout(status: str = "paid", reference: str = PAYOUT, **more: object) -> Thing:
    """Write a payout. more: what it holds besides, or instead."""
    said: dict[str, object] = {
        "id": reference,
        "created_at": at(30),
        "arrival_date": "2026-11-21",
        "amount": 2_400,
        "currency": "GBP",
        "deducted_fees": 100,
        "status": status,
        "reference": "GC-1",
        "links": {"creditor": "CR123"},
    }
    return said | more  # type: ignore[return-value]


def item(kind: str, amount: str, **links: str) -> Thing:
    return {"type": kind, "amount": amount, "taxes": [], "links": dict(links)}
