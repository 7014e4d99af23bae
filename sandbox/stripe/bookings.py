"""Balance transactions as they are made: of charges, refunds, disputes and payouts; each with fee and net."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.stripe import exchange, methods
from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call

KIND = "balance_transaction"
# Stripe's list price for a domestic card in the United States, in basis points and minor units.
FEE_BASIS_POINTS = 290
FEE_FIXED = 30
# What exchanging costs in the United States. Source: https://stripe.com/pricing
EXCHANGE_BASIS_POINTS = 100


def book_charge(call: Call, charge: Obj, amount: int) -> str:
    """Book captured money and return the balance transaction's id. Writes: the transaction."""
    kept = exchange.settle(call, amount, charge["currency"])
    fees = [("Stripe processing fees", _share(kept.amount, FEE_BASIS_POINTS) + FEE_FIXED)]
    if kept.rate is not None:
        cost = _share(kept.amount, EXCHANGE_BASIS_POINTS)
        fees.append(("Stripe currency conversion fee", cost))
    at_once = _bypasses_pending(call, charge)
    seconds = 0.0 if at_once else call.world.settings.available_seconds
    booked = put(
        call,
        "charge" if charge["id"].startswith("ch_") else "payment",
        "charge",
        kept,
        source=charge["id"],
        description=charge["description"],
        fees=fees,
        available_on=call.now + int(seconds),
    )
    return str(booked["id"])


def book_failure(call: Call, charge: Obj) -> str:
    """Book that a debit failed which had been paid: what it brought goes, what it cost stays.

    Writes: the transaction. Source: https://docs.stripe.com/reports/balance-transaction-types
    """
    back = _mirrored(call, charge["balance_transaction"])
    words = f"Payment failure for {charge['id']}"
    booked = put(
        call,
        "payment_failure_refund",
        "charge_failure",
        back,
        source=charge["id"],
        description=words,
    )
    return str(booked["id"])


def book_refund(call: Call, charge: Obj, refund: Obj, *, failed: bool = False) -> str:
    """Book money that went back, or that came back because the refund failed; fees are kept.

    Writes: the transaction. Source: https://docs.stripe.com/refunds#failed-refunds
    """
    kind = "refund" if charge["id"].startswith("ch_") else "payment_refund"
    if failed:
        moved = _mirrored(call, refund["balance_transaction"])
    else:
        moved = exchange.settle(call, -refund["amount"], refund["currency"])
    booked = put(
        call,
        "refund_failure" if failed else kind,
        "refund_failure" if failed else "refund",
        moved,
        source=refund["id"],
        description=f"REFUND {'FAILURE' if failed else 'FOR CHARGE'} ({charge['id']})",
    )
    return str(booked["id"])


def book_dispute(call: Call, dispute: Obj, amount: int, *, fee: int) -> Obj:
    """Book money that a bank takes back, below nothing, or gives back. Writes: the transaction.

    Source: https://docs.stripe.com/reports/reporting-categories (dispute, dispute_reversal)
    """
    category = "dispute" if amount < 0 else "dispute_reversal"
    return put(
        call,
        "adjustment",
        category,
        exchange.settle(call, amount, dispute["currency"]),
        source=dispute["id"],
        description=f"Chargeback {category} for {dispute['charge']}",
        fees=[("Dispute fee", fee)] if fee else [],
        prefix="txn_1",
    )


def put(
    call: Call,
    kind: str,
    category: str,
    moved: exchange.Settled,
    *,
    source: str | None,
    description: str | None = None,
    fees: Sequence[tuple[str, int]] = (),
    available_on: int | None = None,
    prefix: str = "txn_3",
) -> Obj:
    """Make one balance transaction; a first one begins the account's payouts. Writes: it, jobs."""
    fee = sum(amount for _, amount in fees)
    available = call.now if available_on is None else available_on
    _begin_payouts(call)
    return call.store.put(
        KIND,
        {
            "id": new_id(prefix),
            "object": KIND,
            "amount": moved.amount,
            "available_on": available,
            "balance_type": "payments",
            "created": call.now,
            "currency": moved.currency,
            "description": description,
            "exchange_rate": moved.shown_rate,
            "fee": fee,
            "fee_details": [
                {
                    "amount": amount,
                    "application": None,
                    "currency": moved.currency,
                    "description": words,
                    "type": "stripe_fee",
                }
                for words, amount in fees
            ],
            "net": moved.amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "available" if available <= call.now else "pending",
            "type": kind,
        },
    )


def _begin_payouts(call: Call) -> None:
    """Have the balance paid out from time to time, once there is one."""
    seconds = call.world.settings.payout_seconds
    if not seconds:
        return
    with call.store.locked() as db:
        waits = db.execute("SELECT 1 FROM jobs WHERE name = 'pay_out' LIMIT 1").fetchone()
    if waits is None:
        call.later("pay_out", "automatic", seconds=seconds)


def _share(amount: int, basis_points: int) -> int:
    return (amount * basis_points + 5_000) // 10_000


def _mirrored(call: Call, transaction_id: str) -> exchange.Settled:
    """Return what undoes a booking, at the rate it was made at."""
    made = call.get(KIND, transaction_id)
    rate = made["exchange_rate"]
    shown = None if rate is None else format(rate, "f").rstrip("0").rstrip(".")
    return exchange.Settled(-made["amount"], made["currency"], shown)


def _bypasses_pending(call: Call, charge: Obj) -> bool:
    method = call.store.find("payment_method", charge["payment_method"] or "")
    if method is None or method["type"] != "card":
        return False
    return methods.sample(method).bypass_pending
