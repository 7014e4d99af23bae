"""Somebody of finance at the desk who refunds, in this process on the stage's database."""

from __future__ import annotations

from core import clock
from core.money import Money, asset
from core.states import Kyc, Role
from domain.actors import Actor, system
from domain.database import reading, transaction
from domain.payments import payments
from domain.people import people
from domain.refunds import refunds
from models.payments import Payment
from models.refunds import Refund

EMAIL = "fin@people.test"


def finance() -> Actor:
    """Give Fin, freshly proved."""
    with transaction() as session:
        found = people.find_user(session, EMAIL)
        if found is None:
            wanted = people.NewUser(EMAIL, Role.FINANCE, name="Fin", kyc=Kyc.APPROVED)
            found = people.create_user(session, wanted, actor=system("test"), source="test")
        return Actor(
            found.id,
            "user",
            Role.FINANCE,
            "Fin",
            kyc=Kyc.APPROVED,
            session_id="ses_fin",
            stepped_up_at=clock.now(),
        )


def ask(payment_id: str, minor: int | None = None) -> Refund:
    """Refund a payment, all of it unless told otherwise."""
    fin = finance()
    with transaction() as session:
        payment = payments.get_payment(session, payment_id, actor=fin)
        amount = Money(minor or payment.received_minor, asset(payment.asset))
        return refunds.ask(session, payment, amount, actor=fin, reason="Returned", source="test")


def state_of(refund: Refund) -> str:
    """Read where a refund stands."""
    with reading() as session:
        return session.get_one(Refund, refund.id).state


def read(payment_id: str) -> Payment:
    """Read a payment."""
    with reading() as session:
        return session.get_one(Payment, payment_id)
