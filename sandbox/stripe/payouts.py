"""Payouts of the available balance to the account's bank: made by themselves, paid, or sent back.

Source: https://docs.stripe.com/payouts, https://docs.stripe.com/api/payouts/object
"""

from __future__ import annotations

from sandbox.stripe import bookings, events, lists, params
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.exchange import Settled
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

KIND = "payout"
BANK = "ba_1sandbox"
# What a bank says of an account that does not take the money any more.
FAILURE = "account_closed"
_WORDS = "The bank account has been closed."


def pay_out(call: Call, *, also_pending: bool = False, automatic: bool = True) -> list[Obj]:
    """Pay out what is available, one payout per currency; nothing where nothing is left.

    also_pending: what is not available yet becomes so at once. Writes: payouts, balance transactions,
    jobs. Emits: payout.created.
    """
    parts: dict[str, list[Obj]] = {}
    for booked in call.store.every(bookings.KIND):
        is_free = booked.get("_payout") is None
        if is_free and (also_pending or booked["available_on"] <= call.now):
            parts.setdefault(booked["currency"], []).append(booked)
    made = []
    for currency, members in sorted(parts.items()):
        if sum(booked["net"] for booked in members) > 0:
            made.append(_pay(call, currency, members, automatic=automatic))
    return made


def _pay(call: Call, currency: str, members: list[Obj], *, automatic: bool) -> Obj:
    amount = sum(booked["net"] for booked in members)
    payout = _blank(call, currency, amount, automatic=automatic)
    for booked in members:
        freed = {"_payout": payout["id"], "available_on": min(booked["available_on"], call.now)}
        call.store.put(bookings.KIND, booked | freed)
    own = bookings.put(
        call,
        "payout",
        "payout",
        Settled(-amount, currency, None),
        source=payout["id"],
        description="STRIPE PAYOUT",
        prefix="txn_1",
    )
    call.store.put(bookings.KIND, own | {"_payout": payout["id"]})
    payout["balance_transaction"] = own["id"]
    call.store.put(KIND, payout)
    events.emit(call, "payout.created", payout)
    call.later("settle_payout", payout["id"], seconds=call.world.settings.settle_seconds)
    return payout


def settle(call: Call, payout: Obj) -> None:
    """Bring a payout one step on: to the bank, then there.

    Writes: the payout, jobs. Emits: payout.updated, payout.paid, payout.reconciliation_completed.
    """
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        call.store.put(KIND, payout)
        events.emit(call, "payout.updated", payout, previous={"status": "pending"})
        call.later("settle_payout", payout["id"], seconds=call.world.settings.settle_seconds)
    elif payout["status"] == "in_transit":
        payout["status"] = "paid"
        payout["trace_id"] = {"status": "unsupported", "value": None}
        if payout["automatic"]:
            payout["reconciliation_status"] = "completed"
        call.store.put(KIND, payout)
        events.emit(call, "payout.paid", payout)
        if payout["automatic"]:
            events.emit(call, "payout.reconciliation_completed", payout)


def fail(call: Call, payout: Obj, *, code: str = FAILURE) -> Obj:
    """Have the bank send a payout back, even days after it was paid; the balance has its money again.

    Writes: the payout, a balance transaction. Emits: payout.failed.
    """
    if payout["status"] in ("failed", "canceled"):
        raise invalid(f"The payout is {payout['status']} already.", "payout")
    payout |= {
        "status": "failed",
        "failure_code": code,
        "failure_message": _WORDS,
        "failure_balance_transaction": _put_back(call, payout, "payout_failure"),
    }
    call.store.put(KIND, payout)
    events.emit(call, "payout.failed", payout)
    return visible(payout)


def cancel(call: Call, _sent: Obj, payout_id: str) -> Obj:
    """Answer `POST /v1/payouts/{id}/cancel`. Emits: payout.canceled."""
    payout = call.get(KIND, payout_id)
    if payout["automatic"] or payout["status"] != "pending":
        message = "Payouts can only be canceled if they are not automatic and still pending."
        raise invalid(message, code="payout_not_allowed")
    payout["failure_balance_transaction"] = _put_back(call, payout, "payout_cancel")
    payout["status"] = "canceled"
    call.store.put(KIND, payout)
    events.emit(call, "payout.canceled", payout)
    return visible(payout)


def _put_back(call: Call, payout: Obj, kind: str) -> str:
    back = bookings.put(
        call,
        kind,
        "payout_reversal",
        Settled(payout["amount"], payout["currency"], None),
        source=payout["id"],
        description="STRIPE PAYOUT RETURNED",
        prefix="txn_1",
    )
    return str(back["id"])


def retrieve(call: Call, _sent: Obj, payout_id: str) -> Obj:
    """Answer `GET /v1/payouts/{id}`."""
    return visible(call.get(KIND, payout_id))


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/payouts`."""
    params.only(sent, {*lists.PAGING, "arrival_date", "created", "destination", "status"})
    status = params.text(sent, "status")
    labels = (status,) if status else ()
    return lists.page(call, KIND, sent, url="/v1/payouts", labels=labels)


def _blank(call: Call, currency: str, amount: int, *, automatic: bool) -> Obj:
    return {
        "id": new_id("po_1"),
        "object": KIND,
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": call.now + int(2 * call.world.settings.settle_seconds),
        "automatic": automatic,
        "balance_transaction": None,
        "created": call.now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": BANK,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
