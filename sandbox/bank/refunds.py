"""The truth about refunds: money that goes back to whoever paid."""

from __future__ import annotations

from sandbox.bank import accounts, payments, wires
from sandbox.bank.world import GOCARDLESS, PAYMENT, REFUND, Call
from sandbox.common.wire import Obj


def create(call: Call, payment: Obj, refund_id: str, amount: int, content: Obj) -> Obj:
    """Take a refund down; the bank sends it a little later.

    Writes: the refund, what was refunded of the payment. Emits: created.
    """
    refund: Obj = {
        "id": refund_id,
        "wire": payment["wire"],
        "payment": payment["id"],
        "status": "pending",
        "amount": amount,
        "currency": payment["currency"],
        "created": call.ms,
        "created_at": call.moment,
        "returned": False,
        "_group": payment["wire"],
        "_parent": payment["id"],
    }
    call.store.put(REFUND, refund | content)
    _count(call, refund, amount)
    wires.tell(call, refund | content, "refund_created")
    call.later("refund", refund_id, seconds=call.settings.refund_seconds)
    return refund | content


def left(payment: Obj) -> int:
    """Return what may still be refunded of a payment."""
    if not payment["settled"] or any(
        payment[word] for word in ("late_failed", "charged_back", "reversed")
    ):
        return 0
    return int(payment["amount"] - payment["refunded"])


def execute(call: Call, refund: Obj) -> None:
    """Send a pending refund, or fail it when the account does not hold enough."""
    if refund["status"] != "pending":
        return
    if accounts.balance(call, refund["wire"], refund["currency"]) < refund["amount"]:
        fail(call, refund, "insufficient_funds")
        return
    _book(call, refund, -refund["amount"], "refund")
    _put(call, refund, status="executed", executed_at=call.moment)
    wires.tell(call, refund, "refund_executed")


def fail(call: Call, refund: Obj, reason: str) -> None:
    """Fail a pending refund, or let an executed one come back. Emits: failed."""
    if refund["status"] == "failed":
        raise payments.WrongState(f"{refund['id']} has failed already")
    if refund["status"] == "executed":
        _book(call, refund, refund["amount"], "refund_returned")
        refund["returned"] = True
    _count(call, refund, -refund["amount"])
    _put(call, refund, status="failed", failed_at=call.moment, reason=reason)
    wires.tell(call, refund, "refund_failed")


def _put(call: Call, refund: Obj, **changed: object) -> None:
    refund |= changed
    call.store.put(REFUND, refund)


def _count(call: Call, refund: Obj, amount: int) -> None:
    payment = call.store.find(PAYMENT, refund["payment"])
    if payment is not None:
        call.store.put(PAYMENT, payment | {"refunded": payment["refunded"] + amount})


_KINDS = {"refund": "payment_refunded", "refund_returned": "refund_funds_returned"}


def _book(call: Call, refund: Obj, amount: int, kind: str) -> None:
    payment = call.store.find(PAYMENT, refund["payment"]) or {}
    is_due = refund["wire"] == GOCARDLESS
    accounts.book(
        call,
        refund["wire"],
        refund,
        amount,
        kind=_KINDS[kind] if is_due else kind,
        name=payment["payer"],
        iban=payment["payer_account"]["iban"],
        reference=refund["reference"] or payment["reference"],
        is_due=is_due,
    )
