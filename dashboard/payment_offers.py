"""What may be done with a payment from its page, and why not where it may not. No routes."""

from __future__ import annotations

from core.permissions import Permission
from core.purposes import CHECKS
from core.states import OPEN_PAYMENT, Role
from core.states import Payment as Status
from dashboard import (
    coupon_words,
    effect_words,
    hold_words,
    refund_words,
    verified,
    wallet_words,
    words,
)
from dashboard.payment_shown import Shown
from dashboard.shapes import Act, Ref
from domain.actors import Actor
from domain.cases.case_subjects import PAYABLE
from domain.payments import payment_links, payments, reattempting, writing
from models.payments import Payment

_PAID = frozenset({Status.COMPLETED, Status.RELEASED, Status.REFUNDED})


def acts(shown: Shown) -> list[Act]:
    """Offer what stands at the head of the page."""
    found = [sync_act(shown)]
    if hold_words.is_held(shown.payment):
        found.insert(0, hold_words.capture_act(shown))
    if wallet_words.has_pay_page(shown.payment):
        href = f"/pay/{shown.payment.public_id}"
        is_payer = shown.payment.buyer_id == shown.actor.id
        label, tone = ("Pay now", "primary") if is_payer else ("Open the pay page", "plain")
        found.append(Act("pay-page", label, href, icon="card", tone=tone))
    return found


def sync_act(shown: Shown) -> Act:
    """Offer to ask the provider now, or say why that is not possible."""
    label = f"Ask {words.provider_label(shown.payment.provider)} now"
    href, reason = f"{shown.href}/sync", None
    if not shown.actor.may(Permission.PAYMENTS_SYNC):
        reason = (
            "Your role reads payments; asking the provider is for support, finance and engineers."
        )
    elif shown.payment.provider_reference is None and not shown.has_operation:
        reason = "The provider has no record of this payment; there is nothing to ask about."
    return Act("sync", label, href, reason is None, reason, "post", "refresh")


def more_acts(shown: Shown) -> list[Act]:
    """Offer what stands beside the page."""
    found = [cancel_act(shown)]
    if shown.payment.order_id is not None and shown.payment.status == Status.FAILED:
        found.insert(0, reattempt_act(shown))
    if shown.payment.status == Status.PENDING:
        found.insert(0, send_link_act(shown.payment, shown.actor))
    if shown.actor.is_staff or shown.actor.role == Role.MERCHANT:
        found.append(refund_words.ask_act(shown))
    if shown.actor.may(Permission.INBOUND_READ):
        found.insert(0, _replay_act(shown))
    if shown.actor.is_staff:
        found += [mark_act(shown), _write_act(shown)]
        found += effect_words.retry_acts(shown.effects, shown.href, shown.actor)
    return found


def _write_act(shown: Shown) -> Act:
    """Offer to write to the payer, or say why that is not possible."""
    reason = writing.why_not(shown.payment)
    if not shown.actor.may(Permission.PAYMENTS_WRITE_TO_PAYER):
        reason = "Support, finance and admins write to customers."
    said = "Words that fit where the payment stands are suggested; you send them by mail."
    label, href = "Write to the customer", f"{shown.href}/write"
    return Act("write", label, href, reason is None, reason, text=said, verb="Write")


def _replay_act(shown: Shown) -> Act:
    event, label = shown.last_event, "Replay the last event"
    if event is None:
        said = "No event of this payment was received yet."
        return Act("replay", label, "#", False, said, verb="Preview")
    href = f"/webhooks/{event.id}/preview"
    if not shown.actor.may(Permission.INBOUND_REPLAY):
        return Act("replay", label, href, False, "Your role reads events only.", verb="Preview")
    said = f"Opens a preview of what {event.type} would do now."
    return Act("replay", label, href, text=said, verb="Preview")


