"""What each operation of GoCardless' API does, without its door."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sandbox.bank import accounts, payments, refunds
from sandbox.bank.gocardless import events, lists, shapes
from sandbox.bank.gocardless.errors import Refused, invalid, misused, not_found, wrong_state
from sandbox.bank.world import CURRENCIES, GOCARDLESS, PAYMENT, PAYOUT, REFUND, Call, moment
from sandbox.common import posting
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj

FLOW = "flow"
FLOW_SECONDS = 7 * 86_400
_MOST_KEYS = 3
_MOST_REFUNDS = 5


def _new_id(prefix: str) -> str:
    return f"{prefix}{random_text(12).upper()}"


# ------------------------------------------------------------------------------ billing requests


def create_request(call: Call, sent: Obj) -> Obj:
    """Answer `POST /billing_requests`; only payment requests are rehearsed."""
    under = "billing_requests"
    asked = sent.get("payment_request")
    if not isinstance(asked, dict):
        raise invalid("payment_request", "can't be blank", under=under)
    currency = asked.get("currency")
    if currency not in CURRENCIES:
        raise invalid("payment_request.currency", "is not supported", under=under)
    description = _text(asked, "description", under=under)
    amount = _amount(asked, "amount", under=under)
    request_id, payment_id = _new_id("BRQ"), _new_id("PM")
    found = payments.create(
        call,
        GOCARDLESS,
        request_id,
        {
            "amount": amount,
            "currency": currency,
            "description": description,
            "reference": str(asked.get("reference") or payment_id),
            "iban": None,
            "metadata": _metadata(asked, under),
            "request_metadata": _metadata(sent, under),
            "payer": "Test Payer",
            "request": _new_id("PRQ"),
            "customer": _new_id("CU"),
            "_parent": payment_id,
        },
    )
    events.tell(call, found, "requested")
    return {"billing_requests": shapes.billing_request(found)}


def list_requests(call: Call, sent: Obj) -> Obj:
    """Answer `GET /billing_requests`."""
    return lists.page(
        call, PAYMENT, sent, name="billing_requests", show=shapes.billing_request,
        filters={"customer": "$.customer"},
    )  # fmt: skip


def read_request(call: Call, _sent: Obj, request_id: str) -> Obj:
    """Answer `GET /billing_requests/{id}`."""
    return {"billing_requests": shapes.billing_request(_owned(call, PAYMENT, request_id))}


def cancel_request(call: Call, _sent: Obj, request_id: str) -> Obj:
    """Answer `POST /billing_requests/{id}/actions/cancel`."""
    found = _owned(call, PAYMENT, request_id)
    if found["status"] not in payments.OPEN:
        raise wrong_state("billing_request_not_cancellable", "It cannot be cancelled any more")
    payments.cancel(call, found)
    return {"billing_requests": shapes.billing_request(found)}


def _owned(call: Call, kind: str, object_id: str) -> Obj:
    found = call.store.find(kind, object_id)
    if found is None or found["wire"] != GOCARDLESS:
        raise not_found()
    return found


# ----------------------------------------------------------------------------------------- flows


def create_flow(call: Call, sent: Obj) -> Obj:
    """Answer `POST /billing_request_flows`."""
    under = "billing_request_flows"
    links = sent.get("links")
    of = links.get("billing_request") if isinstance(links, dict) else None
    found = call.store.find(PAYMENT, str(of))
    if found is None or found["wire"] != GOCARDLESS:
        raise invalid("links.billing_request", "could not be found", under=under)
    if found["status"] not in payments.OPEN:
        raise wrong_state("billing_request_already_fulfilled", "Nothing is left to be authorised")
    flow_id = f"BRF{random_text(29).upper()}"
    prefilled = sent.get("prefilled_customer") or {}
    names = (prefilled.get("given_name"), prefilled.get("family_name"))
    payer = " ".join(str(name) for name in names if name) or found["payer"]
    call.store.put(PAYMENT, found | {"flow": flow_id, "payer": payer[:140]})
    flow = {
        "id": flow_id,
        "request": found["id"],
        "authorisation_url": f"{call.settings.public_url}/billing/static/flow?id={flow_id}",
        "redirect_uri": _uri(sent, "redirect_uri", under),
        "exit_uri": _uri(sent, "exit_uri", under),
        "created_at": call.moment,
        "created": call.ms,
        "expires_at": moment(call.world.clock.now() + FLOW_SECONDS),
        "session_token": None,
        "language": sent.get("language"),
        "prefilled_customer": prefilled or None,
    }
    call.store.put(FLOW, flow)
    events.tell(call, found | {"flow": flow_id}, "flow_created")
    return {"billing_request_flows": shapes.flow(flow)}


def _uri(sent: Obj, name: str, under: str) -> str | None:
    value = sent.get(name)
    if value is not None and urlsplit(str(value)).scheme not in {"http", "https"}:
        raise invalid(name, "must be a URL", under=under)
    return None if value is None else str(value)


# -------------------------------------------------------------------------------------- payments


def read_payment(call: Call, _sent: Obj, payment_id: str) -> Obj:
    """Answer `GET /payments/{id}`."""
    return {"payments": shapes.payment(_payment(call, payment_id))}


def list_payments(call: Call, sent: Obj) -> Obj:
    """Answer `GET /payments`; kept under their billing requests, so cursors are put over."""
    asked = dict(sent) | {"_fulfilled": 1}
    for cursor in ("after", "before"):
        if cursor in sent:
            asked[cursor] = _payment(call, str(sent[cursor]))["id"]
    found = lists.page(
        call, PAYMENT, asked, name="payments", show=dict,
        filters={"_fulfilled": "$.authorised", "currency": "$.currency"},
    )  # fmt: skip
    names = {each["id"]: each["_parent"] for each in found["payments"]}
    cursors = found["meta"]["cursors"]
    found["meta"]["cursors"] = {key: names.get(value) for key, value in cursors.items()}
    found["payments"] = [shapes.payment(each) for each in found["payments"]]
    return found


def _payment(call: Call, payment_id: str) -> Obj:
    found = payments.find(call, payment_id) if payment_id.startswith("PM") else None
    if found is None or "authorised_at" not in found:
        raise not_found()
    return found


# --------------------------------------------------------------------------------------- refunds


def create_refund(call: Call, sent: Obj) -> Obj:
    """Answer `POST /refunds`. Source: the service's own list of refusals."""
    under = "refunds"
    links = sent.get("links")
    of = str(links.get("payment") if isinstance(links, dict) else "")
    payment = payments.find(call, of)
    if payment is None or "authorised_at" not in payment:
        raise invalid("links.payment", "could not be found", under=under)
    amount = _amount(sent, "amount", under=under)
    total = sent.get("total_amount_confirmation")
    if total is None:
        raise invalid("total_amount_confirmation", "can't be blank", under=under)
    if not payment["settled"] or payment["late_failed"] or payment["charged_back"]:
        raise wrong_state("refund_payment_invalid_state", "The payment cannot be refunded")
    if len(list(call.store.of(REFUND, payment["id"]))) >= _MOST_REFUNDS:
        raise wrong_state("number_of_refunds_exceeded", "Five refunds are the most")
    if _whole(total) != payment["refunded"] + amount:
        raise _state_422("total_amount_confirmation_invalid", "total_amount_confirmation")
    if amount > refunds.left(payment):
        raise invalid("amount", "exceeds what is left of the payment", under=under)
    if accounts.balance(call, GOCARDLESS, payment["currency"]) < amount:
        raise wrong_state("available_refund_amount_insufficient", "The balance does not suffice")
    content = {"reference": sent.get("reference"), "metadata": _metadata(sent, under)}
    made = refunds.create(call, payment, _new_id("RF"), amount, content)
    return {"refunds": shapes.refund(call, made)}


