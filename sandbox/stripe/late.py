"""A debit that fails after it was paid: its money is taken out of the balance again."""

from __future__ import annotations

from sandbox.stripe import bookings, events
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.world import Call, visible


def fail(call: Call, intent: Obj) -> Obj:
    """Fail the paid debit of an intent, which itself stays as it is.

    Writes: the charge, a balance transaction. Emits: charge.failed. Raises: ApiError 400 when it was paid by no debit.
    """
    charge = call.get("charge", intent["latest_charge"])
    if charge["payment_method_details"]["type"] == "card" or charge["status"] != "succeeded":
        raise invalid("Only a debit that was paid can fail afterwards.", "intent")
    charge |= {
        "failure_balance_transaction": bookings.book_failure(call, charge),
        "failure_code": "account_closed",
        "failure_message": "The customer's bank account has been closed.",
        "paid": False,
        "status": "failed",
    }
    call.store.put("charge", charge)
    events.emit(call, "charge.failed", charge)
    return visible(charge)
