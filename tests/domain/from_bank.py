"""What tests of payments from a bank account share: making a payment one, and hearing of it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from core import clock
from core.fold import Fact
from domain import database
from domain.actors import system
from domain.payments import settlement
from domain.refunds import refunds
from domain.transitions import Why
from models.payments import Payment
from providers.said import KeyedFact, Reading

WHY = Why(system("test"), "test:bank")


def pays_from_bank(payment_id: str, **more: object) -> None:
    """Have a payment be one that its payer makes at their own bank."""
    values = {"rail": "bank", "method": "link", "card_brand": None, "card_last4": None} | more
    with database.transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment_id).values(**values))


def hear(
    payment_id: str, kind: str, amount_minor: int | None = None, code: str | None = None
) -> None:
    """Hear one fact of a payment, a little later than the ones before."""
    with database.transaction() as session:
        payment = refunds.lock_payment(session, payment_id)
        at = clock.now() + timedelta(seconds=payment.event_sequence)
        fact = Fact(kind, at, amount_minor, code=code)
        keyed = KeyedFact(f"bank:{payment_id}:{payment.event_sequence}:{code}:{kind}", fact)
        settlement.apply(session, payment, Reading(facts=(keyed,)), why=WHY)


def take_back(payment_id: str, amount_minor: int) -> None:
    """Hear that the transfer of a payment was taken back after it had arrived."""
    for kind in ("charge_paid", "charge_failed"):
        hear(payment_id, kind, amount_minor, code="transfer_1")


def reads_of_a_card(said: str) -> list[str]:
    """Give what of a text is said of cards; that card numbers are not wanted anywhere is not of them."""
    plain = said.replace("No card numbers.", "").lower()
    found = ("card", "3d secure", "3ds", "issuer", "checkout", "5 to 10 days")
    return [
        f"{word}: {plain[max(0, plain.index(word) - 60) :][:120]}"
        for word in found
        if word in plain
    ]
