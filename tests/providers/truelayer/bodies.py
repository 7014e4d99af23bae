"""What TrueLayer says, as its documentation and its own clients' tests write it.

Source: https://docs.truelayer.com/docs/payment-webhook-specifications, …/reference/get-payment-1,
…/docs/payment_disputed-webhook; github.com/TrueLayer/truelayer-java and truelayer-php (test bodies)
"""

from __future__ import annotations

import json
from typing import cast

from providers.values import Thing

PAYMENT = "60c0a60e-d8d7-4e5b-ac79-401b1d8a8633"
REFUND = "af386a24-e5e6-4508-a4e4-82d4bc4e3677"
ACCOUNT = "e83c4c20-b2ad-4b73-8a32-112233445566"
AT = "2026-11-20T10:00:{second:02d}.000Z"
SOURCE: dict[str, object] = {
    "id": "1f111d3c-9427-43be-1111-1111219d111c",
    "account_holder_name": "HOLDER NAME",
    "account_identifiers": [
        {
            "type": "sort_code_account_number",
            "sort_code": "111111",
            "account_number": "00000111",
        },
        {"type": "iban", "iban": "GB11CLRB01011100000111"},
    ],
}
# At which second of its life each event says that it happened, and by which field.
_TIMES = {
    "payment_authorized": ("authorized_at", 1),
    "payment_executed": ("executed_at", 2),
    "payment_settled": ("settled_at", 3),
    "payment_failed": ("failed_at", 4),
    "payment_creditable": ("creditable_at", 2),
    "payment_settlement_stalled": ("settlement_stalled_at", 2),
    "payment_disputed": ("disputed_at", 8),
    "payment_reversed": ("reversed_at", 9),
    "payment_funds_received": ("funds_received_at", 2),
    "refund_executed": ("executed_at", 6),
    "refund_failed": ("failed_at", 7),
}


def at(second: int) -> str:
    return AT.format(second=second)


def event(kind: str, payment: str = PAYMENT, **more: object) -> dict[str, object]:
    """Write an event; more: what it holds besides, or instead."""
    field, second = _TIMES[kind]
    said: dict[str, object] = {
        "type": kind,
        "event_version": 1,
        "event_id": f"{kind}-{payment[:8]}",
        "payment_id": payment,
        field: at(second),
        "payment_method": {
            "type": "bank_transfer",
            "provider_id": "mock-payments-gb-redirect",
            "scheme_id": "faster_payments_service",
        },
    }
    if kind in ("payment_executed", "payment_settled"):
        said |= {"payment_source": SOURCE, "settlement_risk": {"category": "low_risk"}}
    if kind == "payment_failed":
        said |= {"failure_stage": "authorizing", "failure_reason": "provider_rejected"}
    if kind == "payment_settlement_stalled":
        said |= {"stalled_threshold_seconds": 3600}
    if kind == "payment_disputed":
        expires = "2026-12-02T00:00:00.000Z"
        said |= {"disputed_reason": "advance_notice_disputed", "expires_at": expires}
    if kind.startswith("refund_"):
        said |= {"refund_id": REFUND}
    if kind == "refund_failed":
        said |= {"failure_reason": "insufficient_funds"}
    return said | more


def payment(status: str, reference: str = PAYMENT, **more: object) -> Thing:
    """Write a payment as it is given when it is asked for."""
    said: dict[str, object] = {
        "id": reference,
        "amount_in_minor": 2_500,
        "currency": "GBP",
        "user": {"id": "ac459f9f-37df-4cd7-ada5-000000000000"},
        "payment_method": {
            "type": "bank_transfer",
            "provider_selection": {
                "type": "user_selected",
                "provider_id": "mock-payments-gb-redirect",
                "scheme_id": "faster_payments_service",
            },
            "beneficiary": {
                "type": "merchant_account",
                "merchant_account_id": ACCOUNT,
                "account_holder_name": "Shop Ltd",
                "reference": "PD4X7",
            },
        },
        "created_at": at(0),
        "status": status,
        "metadata": {},
    }
    if status in ("executed", "settled"):
        said |= {"payment_source": SOURCE, "executed_at": at(2)}
    if status == "settled":
        said |= {"settled_at": at(3), "settlement_risk": {"category": "low_risk"}}
    if status in ("failed", "attempt_failed"):
        said |= {
            "failed_at": at(4),
            "failure_stage": "authorizing",
            "failure_reason": "provider_rejected",
        }
    return cast(Thing, said | more)


def refund(status: str, reference: str = REFUND, **more: object) -> Thing:
    """Write a refund as a list of refunds gives it."""
    said: dict[str, object] = {
        "id": reference,
        "amount_in_minor": 1_000,
        "currency": "GBP",
        "reference": "REF4X7",
        "status": status,
        "created_at": at(5),
        "metadata": {},
    }
    if status == "executed":
        said["executed_at"] = at(6)
    if status == "failed":
        said |= {"failed_at": at(7), "failure_reason": "insufficient_funds"}
    return cast(Thing, said | more)


def written(said: object) -> bytes:
    return json.dumps(said).encode()
