"""What may be done with a payment from its page, and why not where it may not. No routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import Forbidden
from core.permissions import Permission
from core.states import OPEN_PAYMENT, Kyc, Role
from core.states import Payment as Status
from dashboard import effect_words, refund_words, words
from dashboard.shapes import Act
from domain.actors import Actor
from domain.payments import writing

if TYPE_CHECKING:
    from dashboard.payment_page import Shown

KYC_WORDS = "Your account is not verified yet; until it is, you can look but not act."
_PAID = frozenset({Status.COMPLETED, Status.RELEASED, Status.REFUNDED})


def acts(shown: Shown) -> list[Act]:
    """Offer what stands at the head of the page."""
    found = [sync_act(shown)]
    if shown.payment.status == Status.PENDING and shown.payment.provider_reference:
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


def lacks_kyc(actor: Actor) -> bool:
    """Tell whether somebody who is not staff may not move money yet."""
    return actor.is_guarded_by_kyc and actor.kyc != Kyc.APPROVED


def assert_kyc(actor: Actor) -> None:
    """Refuse an act about money while the person is not verified.

    Raises: Forbidden KYC_REQUIRED
    """
    if lacks_kyc(actor):
        raise Forbidden(KYC_WORDS, code="KYC_REQUIRED")


def cancel_act(shown: Shown) -> Act:
    """Offer to cancel, or say why that is not possible."""
    payment, reason = shown.payment, None
    if not shown.actor.may(Permission.PAYMENTS_CANCEL):
        reason = "Your role reads payments only."
    elif lacks_kyc(shown.actor):
        reason = KYC_WORDS
    elif payment.status == Status.CANCELLED:
        reason = "It is cancelled already."
    elif payment.status in _PAID:
        reason = "The money has arrived. A confirmed payment is refunded, not cancelled."
    elif payment.status not in OPEN_PAYMENT:
        reason = "The payment has ended; nobody can pay with it any more."
    elif payment.provider_reference is None:
        reason = "The provider has not answered its creation yet. Ask it first."
    said = "The payer can no longer pay with this attempt. Asks for a reason first."
    return Act(
        *("cancel", "Cancel the payment", f"{shown.href}/cancel", reason is None, reason),
        text=said,
        verb="Cancel",
    )


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
