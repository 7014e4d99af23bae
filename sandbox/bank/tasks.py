"""What each timetable job does; the jobs themselves wait in the timetable."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.bank import payments, payouts, refunds
from sandbox.bank.gocardless import events
from sandbox.bank.world import PAYMENT, PAYOUT, REFUND, Call, World, unit


def run(world: World, name: str, subject: str) -> None:
    """Run one due job as the bank's own act, without a request."""
    with unit(world) as call:
        _JOBS[name](call, subject)


def _settle(call: Call, payment_id: str) -> None:
    payment = call.store.find(PAYMENT, payment_id)
    is_open = payment is not None and payment["status"] == "executed" and not payment["stalled"]
    if payment is not None and is_open and payments.ends_settled(payment):
        payments.settle(call, payment)


def _expire(call: Call, payment_id: str) -> None:
    payment = call.store.find(PAYMENT, payment_id)
    if payment is not None and payment["status"] in payments.OPEN:
        payments.fail(call, payment, "expired")


def _refund(call: Call, refund_id: str) -> None:
    refund = call.store.find(REFUND, refund_id)
    if refund is not None:
        refunds.execute(call, refund)


def _payout(call: Call, payout_id: str) -> None:
    payout = call.store.find(PAYOUT, payout_id)
    if payout is not None:
        payouts.execute(call, payout)


def _gather(call: Call, _subject: str) -> None:
    events.gather(call)


def _pay_out(call: Call, _subject: str) -> None:
    payouts.pay_out(call)
    call.later("pay_out", "automatic", seconds=call.settings.payout_seconds)


_JOBS: dict[str, Callable[[Call, str], None]] = {
    "settle": _settle,
    "expire": _expire,
    "refund": _refund,
    "payout": _payout,
    "gather": _gather,
    "pay_out": _pay_out,
}
