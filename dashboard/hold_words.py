"""What is held, what was taken of it and what was let go, in words of the desk. No routes."""

from __future__ import annotations

from core import rail_words
from core.permissions import Permission
from core.states import PaymentSub
from dashboard import payments, verified, words
from dashboard.payment_shown import Shown
from dashboard.shapes import Act, Alert, Fact, State, View
from domain.payments import captures
from models.payments import Payment

_BEING = {"capture": "captured", "cancel": "cancelled", "expire": "ended"}


def is_held(payment: Payment) -> bool:
    """Tell whether an amount waits to be captured."""
    return payment.sub_state == PaymentSub.REQUIRES_CAPTURE and payment.capturable_minor > 0


def label(payment: Payment) -> str:
    """Name the sum that waits to be captured."""
    return f"Held {rail_words.of(payment.rail).held_at}"


def capture_act(shown: Shown) -> Act:
    """Offer to take what is held, or say why that is not possible."""
    reason, said = None, rail_words.of(shown.payment.rail)
    if not shown.actor.may(Permission.PAYMENTS_CAPTURE):
        reason = "Finance, admins and the merchant capture; your role does not."
    elif verified.lacks_kyc(shown.actor):
        reason = verified.KYC_WORDS
    elif not is_held(shown.payment):
        reason = f"Nothing is held {said.held_at_any} for this payment."
    elif (under_way := shown.ending) is not None and under_way.kind != captures.KIND:
        reason = f"It is being {_BEING[under_way.kind]}, and the outcome is not known yet."
    return Act(
        *("capture", "Capture", f"{shown.href}/capture", reason is None, reason),
        icon="card",
        tone="primary",
        text=f"Takes what is held {said.held_at}, or a part of it; the rest is let go.",
    )


def sentence(shown: Shown) -> str:
    """Say of a payment of which only a part was taken on purpose how much, and who let the rest go."""
    taken = captures.deliberate(shown.captures, shown.payment)
    if taken is None:
        return ""
    held, got = taken.amount + taken.let_go, taken.amount
    let_go = words.plain(words.shown(taken.let_go))
    return (
        f" Captured {got.major()} of {words.plain(words.shown(held))}:"
        f" {let_go} let go by {shown.names.get(taken.actor, taken.actor)}."
    )


def money_facts(shown: Shown) -> list[Fact]:
    """Tell what was let go on purpose, beside the sums of a payment."""
    taken = captures.deliberate(shown.captures, shown.payment)
    if taken is None:
        return []
    by = shown.names.get(taken.actor, taken.actor)
    note = f"by {by}: {taken.reason}" if taken.reason and shown.actor.is_staff else f"by {by}"
    return [Fact("Let go", money=words.shown(taken.let_go), note=note)]


def standing_facts(payment: Payment) -> list[Fact]:
    """Tell until when the hold lasts."""
    if not is_held(payment) or payment.hold_ends_at is None:
        return []
    return [Fact("Hold ends", at=words.moment(payment.hold_ends_at))]


def ending_row(payment: Payment) -> View:
    """Prepare a hold that is about to be lost as a row of a queue."""
    ends = payment.hold_ends_at or payment.created_at
    return {
        "id": payment.id,
        "state": State(f"Hold ends {words.relative(ends)}", "hold", "warn"),
        "title": "Capture or cancel it before the hold ends",
        "text": f"{payments.purpose(payment)} · {words.short(payment.id)}",
        "at": words.moment(ends),
        "amount": words.money(payment.capturable_minor, payment.asset),
        "href": f"/payments/{payment.id}",
        "demo": payment.demo,
    }


def alert(shown: Shown) -> Alert | None:
    """Warn of what nobody knows yet, and of a hold that is about to be lost."""
    if (under_way := shown.ending) is not None:
        provider = words.provider_label(shown.payment.provider)
        title = f"It is being {_BEING[under_way.kind]}, and {provider}'s answer is missing"
        text = "Paydesk keeps asking under the same key until it knows. Nothing is done twice."
        return Alert("warn", title, text)
    payment = shown.payment
    if not captures.ends_soon(payment) or payment.hold_ends_at is None:
        return None
    at = words.absolute(payment.hold_ends_at)
    title = f"The hold ends {words.relative(payment.hold_ends_at)}"
    text = f"Capture or cancel before {at}; after it the payer would have to pay anew."
    return Alert("warn", title, text)