def _state_422(reason: str, field: str) -> Refused:
    message = "does not match the total that would be refunded"
    error = {"field": field, "message": message, "reason": reason,
             "request_pointer": f"/refunds/{field}"}  # fmt: skip
    return Refused(422, "validation_failed", "Validation failed", error)


def read_refund(call: Call, _sent: Obj, refund_id: str) -> Obj:
    """Answer `GET /refunds/{id}`."""
    return {"refunds": shapes.refund(call, _owned(call, REFUND, refund_id))}


def list_refunds(call: Call, sent: Obj) -> Obj:
    """Answer `GET /refunds`, also of one payment."""
    asked, parent = dict(sent), None
    if "payment" in asked:
        parent = _payment(call, str(asked.pop("payment")))["id"]
    return lists.page(
        call, REFUND, asked, name="refunds", parent=parent,
        show=lambda found: shapes.refund(call, found),
    )  # fmt: skip


# --------------------------------------------------------------------------------------- payouts


def read_payout(call: Call, _sent: Obj, payout_id: str) -> Obj:
    """Answer `GET /payouts/{id}`."""
    return {"payouts": shapes.payout(_owned(call, PAYOUT, payout_id))}


def list_payouts(call: Call, sent: Obj) -> Obj:
    """Answer `GET /payouts`."""
    filters = {"currency": "$.currency", "reference": "$.reference"}
    return lists.page(call, PAYOUT, sent, name="payouts", show=shapes.payout, filters=filters)


