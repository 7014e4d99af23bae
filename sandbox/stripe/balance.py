"""The account itself: its balance, the list of its balance transactions, and who it is."""

from __future__ import annotations

from sandbox.stripe import lists, params
from sandbox.stripe.bookings import KIND
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.world import Call, visible


def retrieve(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/balance`."""
    params.only(sent, ())
    pending: dict[str, int] = {}
    available: dict[str, int] = {}
    for booked in call.store.every(KIND):
        side = available if booked["available_on"] <= call.now else pending
        side[booked["currency"]] = side.get(booked["currency"], 0) + booked["net"]
    for currency in {*pending, *available} or {call.world.settings.settles[0]}:
        pending.setdefault(currency, 0)
        available.setdefault(currency, 0)
    return {
        "object": "balance",
        "available": _amounts(available),
        "livemode": False,
        "pending": _amounts(pending),
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


def retrieve_transaction(call: Call, _sent: Obj, transaction_id: str) -> Obj:
    """Answer `GET /v1/balance_transactions/{id}`."""
    return _as_now(call, visible(call.get(KIND, transaction_id)))


def list_transactions(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/balance_transactions`."""
    params.only(sent, {*lists.PAGING, "created", "currency", "source", "type", "payout"})
    extra = tuple(
        (f"$.{name}", value)
        for name in ("currency", "source", "type")
        if (value := params.text(sent, name))
    )
    if payout := params.text(sent, "payout"):
        _assert_listable(call, payout)
        extra += (("$._payout", payout),)
    found = lists.page(call, KIND, sent, url="/v1/balance_transactions", extra=extra)
    found["data"] = [_as_now(call, booked) for booked in found["data"]]
    return found


def _assert_listable(call: Call, payout_id: str) -> None:
    """Refuse to list what a payout is made of that was made by hand."""
    payout = call.get("payout", payout_id, param="payout", status=400)
    if not payout["automatic"]:
        message = "Balance transaction history can only be filtered on automatic transfers."
        raise invalid(message, "payout")


def _as_now(call: Call, booked: Obj) -> Obj:
    """Return a balance transaction with the status that it has at this moment."""
    is_available = booked["available_on"] <= call.now
    return booked | {"status": "available" if is_available else "pending"}


def account(call: Call, _sent: Obj, account_id: str | None = None) -> Obj:
    """Answer `GET /v1/account` and `GET /v1/accounts/{id}`."""
    own = call.world.account
    if account_id not in (None, own):
        call.get("account", str(account_id))
    return {
        "id": own,
        "object": "account",
        "business_profile": {"mcc": "5734", "name": "Paydesk sandbox", "url": None},
        "business_type": "company",
        "capabilities": {
            "card_payments": "active",
            "sepa_debit_payments": "active",
            "transfers": "active",
        },
        "charges_enabled": True,
        "country": "US",
        "created": 1_700_000_000,
        "default_currency": call.world.settings.settles[0],
        "details_submitted": True,
        "email": "sandbox@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Paydesk sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def _amounts(side: dict[str, int]) -> list[Obj]:
    return [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(side.items())
    ]
