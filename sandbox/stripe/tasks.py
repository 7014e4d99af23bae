"""What each timetable job does; the jobs themselves wait in `jobs`."""

from __future__ import annotations

from sandbox.stripe import charges, confirm, disputes, payouts, radar, refunds, sessions
from sandbox.stripe.world import Call, World, unit


def run(world: World, name: str, subject: str) -> None:
    """Run one due job as Stripe's own act, without a request."""
    with unit(world) as call:
        _JOBS[name](call, subject)


def _book(call: Call, charge_id: str) -> None:
    charge = call.store.find("charge", charge_id)
    if charge is not None:
        charges.book(call, charge)


def _settle(call: Call, intent_id: str) -> None:
    intent = call.store.find("payment_intent", intent_id)
    if intent is not None:
        confirm.settle_debit(call, intent)


def _expire_authorisation(call: Call, intent_id: str) -> None:
    intent = call.store.find("payment_intent", intent_id)
    if intent is not None and intent["status"] == "requires_capture":
        confirm.end(call, intent, "automatic", expired=True)


def _finish_refund(call: Call, refund_id: str) -> None:
    refund = call.store.find("refund", refund_id)
    if refund is not None:
        refunds.finish(call, refund)


def _expire_session(call: Call, session_id: str) -> None:
    session = call.store.find(sessions.KIND, session_id)
    if session is not None and session["status"] == "open" and session["expires_at"] <= call.now:
        sessions.expire(call, session)


def _distrust(call: Call, charge_id: str) -> None:
    charge = call.store.find("charge", charge_id)
    if charge is not None:
        radar.look_at(call, charge)
        disputes.open_due(call, charge)


def _decide_dispute(call: Call, dispute_id: str) -> None:
    dispute = call.store.find(disputes.KIND, dispute_id)
    if dispute is not None:
        disputes.decide(call, dispute)


def _pay_out(call: Call, _subject: str) -> None:
    payouts.pay_out(call)
    call.later("pay_out", "automatic", seconds=call.world.settings.payout_seconds)


def _settle_payout(call: Call, payout_id: str) -> None:
    payout = call.store.find(payouts.KIND, payout_id)
    if payout is not None:
        payouts.settle(call, payout)


_JOBS = {
    "pay_out": _pay_out,
    "settle_payout": _settle_payout,
    "decide_dispute": _decide_dispute,
    "distrust": _distrust,
    "book": _book,
    "settle": _settle,
    "expire_authorisation": _expire_authorisation,
    "expire_session": _expire_session,
    "finish_refund": _finish_refund,
}
