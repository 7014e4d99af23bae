"""The rehearsal's own door, `/_sandbox`: faults, truth, acts of banks and payers, statements."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.bank import accounts, deliveries, payments, payouts, refunds, statement
from sandbox.bank.banks import BANKS, DEFAULT
from sandbox.bank.truelayer import keys
from sandbox.bank.world import (
    CURRENCIES,
    ENDPOINT,
    PAYMENT,
    PAYOUT,
    REFUND,
    WIRES,
    Call,
    World,
    unit,
)
from sandbox.common import control
from sandbox.common.control import BadControl
from sandbox.common.wire import Obj, Reply, Request

_PAYMENT_SHOWN = (
    *("wire", "status", "amount", "currency", "reference", "metadata", "bank", "refunded"),
    *("settled", "late_failed", "charged_back", "disputed", "reversed", "stalled", "payout"),
)
_REFUND_SHOWN = ("id", "status", "amount", "currency", "reference", "returned")
_PAYOUT_SHOWN = ("wire", "status", "amount", "currency", "reference", "fees", "iban")


def answer(world: World, request: Request) -> Reply:
    """Answer one control request; JSON in, JSON out."""
    return control.answer(world, request, _ACTS)


def _health(world: World, _sent: Obj) -> Obj:
    return {"ok": True, "now": world.clock.now(), "public_url": world.settings.public_url}


def _ledger(world: World, _sent: Obj) -> Obj:
    """Return what really happened, for a checker to compare with."""
    with unit(world) as call:
        return {
            "payments": {each["id"]: _shown(call, each) for each in call.store.every(PAYMENT)},
            "payouts": {
                each["id"]: {name: each[name] for name in _PAYOUT_SHOWN}
                for each in call.store.every(PAYOUT)
            },
            "accounts": {
                accounts.key(holder, currency): accounts.balance(call, holder, currency)
                for holder in accounts.HOLDERS
                for currency in CURRENCIES
            },
        }


def _shown(call: Call, payment: Obj) -> Obj:
    made = call.store.of(REFUND, payment["id"])
    return {name: payment[name] for name in _PAYMENT_SHOWN} | {
        "payment": payment.get("_parent") or payment["id"],
        "refunds": [{name: each[name] for name in _REFUND_SHOWN} for each in made],
    }


def _payments(world: World, _sent: Obj) -> Obj:
    with unit(world) as call:
        every = list(call.store.every(PAYMENT))
        return {"data": [{"id": each["id"], **_shown(call, each)} for each in every]}


def _act(world: World, sent: Obj, payment_id: str, name: str) -> Obj:
    """Let payer, bank or provider do something to a payment."""
    with unit(world) as call:
        payment = payments.find(call, payment_id)
        if payment is None or name not in _PAYMENT_ACTS:
            raise BadControl(f"{payment_id} must be a payment, {name} one of {list(_PAYMENT_ACTS)}")
        _PAYMENT_ACTS[name](call, payment, sent)
        return {"id": payment["id"], **_shown(call, payment)}


def _authorise(call: Call, payment: Obj, sent: Obj) -> None:
    """Agree as the payer would, at a bank of one's choice."""
    bank = BANKS.get(str(sent.get("bank", DEFAULT)))
    if bank is None:
        raise BadControl(f"bank is one of {', '.join(BANKS)}")
    payments.visit(call, payment)
    payments.choose(call, payment, bank)
    payments.authorise(call, payment)


def _fail(call: Call, payment: Obj, sent: Obj) -> None:
    payments.fail(call, payment, str(sent.get("reason", "provider_rejected")))


def _plain(act: Callable[[Call, Obj], None]) -> Callable[[Call, Obj, Obj], None]:
    return lambda call, payment, _sent: act(call, payment)


_PAYMENT_ACTS: dict[str, Callable[[Call, Obj, Obj], None]] = {
    "authorise": _authorise,
    "decline": lambda call, payment, _sent: payments.refuse(call, payment, by="payer"),
    "fail": _fail,
    "settle": _plain(payments.settle),
    "late_failure": _plain(payments.late_failure),
    "chargeback": _plain(payments.charge_back),
    "chargeback_cancelled": _plain(payments.cancel_chargeback),
    "reverse": _plain(payments.reverse),
    "stall": _plain(payments.stall),
    "creditable": _plain(payments.creditable),
}


