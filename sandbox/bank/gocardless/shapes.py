"""Billing requests, flows, payments, refunds and payouts as GoCardless prints them."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.bank.world import PAYMENT, Call
from sandbox.common.wire import Obj

CREDITOR, CREDITOR_ACCOUNT = "CR000SANDBOX", "BA000SANDBOX"
SCHEMES = {"GBP": "faster_payments", "EUR": "sepa_instant_credit_transfer"}
_ACTIONS = ("collect_customer_details", "select_institution", "bank_authorisation")


def billing_request(found: Obj) -> Obj:
    """Return a billing request; one that nobody has agreed to yet is pending."""
    done = _is_fulfilled(found)
    status = "fulfilled" if done else "cancelled" if _is_over(found) else "pending"
    links: Obj = {
        "creditor": CREDITOR,
        "organisation": "OR000SANDBOX",
        "payment_request": found["request"],
        "customer": found["customer"],
        "customer_billing_detail": found["customer"].replace("CU", "CBD"),
    }
    if done:
        links["payment_request_payment"] = found["_parent"]
    return {
        "id": found["id"],
        "created_at": found["created_at"],
        "status": status,
        "fallback_enabled": False,
        "fallback_occurred": False,
        "mandate_request": None,
        "instalment_schedule_request": None,
        "subscription_request": None,
        "payment_request": {
            "description": found["description"],
            "currency": found["currency"],
            "amount": found["amount"],
            "scheme": SCHEMES[found["currency"]],
            "reference": found["reference"],
            "app_fee": None,
            "funds_settlement": "managed",
            "metadata": found["metadata"],
            "links": {"payment": found["_parent"]} if done else {},
        },
        "metadata": found["request_metadata"],
        "links": links,
        "actions": [
            {
                "type": name,
                "required": True,
                "completes_actions": [],
                "requires_actions": [],
                "status": "completed" if done else "pending",
            }
            for name in _ACTIONS
        ],
        "resources": {"customer": {"id": found["customer"], "metadata": {}}},
    }


def _is_fulfilled(found: Obj) -> bool:
    return "authorised_at" in found


def _is_over(found: Obj) -> bool:
    return found["status"] in {"failed", "cancelled"}


def flow(found: Obj) -> Obj:
    """Return a billing request flow."""
    names = (
        *("id", "authorisation_url", "redirect_uri", "exit_uri", "created_at", "expires_at"),
        *("session_token", "language", "prefilled_customer"),
    )
    return {name: found[name] for name in names} | {
        "auto_fulfil": True,
        "customer_details_captured": False,
        "lock_bank_account": False,
        "lock_currency": False,
        "lock_customer_details": False,
        "show_redirect_buttons": False,
        "show_success_redirect_button": False,
        "skip_success_screen": True,
        "links": {"billing_request": found["request"]},
    }


def payment(found: Obj) -> Obj:
    """Return the payment of a fulfilled billing request."""
    day = datetime.fromisoformat(found["authorised_at"]).astimezone(UTC).date().isoformat()
    links = {"creditor": CREDITOR}
    return {
        "id": found["_parent"],
        "created_at": found["authorised_at"],
        "charge_date": day,
        "amount": found["amount"],
        "amount_refunded": found["refunded"],
        "description": found["description"],
        "currency": found["currency"],
        "status": payment_status(found),
        "reference": found["reference"],
        "scheme": SCHEMES[found["currency"]],
        "metadata": found["metadata"],
        "retry_if_possible": False,
        "faster_ach": False,
        "fx": _no_exchange(found),
        "links": links | ({"payout": found["payout"]} if found["payout"] else {}),
    }


def payment_status(found: Obj) -> str:
    """Return GoCardless' word for the state of a payment."""
    if found["status"] in {"failed", "cancelled"}:
        return str(found["status"])
    if found["charged_back"]:
        return "charged_back"
    if found["settled"]:
        return "paid_out" if found["payout"] else "confirmed"
    return "submitted" if found["status"] == "executed" else "pending_submission"


def refund(call: Call, found: Obj) -> Obj:
    """Return a refund."""
    of = call.store.find(PAYMENT, found["payment"]) or {}
    failed = "funds_returned" if found["returned"] else "bounced"
    words = {"pending": "submitted", "executed": "paid", "failed": failed}
    return {
        "id": found["id"],
        "amount": found["amount"],
        "created_at": found["created_at"],
        "currency": found["currency"],
        "reference": found["reference"],
        "status": words[found["status"]],
        "metadata": found["metadata"],
        "fx": _no_exchange(found),
        "links": {"payment": of["_parent"]},
    }


def payout(found: Obj) -> Obj:
    """Return a payout."""
    return {
        "id": found["id"],
        "amount": found["amount"],
        "arrival_date": found["created_at"][:10],
        "created_at": found["created_at"],
        "currency": found["currency"],
        "deducted_fees": found["fees"],
        "metadata": found["metadata"],
        "payout_type": "merchant",
        "reference": found["reference"],
        "status": "paid" if found["status"] == "executed" else "pending",
        "tax_currency": None,
        "fx": _no_exchange(found),
        "links": {"creditor": CREDITOR, "creditor_bank_account": CREDITOR_ACCOUNT},
    }


def payout_item(call: Call, line: Obj) -> Obj:
    """Return one line of a payout; its amount is a text with one decimal, as theirs is."""
    of = call.store.find(PAYMENT, line["subject"])
    refund_of = None if of else call.store.find("refund", line["subject"])
    links: Obj = {}
    if refund_of is not None:
        of = call.store.find(PAYMENT, refund_of["payment"])
        links["refund"] = refund_of["id"]
    if of is not None:
        links["payment"] = of["_parent"]
    return {"type": line["kind"], "amount": f"{line['amount']}.0", "taxes": [], "links": links}


def _no_exchange(found: Obj) -> Obj:
    return {
        "fx_currency": found["currency"],
        "fx_amount": None,
        "exchange_rate": None,
        "estimated_exchange_rate": None,
    }
