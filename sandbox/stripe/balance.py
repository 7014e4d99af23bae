"""The account itself: its balance, its balance transactions and who it is."""

from __future__ import annotations

from sandbox.stripe import lists, methods, params
from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

AVAILABLE_AFTER_SECONDS = 2 * 86_400
# Stripe's list price for a domestic card in the United States, in basis points and minor units.
FEE_BASIS_POINTS = 290
FEE_FIXED = 30


def book_charge(call: Call, charge: Obj, amount: int) -> str:
    """Book captured money and return the balance transaction's id. Writes: the transaction."""
    fee = (amount * FEE_BASIS_POINTS + 5_000) // 10_000 + FEE_FIXED
    at_once = _bypasses_pending(call, charge)
    booked = {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now + (0 if at_once else AVAILABLE_AFTER_SECONDS),
        "balance_type": "payments",
        "created": call.now,
        "currency": charge["currency"],
        "description": charge["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": charge["currency"],
                "description": "Stripe processing fees",
                "type": "stripe_fee",
            }
        ],
        "net": amount - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "available" if at_once else "pending",
        "type": "charge" if charge["id"].startswith("ch_") else "payment",
    }
    return str(call.store.put("balance_transaction", booked)["id"])


def book_refund(call: Call, charge: Obj, refund: Obj, *, failed: bool = False) -> str:
    """Book money that went back, or that came back because the refund failed; fees are kept.

    Writes: the transaction. Source: https://docs.stripe.com/refunds#failed-refunds
    """
    amount = refund["amount"] if failed else -refund["amount"]
    kind = "refund" if charge["id"].startswith("ch_") else "payment_refund"
    booked = {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now,
        "balance_type": "payments",
        "created": call.now,
        "currency": refund["currency"],
        "description": f"REFUND {'FAILURE' if failed else 'FOR CHARGE'} ({charge['id']})",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": "refund_failure" if failed else "refund",
        "source": refund["id"],
        "status": "available",
        "type": f"{kind}_failure" if failed else kind,
    }
    return str(call.store.put("balance_transaction", booked)["id"])


def book_dispute(call: Call, dispute: Obj, amount: int, *, fee: int) -> Obj:
    """Book money that a bank takes back, below nothing, or gives back. Writes: the transaction.

    Source: https://docs.stripe.com/reports/reporting-categories (dispute, dispute_reversal)
    """
    category = "dispute" if amount < 0 else "dispute_reversal"
    details = {"amount": fee, "application": None, "currency": dispute["currency"],
               "description": "Dispute fee", "type": "stripe_fee"}  # fmt: skip
    booked = {
        "id": new_id("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now,
        "balance_type": "payments",
        "created": call.now,
        "currency": dispute["currency"],
        "description": f"Chargeback {category} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }
    return call.store.put("balance_transaction", booked)


def retrieve(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/balance`."""
    params.only(sent, ())
    pending: dict[str, int] = {}
    available: dict[str, int] = {}
    for booked in call.store.every("balance_transaction"):
        side = available if booked["available_on"] <= call.now else pending
        side[booked["currency"]] = side.get(booked["currency"], 0) + booked["net"]
    for currency in {*pending, *available} or {"eur"}:
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
    return visible(call.get("balance_transaction", transaction_id))


def list_transactions(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/balance_transactions`."""
    params.only(sent, {*lists.PAGING, "created", "currency", "source", "type", "payout"})
    extra = tuple(
        (f"$.{name}", value)
        for name in ("currency", "source", "type")
        if (value := params.text(sent, name))
    )
    url = "/v1/balance_transactions"
    return lists.page(call, "balance_transaction", sent, url=url, extra=extra)


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
        "default_currency": "usd",
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


def _bypasses_pending(call: Call, charge: Obj) -> bool:
    method = call.store.find("payment_method", charge["payment_method"] or "")
    if method is None or method["type"] != "card":
        return False
    return methods.sample(method).bypass_pending