def _end_refund(world: World, sent: Obj, refund_id: str, name: str) -> Obj:
    with unit(world) as call:
        refund = call.store.find(REFUND, refund_id)
        if refund is None:
            raise BadControl(f"{refund_id} names no refund")
        if name == "execute":
            refunds.execute(call, refund)
        else:
            came_back = "returned" if refund["status"] == "executed" else "blocked"
            refunds.fail(call, refund, str(sent.get("reason", came_back)))
        return {each: refund[each] for each in _REFUND_SHOWN}


def _pay_out(world: World, sent: Obj) -> Obj:
    wire, currency = sent.get("wire"), sent.get("currency")
    if wire not in {None, *WIRES} or currency not in {None, *CURRENCIES}:
        raise BadControl("wire and currency must be known ones")
    with unit(world) as call:
        made = payouts.pay_out(call, wire=wire, currency=currency)
        return {"data": [{"id": each["id"], "amount": each["amount"]} for each in made]}


def _fail_payout(world: World, _sent: Obj, payout_id: str) -> Obj:
    with unit(world) as call:
        payout = call.store.find(PAYOUT, payout_id)
        if payout is None:
            raise BadControl(f"{payout_id} names no payout")
        payouts.give_back(call, payout)
        return {each: payout[each] for each in _PAYOUT_SHOWN}


def _accounts(world: World, _sent: Obj) -> Obj:
    with unit(world) as call:
        return {
            "data": [
                {
                    "account": holder,
                    "currency": currency,
                    "holder": call.settings.payee,
                    "iban": accounts.iban(holder, currency),
                    "balance": accounts.balance(call, holder, currency),
                }
                for holder in accounts.HOLDERS
                for currency in CURRENCIES
            ]
        }


def _drawn(world: World, sent: Obj) -> statement.Statement:
    currency = str(sent.get("currency", CURRENCIES[0]))
    if currency not in CURRENCIES:
        raise BadControl(f"currency is one of {', '.join(CURRENCIES)}")
    with unit(world) as call:
        holder = str(sent.get("account", accounts.BANK))
        return statement.draw(call, holder, currency, sent.get("from"), sent.get("to"))


def _camt053(world: World, sent: Obj) -> Reply:
    body = statement.as_camt053(_drawn(world, sent))
    return Reply(200, body, {"Content-Type": "application/xml; charset=utf-8"})


def _csv(world: World, sent: Obj) -> Reply:
    body = statement.as_csv(_drawn(world, sent))
    return Reply(200, body, {"Content-Type": "text/csv; charset=utf-8"})


def _put_webhooks(world: World, sent: Obj) -> Obj:
    """Say where a wire's webhooks go."""
    if sent.get("wire") not in WIRES:
        raise BadControl(f"wire is one of {', '.join(WIRES)}")
    with unit(world) as call:
        known = call.store.find(ENDPOINT, sent["wire"]) or {}
        secret = str(sent.get("secret", known.get("secret", "")))
        put_endpoint(call, str(sent["wire"]), str(sent["url"]), secret)
    return {"wire": sent["wire"], "url": sent["url"]}


def put_endpoint(call: Call, wire: str, url: str, secret: str) -> None:
    """Keep the address of a wire's webhooks. Writes: the endpoint."""
    call.store.put(ENDPOINT, {"id": wire, "url": url, "secret": secret, "held": False})


def _put_key(world: World, sent: Obj) -> Obj:
    """Register a client's public key."""
    with unit(world) as call:
        keys.register(call, str(sent["kid"]), str(sent["pem"]))
    return {"kid": sent["kid"]}


_ACTS: control.Acts = {
    **control.SHARED,
    ("GET", "health"): _health,
    ("GET", "ledger"): _ledger,
    ("GET", "payments"): _payments,
    ("POST", "payments/{id}/{id}"): _act,
    ("POST", "refunds/{id}/(execute|fail)"): _end_refund,
    ("POST", "payouts"): _pay_out,
    ("POST", "payouts/{id}/fail"): _fail_payout,
    ("POST", "deliveries"): deliveries.act,
    ("GET", "accounts"): _accounts,
    ("GET", r"statement\.camt053\.xml"): _camt053,
    ("GET", r"statement\.csv"): _csv,
    ("PUT", "webhooks"): _put_webhooks,
    ("PUT", "truelayer_keys"): _put_key,
}
