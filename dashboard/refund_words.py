"""How refunds read on the desk: states, rows, facts, why one may not be asked for or taken back. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import rail_words
from core.money import Money, zero
from core.permissions import Permission
from core.states import Payment as PaymentStatus
from core.states import Refund as Word
from dashboard import coupon_words, listing, words
from dashboard.payment_shown import Hold, Shown
from dashboard.shapes import Act, Fact, Link, Ref, State, View
from domain import desk, naming
from domain.actors import Actor
from domain.control.thresholds import threshold
from domain.desk import Session
from domain.payments import receipts
from domain.refunds import promises, refund_queries, refundable, refunds
from models.control import Freeze
from models.payments import Payment
from models.refunds import Refund

STATES: Mapping[str, State] = {
    "pending_approval": State("Waits for approval", "action", "warn", "A second person must agree"),
    "pending": State("On its way", "half", "info"),
    "succeeded": State("Refunded", "refunded", "good"),
    "failed": State("Failed", "failed", "bad", "The payer does not have the money"),
    "unknown": State("Outcome unknown", "question", "warn", "The provider is being asked"),
    "cancelled": State("Cancelled", "cancelled", "quiet"),
}
_UNSENT = State("To be sent", "open", "info", "The worker sends it within seconds")
HELD = State("Held", "hold", "warn", "A freeze holds it; it is sent when that ends")
# What its provider was asked and answered, beside the states of the refund itself.
STEPS: Mapping[str, State] = {**STATES, "sent": State("Sent", "half", "info")}


@dataclass(frozen=True)
class Around:
    """What a few refunds are shown with. unsent: which still lie here; held: by which freeze, by id."""

    payments: Mapping[str, Payment]
    names: Mapping[str, str]
    unsent: Mapping[str, bool]
    held: Mapping[str, Freeze]
    actor: Actor


def around(session: Session, rows: Sequence[Refund], *, actor: Actor) -> Around:
    """Fetch at once what rows are shown with."""
    asked = [row.requested_by for row in rows if row.requested_kind in ("user", "key")]
    unsent = refund_queries.unsent(session, rows)
    return Around(
        payments=refund_queries.payments_of(session, rows),
        names=naming.actor_names(session, asked, for_staff=actor.is_staff),
        unsent=unsent,
        held=refund_queries.holding(session, [row for row in rows if unsent[row.id]]),
        actor=actor,
    )


def state_of(row: Refund, near: Around) -> State:
    """Show where a refund stands; one that a freeze holds is held, not failed."""
    if row.state == Word.PENDING and near.unsent[row.id]:
        return HELD if row.id in near.held else _UNSENT
    return STATES[row.state]


def asker(row: Refund, near: Around) -> str:
    """Name who asked."""
    if row.requested_kind == "provider":
        return f"{words.provider_label(row.requested_by)}, outside Paydesk"
    return near.names.get(row.requested_by, row.requested_by)


def row_view(row: Refund, near: Around) -> View:
    """Prepare one row of a list."""
    held = near.held.get(row.id)
    return {
        "id": row.id,
        "version": listing.version(row.state, row.updated_at, held.id if held else ""),
        "href": f"/refunds/{row.id}" if near.actor.may(Permission.REFUNDS_LIST) else None,
        "state": state_of(row, near),
        "reason": reason_of(row, near.actor) or "Refund",
        "payment": Link(words.short(row.payment_id), f"/payments/{row.payment_id}"),
        "asker": asker(row, near),
        "asked": words.moment(row.created_at),
        "held": held.reason if held else None,
        "failure": failure(row) if row.state == Word.FAILED else None,
        "amount": words.money(row.amount_minor, row.asset),
        "demo": row.demo,
    }


def reason_of(row: Refund, actor: Actor) -> str | None:
    """Give why, to the staff and to whoever asked; what the staff writes stays inside."""
    return row.reason if actor.is_staff or row.requested_by == actor.id else None


def failure(row: Refund) -> str:
    """Say why it failed, in the provider's word."""
    return (row.failure_reason or "unknown").replace("_", " ")


def facts(session: Session, row: Refund, payment: Payment, near: Around) -> list[Fact]:
    """Prepare what is known of one refund."""
    found = [
        Fact("Amount", money=words.money(row.amount_minor, row.asset)),
        Fact("State", state=state_of(row, near)),
        Fact("To", words.sentence(refunds.destination_of(payment)).rstrip(".")),
        Fact("Payment", ref=_link("payment id", row.payment_id, "/payments/")),
    ]
    if row.order_id:
        found.append(Fact("Order", ref=_link("order id", row.order_id, "/orders/")))
    merchants = desk.merchants_of(session, [row.merchant_id])
    found.append(Fact("Merchant", merchants.get(row.merchant_id, row.merchant_id)))
    if row.provider_reference:
        found.append(
            Fact("Refund there", ref=words.ref("provider reference", row.provider_reference))
        )
    if row.reference and not row.reference.startswith("desk_"):
        found.append(Fact("Reference", ref=words.ref("reference", row.reference)))
    if row.state == Word.FAILED:
        found.append(Fact("Failed because", failure(row)))
    return [*found, Fact("Refund", ref=words.ref("refund id", row.id))]