def list_payout_items(call: Call, sent: Obj) -> Obj:
    """Answer `GET /payout_items?payout=`, in the order in which they were booked."""
    if "payout" not in sent:
        raise misused(400, "missing_filters", "payout is required")
    payout = _owned(call, PAYOUT, str(sent["payout"]))
    account = accounts.key(GOCARDLESS, payout["currency"])
    lines = list(call.store.of(accounts.BOOKING, account, label=payout["id"]))
    limit = int(sent.get("limit", lists.DEFAULT))
    start = next((n + 1 for n, line in enumerate(lines) if line["id"] == sent.get("after")), 0)
    page = lines[start : start + limit]
    after = page[-1]["id"] if start + limit < len(lines) else None
    before = page[0]["id"] if start and page else None
    return {
        "payout_items": [shapes.payout_item(call, line) for line in page],
        "meta": {"cursors": {"before": before, "after": after}, "limit": limit},
    }


# --------------------------------------------------------------------------- events and webhooks


def list_events(call: Call, sent: Obj) -> Obj:
    """Answer `GET /events`."""
    filters = {"action": "$.action", "resource_type": "$.resource_type"} | {
        name: f"$.links.{name}" for name in ("billing_request", "payment", "payout", "refund")
    }
    return lists.page(call, events.EVENT, sent, name="events", show=events.shown,
                      filters=filters, group=None)  # fmt: skip


def read_event(call: Call, _sent: Obj, event_id: str) -> Obj:
    """Answer `GET /events/{id}`."""
    found = call.store.find(events.EVENT, event_id)
    if found is None:
        raise not_found()
    return {"events": events.shown(found)}


def list_webhooks(call: Call, sent: Obj) -> Obj:
    """Answer `GET /webhooks`."""
    wanted = dict(sent)
    for name in ("successful", "is_test"):
        if name in wanted:
            wanted[name] = int(str(wanted[name]).lower() == "true")
    return lists.page(call, events.WEBHOOK, wanted, name="webhooks", show=_webhook,
                      filters={"successful": "$.successful", "is_test": "$.is_test"})  # fmt: skip


def read_webhook(call: Call, _sent: Obj, webhook_id: str) -> Obj:
    """Answer `GET /webhooks/{id}`."""
    return {"webhooks": _webhook(_found_webhook(call, webhook_id))}


def retry_webhook(call: Call, _sent: Obj, webhook_id: str) -> Obj:
    """Answer `POST /webhooks/{id}/actions/retry`: the whole batch goes out again."""
    found = _found_webhook(call, webhook_id)
    posting.supersede(call, webhook_id)
    events.post(call, found)
    return {"webhooks": _webhook(found)}


def _found_webhook(call: Call, webhook_id: str) -> Obj:
    found = call.store.find(events.WEBHOOK, webhook_id)
    if found is None:
        raise not_found()
    return found


def _webhook(found: Obj) -> Obj:
    hidden = {"style", "created"}
    return {k: v for k, v in found.items() if k not in hidden and not k.startswith("_")}


# ---------------------------------------------------------------------------------------- fields


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _amount(sent: Obj, name: str, *, under: str) -> int:
    value = _whole(sent.get(name))
    if value is None or value < 1:
        raise invalid(name, "must be greater than 0", under=under)
    return value


def _text(sent: Obj, name: str, *, under: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, "can't be blank", under=under)
    return value[:255]


def _metadata(sent: Obj, under: str) -> dict[str, str]:
    value = sent.get("metadata") or {}
    if not isinstance(value, dict) or len(value) > _MOST_KEYS:
        raise invalid("metadata", f"at most {_MOST_KEYS} keys are allowed", under=under)
    if any(len(k) > 50 or not isinstance(v, str) or len(v) > 500 for k, v in value.items()):
        raise invalid("metadata", "keys of 50 and values of 500 characters", under=under)
    return value
