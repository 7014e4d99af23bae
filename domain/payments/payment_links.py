"""Sending a payer the address of their pay page: by mail, once in ten minutes, as long as it can be paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from core import rail_words
from core.errors import Conflict, IllegalTransition
from core.money import Money, asset
from core.states import Payment as Status
from core.states import PaymentSub
from domain.actors import Actor
from domain.mail import mails
from domain.mail.mails import Letter, Outlet
from domain.payments import turns
from domain.payments.payments import get_payment
from domain.payments.turns import Turn
from domain.people import people
from models.orders import Order
from models.payments import Payment
from models.people import Merchant, User

SENDING = Turn(
    "payment.send_link",
    timedelta(minutes=10),
    "This link was sent less than ten minutes ago. Copy it, or wait.",
)
KIND = "pay_link"
LONGEST_NOTE = 1000


@dataclass(frozen=True)
class Recipient:
    """Who gets a link. address: as much of it as those recognise who know it."""

    name: str
    address: str


def path_of(payment: Payment) -> str:
    """Give the path of a payment's own pay page."""
    return f"/pay/{payment.public_id}"


def why_not(payment: Payment) -> str | None:
    """Say why nobody can pay with a payment any more, and what to do; None while they can."""
    if payment.status in (Status.COMPLETED, Status.RELEASED, Status.REFUNDED):
        return "It is paid; nobody needs to pay it again."
    if payment.status == Status.PROCESSING:
        is_held = payment.sub_state == PaymentSub.REQUIRES_CAPTURE
        return (
            f"The amount is held {rail_words.of(payment.rail).held_at} already."
            if is_held
            else "It was paid and is on its way; wait until it is final."
        )
    if payment.status == Status.FAILED:
        word = "has expired" if payment.failure_reason == "expired" else "has failed"
        return f"It {word}. Start again, and send the link of the new payment."
    if payment.status == Status.CANCELLED:
        return "It was cancelled. Start a new payment of the order, and send its link."
    if payment.provider_reference is None or payment.sub_state == PaymentSub.UNKNOWN_OUTCOME:
        return "The provider has not answered for it yet. Ask it first."
    return None


def recipient(session: Session, payment: Payment) -> Recipient | None:
    """Find who pays, by name and masked address; None when nobody is named. Transaction: caller's, reads only."""
    buyer = session.get(User, payment.buyer_id) if payment.buyer_id else None
    if buyer is None:
        return None
    local, _, host = people.email_of(buyer).rpartition("@")
    return Recipient(buyer.name or "The buyer", f"{local[:1]}…@{host}")


def can_be_sent() -> bool:
    """Tell whether letters leave this installation at all."""
    return mails.outlet() != Outlet.NONE


def send(session: Session, payment_id: str, *, actor: Actor, source: str, note: str = "") -> None:
    """Write the buyer a letter with the address of their pay page, at most once in ten minutes.

    note: what the sender adds in their own words. Writes: mails, audit_log.
    Raises: NotFound, IllegalTransition, Conflict, RateLimited. Transaction: caller's.
    """
    payment = get_payment(session, payment_id, actor=actor)
    if (said := why_not(payment)) is not None:
        refusal = IllegalTransition("payment", payment.status, "sent")
        refusal.message = said
        raise refusal
    buyer = session.get(User, payment.buyer_id) if payment.buyer_id else None
    if buyer is None or not can_be_sent():
        raise Conflict("Nobody is named who could be written to. Copy the link instead.")
    turns.take(session, payment.id, SENDING, actor=actor, source=source)
    mails.write(session, buyer, _letter(session, payment, note))


def _letter(session: Session, payment: Payment, note: str) -> Letter:
    amount = Money(payment.amount_minor, asset(payment.asset))
    said = f"{amount.major()} {amount.asset.code}"
    order = session.get(Order, payment.order_id) if payment.order_id else None
    merchant = session.get_one(Merchant, payment.merchant_id)
    lines = [f"{merchant.name} asks you to pay {said}."]
    lines += ["", note.strip()] if note.strip() else []
    lines += ["", f"For: {order.description}"] if order else [""]
    lines += [f"Payment: {payment.id}"]
    if payment.expires_at:
        lines.append(f"Open until: {payment.expires_at:%-d %b %Y, %H:%M} UTC")
    lines += [
        "",
        f"Pay here: {mails.link(path_of(payment))}",
        "",
        "Nothing is charged before you do.",
    ]
    return Letter(KIND, f"{merchant.name} asks you to pay {said}", "\n".join(lines))