def cancel_act(shown: Shown) -> Act:
    """Offer to cancel, or say why that is not possible."""
    payment, reason = shown.payment, None
    if not shown.actor.may(Permission.PAYMENTS_CANCEL):
        reason = "Your role reads payments only."
    elif verified.lacks_kyc(shown.actor):
        reason = verified.KYC_WORDS
    elif payment.status == Status.CANCELLED:
        reason = "It is cancelled already."
    elif payment.status in _PAID and payment.purpose in CHECKS:
        reason = "The card is proved, and nothing was charged: there is nothing to cancel."
    elif payment.status in _PAID and coupon_words.is_coupon(payment):
        reason = "The coupon is spent and the wallet credited; there is nothing to cancel."
    elif payment.status in _PAID:
        reason = "The money has arrived. A confirmed payment is refunded, not cancelled."
    elif payment.status not in OPEN_PAYMENT:
        reason = "The payment has ended; nobody can pay with it any more."
    elif payment.provider_reference is None:
        reason = "The provider has not answered its creation yet. Ask it first."
    elif shown.ending is not None and shown.ending.kind != "cancel":
        reason = "It is being captured or ended, and the outcome is not known yet."
    else:
        reason = payments.why_beyond_recall(payment, shown.actor)
    said = "The payer can no longer pay with this attempt. Asks for a reason first."
    return Act(
        *("cancel", "Cancel the payment", f"{shown.href}/cancel", reason is None, reason),
        text=said,
        verb="Cancel",
    )


def reattempt_act(shown: Shown) -> Act:
    """Offer to start again after an attempt that ended unpaid, or say why that is not possible."""
    payment, reason = shown.payment, None
    label, href = "Start again", f"{shown.href}/reattempt"
    if payment.superseded_by_id is not None:
        said = "A later attempt follows this one."
        return Act(
            "reattempt", label, f"/payments/{payment.superseded_by_id}", text=said, verb="Open"
        )
    if not shown.actor.may(Permission.PAYMENTS_REATTEMPT):
        reason = "Support, the buyer and the merchant start payments again; your role does not."
    elif verified.lacks_kyc(shown.actor):
        reason = verified.KYC_WORDS
    elif (refusal := reattempting.refusal(payment)) is not None:
        reason = refusal.message
    elif shown.order is not None and shown.order.status not in PAYABLE:
        reason = f"The order is {shown.order.status.replace('_', ' ')}; it takes no payment."
    said = (
        "A new attempt of what the order lacks, with a pay link of its own; this one stays ended."
    )
    return Act("reattempt", label, href, reason is None, reason, text=said)


def neighbours(payment: Payment) -> list[tuple[str, Ref]]:
    """Name the attempts before and after one, with the links between them."""
    known = (("Follows", payment.supersedes_id), ("Followed by", payment.superseded_by_id))
    return [
        (label, words.ref("payment id", other, href=f"/payments/{other}"))
        for label, other in known
        if other
    ]


def send_link_act(payment: Payment, actor: Actor) -> Act:
    """Offer to send the link, or say why that is not possible."""
    reason = payment_links.why_not(payment)
    if not actor.may(Permission.PAYMENTS_SEND_LINK):
        reason = "Support, finance, admins and the merchant send links; your role does not."
    elif verified.lacks_kyc(actor):
        reason = verified.KYC_WORDS
    elif reason is None and payment.buyer_id is None:
        reason = "Nobody is named as the buyer. Copy the link instead."
    elif reason is None and not payment_links.can_be_sent():
        reason = "This installation sends no mail. Copy the link instead."
    amount = words.plain(words.money(payment.amount_minor, payment.asset))
    label, href = "Send the payment link", f"/payments/{payment.id}/link"
    said = f"A letter to the buyer with the address where they pay {amount}."
    is_free = reason is None
    return Act(f"link-{payment.id}", label, href, is_free, reason, text=said, verb="Send")


def mark_act(shown: Shown) -> Act:
    """Offer to settle by hand, to open the request that waits, or say why neither is possible."""
    label, href = "Settle by hand", f"{shown.href}/reconcile"
    if (waiting := shown.marking) is not None:
        said = f"{waiting.text}: asked for, a second person must agree."
        return Act("mark", label, f"/approvals/{waiting.id}", text=said, verb="Open")
    reason = None
    if not shown.actor.may(Permission.PAYMENTS_RECONCILE):
        reason = "Finance and admins settle by hand, two of them together."
    elif shown.payment.status not in OPEN_PAYMENT:
        reason = "The payment has ended; only an open one is settled by hand."
    said = "For what the provider does not tell us. Asks for a reason; a second person must agree."
    return Act("mark", label, href, reason is None, reason, text=said, verb="Settle")