def _link(label: str, name: str, place: str) -> Ref:
    return words.ref(label, name, href=f"{place}{name}")


def asking(row: Refund, near: Around) -> list[Fact]:
    """Prepare who asked, why, and who had to agree."""
    found = [Fact("Asked by", asker(row, near)), Fact("Asked", at=words.moment(row.created_at))]
    if reason := reason_of(row, near.actor):
        found.append(Fact("Reason", reason))
    if row.approval_id and near.actor.may(Permission.APPROVALS_READ) and near.actor.is_staff:
        ref = words.ref("approval id", row.approval_id, href=f"/approvals/{row.approval_id}")
        found.append(Fact("Approval", ref=ref))
    elif not row.approval_id and row.requested_kind == "user":
        found.append(Fact("Approval", "Not needed: within what one person may refund"))
    if row.case_id and near.actor.may(Permission.EXCEPTIONS_READ):
        ref = words.ref("case id", row.case_id, href=f"/exceptions/{row.case_id}")
        found.append(Fact("Case", ref=ref))
    return found


def hold_of(session: Session, payment: Payment) -> Hold:
    """Look for what keeps a payment from being refunded now."""
    return Hold(
        refund_queries.holds(session, payment),
        refundable.is_disputed(session, payment.id),
        refundable.sent_alone(session, [payment.id]).get(payment.id, 0),
        charged_back_minor=refundable.charged_back(session, [payment.id]).get(payment.id, 0),
        held=promises.free_of_hold(session, payment) if payment.received_minor else None,
    )


def left_of(shown: Shown) -> Money:
    """Say how much of a payment can still be refunded."""
    there, held = _unspent(shown), shown.hold.held
    return there if held is None else min(there, held)


def _unspent(shown: Shown) -> Money:
    gone = shown.hold.charged_back_minor
    return refundable.left(shown.payment, suspended=shown.suspended, charged_back_minor=gone)


def most_of(shown: Shown) -> Money:
    """Give how much this person may ask for at once: all that is left, support up to the limit of one."""
    left = left_of(shown)
    if shown.actor.may(Permission.REFUNDS_REQUEST):
        return left
    limit = threshold(left.asset.code) or zero(left.asset)
    alone = Money(max(0, limit.minor - shown.hold.alone_minor), left.asset)
    return min(left, alone)


def ask_act(shown: Shown) -> Act:
    """Offer to refund a payment, or say why that is not possible."""
    reason = why_not(shown)
    most = words.plain(words.shown(most_of(shown)))
    source = rail_words.of(shown.payment.rail).source
    return Act(
        *("refund", "Refund", f"{shown.href}/refund", reason is None, reason),
        text=f"Up to {most} back to {source}. Asks for the amount and a reason first.",
        verb="Refund",
    )


def why_not(shown: Shown) -> str | None:
    """Say why this person may not ask for a refund of this payment now, or None."""
    payment, actor, hold = shown.payment, shown.actor, shown.hold
    if not actor.is_staff:
        return "Refunds are asked for over the API, with a key that has the scope refunds:request."
    if not actor.may(Permission.REFUNDS_ASK):
        return "Support, finance and admins ask for refunds."
    if coupon_words.is_coupon(payment):
        return coupon_words.NO_REFUND
    if payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING):
        return "Nothing has arrived for good yet. An open payment is cancelled, not refunded."
    if payment.status == PaymentStatus.RELEASED:
        return "The money has gone to the seller."
    if not payment.received_minor:
        return "Nothing was received, so there is nothing to refund."
    if not left_of(shown).minor:
        return _why_nothing_left(shown)
    if not most_of(shown).minor:
        return "Your role may give back no more of this payment alone; finance asks for the rest."
    if hold.is_disputed:
        return "The payer's bank asks this payment back; refunding it too would pay twice."
    if hold.freeze is not None:
        return f"A freeze holds refunds: {hold.freeze.reason}"
    return None


def is_moved_by_hand(shown: Shown) -> bool:
    """Tell whether people moved some of what could be given back elsewhere."""
    return left_of(shown) < _unspent(shown)


def _why_nothing_left(shown: Shown) -> str:
    if is_moved_by_hand(shown):
        return "The order holds nothing of it: an entry by hand moved it. Reverse that entry first."
    if shown.suspended.minor:
        return receipts.awaited(shown.payment, shown.suspended)
    return "All of it was refunded or asked back already."


def cancel_act(row: Refund, near: Around) -> Act | None:
    """Offer to take a refund back while it lies here; None once there is nothing to take back."""
    if row.state not in (Word.PENDING_APPROVAL, Word.PENDING, Word.UNKNOWN):
        return None
    actor, reason = near.actor, None
    if not near.unsent[row.id]:
        reason = "It was sent already; money on its way is not called back."
    elif row.requested_by != actor.id and not actor.may(Permission.APPROVALS_DECIDE):
        reason = "Only whoever asked for it, finance or an admin takes it back."
    href = f"/refunds/{row.id}/cancel"
    return Act("cancel-refund", "Take it back", href, reason is None, reason, icon="undo")
