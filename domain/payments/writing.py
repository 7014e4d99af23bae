"""Writing to the payer of a payment: what support has to say, sent by mail with the payment's own facts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from core.errors import Conflict, invalid
from core.redaction import holds_card_number
from domain.actors import Actor
from domain.effects.receipt import about
from domain.mail import letters, mails
from domain.mail.mails import Outlet
from domain.payments import turns
from domain.payments.support import support_block
from domain.payments.turns import Turn
from models.payments import Payment
from models.people import User

LONGEST = 2000
WRITING = Turn(
    "payment.write_to_payer",
    timedelta(minutes=10),
    "The payer was written to about this payment less than ten minutes ago.",
)


def why_not(payment: Payment) -> str | None:
    """Say why the payer of a payment cannot be written to, or None."""
    if payment.buyer_id is None:
        return "Nobody is known as the payer of this payment."
    if mails.outlet() == Outlet.NONE:
        return "This installation sends no mail: SMTP_URL is not set."
    return None


def suggestion(session: Session, payment: Payment) -> str:
    """Give the words that fit where a payment stands, for support to change and send."""
    return support_block(session, payment).advice.tell_customer


def write(session: Session, payment_id: str, text: str, *, actor: Actor, source: str) -> Payment:
    """Send a payer what support wrote about a payment, at most once in ten minutes.

    text: plain words; the payment's number, order and amount are added. Writes: mails, audit_log.
    Raises: NotFound, InvalidInput, Conflict, RateLimited. Transaction: caller's.
    """
    said = text.strip()
    if not 3 <= len(said) <= LONGEST:
        raise invalid("text", f"Write between 3 and {LONGEST:,} characters.")
    if holds_card_number(said):
        raise invalid("text", "This looks like a card number. Card numbers are never sent.")
    payment = turns.take(session, payment_id, WRITING, actor=actor, source=source)
    if (reason := why_not(payment)) is not None:
        raise Conflict(reason)
    payer = session.get_one(User, payment.buyer_id)
    mails.write(session, payer, letters.from_support(about(session, payment), said))
    return payment
