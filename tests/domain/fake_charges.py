"""How the fake rail's cards behave when a payment is asked for with one of them: paid, asked, held or declined."""

from __future__ import annotations

from core.errors import PaymentDeclined, ProviderReference
from providers.new_payment import NewPayment

# The cards of tests by name; every other card pays.
ASKED = "pm_3ds"
DECLINED = "pm_declined"


def confirm(record: dict[str, object], new: NewPayment) -> PaymentDeclined | None:
    """Bring a new intent to where its card brings it. Gives the refusal, if it is one."""
    if new.card is None:
        return None
    charge = f"ch_{record['id']}"
    record["payment_method"] = new.card
    if new.card.startswith(ASKED):
        record["status"] = "requires_action"
    elif new.card.startswith(DECLINED):
        refuse(record)
        said = ProviderReference(str(record["id"]), "insufficient_funds")
        details = {"stripeCode": "insufficient_funds", "adviceCode": None, "retryable": True}
        return PaymentDeclined("Insufficient funds.", details=details, provider=said)
    elif new.manual_capture:
        record |= {"status": "requires_capture", "amount_capturable": record["amount"]}
        record["latest_charge"] = charge
    else:
        record |= {"status": "succeeded", "amount_received": record["amount"]}
        record["latest_charge"] = charge
    return None


def expanded(record: dict[str, object]) -> dict[str, object]:
    """Write an intent as it is answered when its charge is asked for with it."""
    charge = record.get("latest_charge")
    is_check = record["metadata"].get("type") == "payment_method_validation"  # type: ignore[attr-defined]
    if not isinstance(charge, str) or not is_check:
        return record
    failed = bool(record["last_payment_error"])
    told = {"id": charge, "status": "failed" if failed else "succeeded", "amount": record["amount"]}
    return record | {"latest_charge": told}


def refuse(record: dict[str, object], code: str = "insufficient_funds") -> None:
    """Have the bank refuse an intent's card, as Stripe writes it: the intent waits for another one."""
    error = {"code": "card_declined", "decline_code": code, "charge": f"ch_{record['id']}"}
    record |= {"status": "requires_payment_method", "last_payment_error": error}
    record["payment_method"] = None


def intent(reference: str, payment_id: str, amount: int, **more: object) -> dict[str, object]:
    """Make a payment intent as Stripe writes it."""
    return {
        "id": reference,
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": amount,
        "amount_received": 0,
        "amount_capturable": 0,
        "currency": "eur",
        "client_secret": f"{reference}_secret_x",
        "metadata": {"payment_id": payment_id},
        "latest_charge": None,
        "last_payment_error": None,
    } | more
