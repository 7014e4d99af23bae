"""The truth about payouts: what a provider sends to our own account, or to somebody else's."""

from __future__ import annotations

from uuid import uuid4

from sandbox.bank import accounts, wires
from sandbox.bank.payments import WrongState
from sandbox.bank.world import CURRENCIES, GOCARDLESS, PAYMENT, PAYOUT, TRUELAYER, WIRES, Call
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj

_LETTERS = 13


def pay_out(call: Call, *, wire: str | None = None, currency: str | None = None) -> list[Obj]:
    """Pay out what providers hold above their float, and return the payouts made."""
    made = [
        _pay_out(call, each, code)
        for each in ([wire] if wire else WIRES)
        for code in ([currency] if currency else CURRENCIES)
    ]
    return [payout for payout in made if payout is not None]


def _pay_out(call: Call, wire: str, currency: str) -> Obj | None:
    lines = accounts.due(call, wire, currency)
    above = accounts.balance(call, wire, currency) - accounts.opening(call.world, wire)
    amount = sum(line["amount"] for line in lines) if wire == GOCARDLESS else above
    if amount <= 0:
        return None
    payout_id = f"PO{random_text(_LETTERS).upper()}" if wire == GOCARDLESS else str(uuid4())
    payout = create(call, wire, payout_id, amount, {"currency": currency, **_to_us(call, currency)})
    for line in lines:
        accounts.take(call, line, payout["id"])
    execute(call, payout)
    if wire == GOCARDLESS:
        _mark_paid_out(call, payout, lines)
    return payout


def _to_us(call: Call, currency: str) -> Obj:
    return {
        "name": call.settings.payee,
        "iban": accounts.iban(accounts.BANK, currency),
        "beneficiary": {"type": "business_account", "account_holder_name": call.settings.payee},
        "reference": f"{call.settings.payee.split()[0].upper()[:8]}-{random_text(6).upper()}",
        "metadata": {},
    }


def create(call: Call, wire: str, payout_id: str, amount: int, content: Obj) -> Obj:
    """Take a payout down. `content`: currency, name, iban, reference, metadata, beneficiary."""
    payout: Obj = {
        "id": payout_id,
        "wire": wire,
        "status": "pending",
        "amount": amount,
        "created": call.ms,
        "created_at": call.moment,
        "fees": 0,
        "_group": wire,
    }
    return call.store.put(PAYOUT, payout | content)


def execute(call: Call, payout: Obj) -> None:
    """Send a pending payout, or fail it when the account does not hold enough."""
    if payout["status"] != "pending":
        return
    if accounts.balance(call, payout["wire"], payout["currency"]) < payout["amount"]:
        _put(call, payout, status="failed", failed_at=call.moment, reason="insufficient_funds")
        wires.tell(call, payout, "payout_failed")
        return
    _move(call, payout, payout["amount"], "payout")
    _put(call, payout, status="executed", executed_at=call.moment)
    wires.tell(call, payout, "payout_executed")


def give_back(call: Call, payout: Obj) -> None:
    """Let the bank send an executed payout back. Emits: failed."""
    if payout["wire"] != TRUELAYER or payout["status"] != "executed":
        raise WrongState("only an executed payout of TrueLayer's can come back")
    _move(call, payout, -payout["amount"], "payout_returned")
    _put(call, payout, status="failed", failed_at=call.moment, reason="returned")
    wires.tell(call, payout, "payout_failed")


def _put(call: Call, payout: Obj, **changed: object) -> None:
    payout |= changed
    call.store.put(PAYOUT, payout)


def _move(call: Call, payout: Obj, amount: int, kind: str) -> None:
    """Book the provider's side and, when it goes to our own account, ours."""
    currency, reference = payout["currency"], payout["reference"]
    accounts.book(
        call, payout["wire"], payout, -amount, kind=kind,
        name=payout["name"], iban=payout["iban"], reference=reference,
    )  # fmt: skip
    if payout["iban"] == accounts.iban(accounts.BANK, currency):
        sender = {TRUELAYER: "TrueLayer sandbox", GOCARDLESS: "GoCardless sandbox"}[payout["wire"]]
        accounts.book(
            call, accounts.BANK, payout, amount, kind=kind,
            name=sender, iban=accounts.iban(payout["wire"], currency), reference=reference,
        )  # fmt: skip


def _mark_paid_out(call: Call, payout: Obj, lines: list[Obj]) -> None:
    """Say of each line with which payout it went, as GoCardless does."""
    fees = -sum(line["amount"] for line in lines if line["kind"] == "gocardless_fee")
    _put(call, payout, fees=fees)
    for line in lines:
        payment = call.store.find(PAYMENT, line["subject"])
        if payment is not None and line["kind"] == "payment_paid_out":
            payment = call.store.put(PAYMENT, payment | {"payout": payout["id"]})
        subject = payment or call.store.find("refund", line["subject"])
        moment = _SETTLED.get(line["kind"])
        if subject is not None and moment is not None:
            wires.tell(call, subject | {"payout": payout["id"]}, moment)


_SETTLED = {
    "payment_paid_out": "paid_out",
    "payment_failed": "late_failure_settled",
    "payment_charged_back": "chargeback_settled",
    "payment_refunded": "refund_settled",
}
