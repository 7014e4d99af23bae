"""The rehearsal's own door, `/_sandbox`: faults, ledger, deliveries, clock; not part of Stripe."""

from __future__ import annotations

from sandbox.common import control
from sandbox.common.wire import Reply, Request, json_reply
from sandbox.stripe import (
    bookings,
    challenge_page,
    disputes,
    endpoints,
    events,
    exchange,
    late,
    payouts,
)
from sandbox.stripe.errors import ApiError, Obj
from sandbox.stripe.world import World, unit


def answer(world: World, request: Request) -> Reply:
    """Answer one control request; JSON in, JSON out."""
    try:
        return control.answer(world, request, _ACTS)
    except ApiError as error:
        return json_reply(error.status, error.body)


def _health(world: World, _sent: Obj) -> Obj:
    return {"ok": True, "account": world.account, "now": world.clock.now(),
            "api_version": world.settings.api_version}  # fmt: skip


def _ledger(world: World, _sent: Obj) -> Obj:
    """Return what really happened to each payment intent, for a checker to compare with."""
    with world.store.locked():
        ledger = {
            intent["id"]: {name: intent[name] for name in (
                "amount", "amount_received", "amount_capturable", "currency", "status", "metadata",
                "latest_charge",
            )} | {"charges": [], "captures": [], "refunds": [], "disputes": []}
            for intent in world.store.every("payment_intent")
        }  # fmt: skip
        for charge in world.store.every("charge"):
            line = ledger[charge["payment_intent"]]
            shown = ("id", "status", "amount", "amount_captured", "captured", "failure_code")
            line["charges"].append({name: charge[name] for name in shown})
            if charge["status"] == "succeeded" and charge["captured"]:
                capture = {"charge": charge["id"], "amount": charge["amount_captured"]}
                line["captures"].append(capture)
        for refund in world.store.every("refund"):
            shown = ("id", "status", "amount", "charge", "metadata", "failure_reason")
            line = ledger[refund["payment_intent"]]
            line["refunds"].append({name: refund[name] for name in shown})
        for dispute in world.store.every(disputes.KIND):
            shown = ("id", "status", "amount", "charge", "reason", "evidence_details")
            line = ledger[dispute["payment_intent"]]
            booked = [each["amount"] for each in dispute["balance_transactions"]]
            net = sum(each["net"] for each in dispute["balance_transactions"])
            said = {name: dispute[name] for name in shown} | {"booked": booked, "net": net}
            line["disputes"].append(said)
    return ledger


def _invoices(world: World, _sent: Obj) -> Obj:
    """Return what really became of each invoice, for a checker to compare with."""
    shown = (
        "status", "subtotal", "total", "total_discount_amounts", "amount_paid", "currency",
        "customer", "metadata",
    )  # fmt: skip
    with world.store.locked():
        found = list(world.store.every("invoice"))
    return {each["id"]: {name: each[name] for name in shown} for each in found}


def _dispute(world: World, sent: Obj) -> Obj:
    """Have the bank of an intent's card dispute it: with a `reason`, or `inquiry`."""
    with unit(world) as call:
        intent = call.get("payment_intent", sent["intent"])
        charge = call.get("charge", intent["latest_charge"])
        return disputes.begin(call, charge, str(sent.get("reason", "fraudulent")))


def _add_endpoint(world: World, sent: Obj) -> Obj:
    secrets = sent.get("secrets") or [sent["secret"]]
    with unit(world) as call:
        wanted = sent.get("enabled_events")
        return endpoints.register(call, sent["url"], list(secrets), enabled_events=wanted)


def _endpoints(world: World, _sent: Obj) -> Obj:
    with unit(world) as call:
        return {"data": list(call.store.every("webhook_endpoint"))}


def _remove_endpoint(world: World, sent: Obj) -> Obj:
    with unit(world) as call:
        for endpoint in call.store.every("webhook_endpoint"):
            if sent.get("url") == endpoint["url"] or sent.get("id") == endpoint["id"]:
                return endpoints.delete(call, {}, endpoint["id"])
    raise control.BadControl("no endpoint has that url or id")


def _resend(world: World, sent: Obj) -> Obj:
    with unit(world) as call:
        return {"event": sent["event"], "endpoints": events.resend(call, sent["event"])}


def _authenticate(world: World, sent: Obj) -> Obj:
    """Answer a 3DS challenge as the card's owner would: outcome `complete` or `fail`."""
    if sent.get("outcome", "complete") not in ("complete", "fail"):
        raise control.BadControl("outcome is complete or fail")
    with unit(world) as call:
        passed = sent.get("outcome", "complete") == "complete"
        return challenge_page.authenticate_intent(call, sent["intent"], passed=passed)


def _fail_debit(world: World, sent: Obj) -> Obj:
    """Have a debit fail that was paid, as a payer's bank does days later."""
    with unit(world) as call:
        return late.fail(call, call.get("payment_intent", sent["intent"]))


def _pay_out(world: World, sent: Obj) -> Obj:
    """Pay the balance out now: what is available, or with `pending` all of it; by hand, or as by itself."""
    with unit(world) as call:
        by_itself = bool(sent.get("automatic", True))
        made = payouts.pay_out(
            call, also_pending=bool(sent.get("pending", False)), automatic=by_itself
        )
    return {"data": [payout["id"] for payout in made]}


def _fail_payout(world: World, sent: Obj) -> Obj:
    """Have the bank send a payout back."""
    with unit(world) as call:
        return payouts.fail(call, call.get(payouts.KIND, sent["payout"]))


def _book(world: World, sent: Obj) -> Obj:
    """Book something that no act here causes: a fee of the month, an adjustment, a word of tomorrow."""
    moved = exchange.Settled(int(sent["amount"]), str(sent["currency"]), None)
    category = str(sent.get("reporting_category", sent["type"]))
    with unit(world) as call:
        return bookings.put(call, str(sent["type"]), category, moved, source=sent.get("source"))


def _set_rates(world: World, sent: Obj) -> Obj:
    """Change what units of currencies are worth in US dollars, as `{"gbp": "1.31"}`."""
    with unit(world) as call:
        return dict(exchange.set_rates(call, sent))


_ACTS: control.Acts = {
    **control.SHARED,
    ("GET", "health"): _health,
    ("GET", "ledger"): _ledger,
    ("GET", "invoices"): _invoices,
    ("GET", "webhook_endpoints"): _endpoints,
    ("POST", "webhook_endpoints"): _add_endpoint,
    ("DELETE", "webhook_endpoints"): _remove_endpoint,
    ("POST", "resend"): _resend,
    ("POST", "authenticate"): _authenticate,
    ("POST", "fail_debit"): _fail_debit,
    ("POST", "pay_out"): _pay_out,
    ("POST", "fail_payout"): _fail_payout,
    ("POST", "book"): _book,
    ("POST", "rates"): _set_rates,
    ("POST", "dispute"): _dispute,
}
