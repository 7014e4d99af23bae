"""Payments, refunds, payouts and accounts as TrueLayer prints them."""

from __future__ import annotations

from sandbox.bank import accounts
from sandbox.bank.banks import BANKS
from sandbox.bank.world import Call, moment
from sandbox.common.wire import Obj

_STATUS = {"created": "authorization_required", "visited": "authorizing",
           "authorised": "authorized"}  # fmt: skip
_SCHEMES = {"GBP": "faster_payments_service", "EUR": "sepa_credit_transfer_instant"}


def status(name: str) -> str:
    """Return TrueLayer's word for a state."""
    return _STATUS.get(name, name)


def scheme(subject: Obj) -> str:
    """Return the payment scheme of a currency."""
    return _SCHEMES[subject["currency"]]


def payment(found: Obj) -> Obj:
    """Return a payment as `GET /v3/payments/{id}` shows it."""
    method = dict(found["method"])
    if found["bank"]:
        method["provider_selection"] = method.get("provider_selection", {}) | {
            "provider_id": found["bank"],
            "scheme_id": scheme(found),
        }
    shown: Obj = {
        "id": found["id"],
        "amount_in_minor": found["amount"],
        "currency": found["currency"],
        "user": {"id": found["user"]},
        "payment_method": method,
        "created_at": found["created_at"],
        "status": status(found["status"]),
        "metadata": found["metadata"],
    }
    for name in ("executed_at", "settled_at", "creditable_at", "failed_at"):
        if name in found:
            shown[name] = found[name]
    if found["status"] == "failed":
        shown |= {"failure_stage": status(found["stage"]), "failure_reason": found["reason"]}
    if found["status"] in {"authorised", "executed", "settled"}:
        shown["payment_source"] = source(found)
    if found["status"] == "settled":
        shown["settlement_risk"] = {"category": "low_risk"}
    return shown


def source(found: Obj) -> Obj:
    """Return the account that the payer paid from."""
    return {
        "id": found["source"],
        "account_holder_name": found["payer"],
        "account_identifiers": accounts.identifiers(found["payer_account"], found["currency"]),
    }


def method_of(found: Obj) -> Obj:
    """Return the payment method as webhooks name it."""
    chosen = {"provider_id": found["bank"]} if found["bank"] in BANKS else {}
    return {"type": "bank_transfer"} | chosen | {"scheme_id": scheme(found)}


def refund(found: Obj) -> Obj:
    """Return a refund."""
    names = ("id", "currency", "reference", "status", "created_at", "metadata")
    return {name: found[name] for name in names} | {
        "amount_in_minor": found["amount"],
        **_ended(found),
    }


def payout(found: Obj) -> Obj:
    """Return a payout."""
    names = ("id", "currency", "status", "created_at", "metadata", "beneficiary")
    return {name: found[name] for name in names} | {
        "merchant_account_id": accounts.merchant_account_id(found["currency"]),
        "amount_in_minor": found["amount"],
        "scheme_id": scheme(found),
        **_ended(found),
    }


def _ended(found: Obj) -> Obj:
    if found["status"] == "failed":
        return {"failed_at": found["failed_at"], "failure_reason": found["reason"]}
    return {"executed_at": found["executed_at"]} if found["status"] == "executed" else {}


def merchant_account(call: Call, currency: str) -> Obj:
    """Return a merchant account with its balances."""
    holds = accounts.balance(call, "truelayer", currency)
    return {
        "id": accounts.merchant_account_id(currency),
        "currency": currency,
        "account_identifiers": accounts.identifiers(
            accounts.numbers("truelayer", currency), currency
        ),
        "available_balance_in_minor": holds,
        "current_balance_in_minor": holds,
        "account_holder_name": call.settings.payee,
    }


def transaction(call: Call, booking: Obj) -> Obj:
    """Return a booking of a merchant account as a transaction."""
    at = moment(booking["at"])
    shown: Obj = {
        "id": booking["id"],
        "currency": booking["currency"],
        "amount_in_minor": abs(booking["amount"]),
    }
    if booking["kind"] == "payment":
        found = call.store.find("payment", booking["subject"]) or {}
        sender = source(found) | {"user_id": found["user"]}
        return {"type": "merchant_account_payment", "status": "settled", "settled_at": at,
                "payment_source": sender, "payment_id": found["id"]} | shown  # fmt: skip
    shown |= {"status": "executed", "created_at": at, "executed_at": at,
              "scheme_id": scheme(booking)}  # fmt: skip
    beneficiary: Obj = {
        "type": "external_account",
        "account_holder_name": booking["name"],
        "reference": booking["reference"],
        "account_identifiers": [{"type": "iban", "iban": booking["iban"]}],
    }
    if booking["kind"] == "refund":
        found = call.store.find("refund", booking["subject"]) or {}
        return {"type": "refund", "refund_id": found["id"], "payment_id": found["payment"],
                "context_code": "refund", "beneficiary": beneficiary} | shown  # fmt: skip
    if booking["kind"] == "payout":
        return {"type": "payout", "payout_id": booking["subject"], "context_code": "withdrawal",
                "beneficiary": beneficiary} | shown  # fmt: skip
    if booking["kind"] == "reversal":
        return {"type": "payment_reversal", "payment_id": booking["subject"]} | shown
    # Money of ours that the other bank sent back.
    remitter = {"account_holder_name": booking["name"],
                "account_identifier": {"type": "iban", "iban": booking["iban"]}}  # fmt: skip
    return {
        "type": "external_payment",
        "status": "settled",
        "settled_at": at,
        "remitter": remitter,
        "return_for": {"type": "identified", "returned_id": booking["subject"]},
        **{name: shown[name] for name in ("id", "currency", "amount_in_minor")},
    }
