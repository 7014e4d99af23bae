"""What tests of erasure share: somebody with something of every kind, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select

from core import clock
from core.states import Kyc, Role
from domain import database
from domain.actors import Actor, system
from domain.mail import mails
from domain.people import people, second_factor, sessions
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.invoices import Invoice
from models.personal import PersonKey
from tests.domain.world import World

NAME, EMAIL, HOME = "Berta Lindqvist", "berta.lindqvist@people.test", "Birkenweg 7"
REASON = "she asked for it by letter"


@dataclass
class Berta:
    """A buyer who has paid. invoice_id: what her invoice is."""

    user_id: str
    actor: Actor
    order_id: str
    invoice_id: str
    payment_id: str
    token: str
    mail_id: str


def admin(name: str) -> Actor:
    """Make an admin, at the desk and freshly proved."""
    with database.transaction() as session:
        wanted = people.NewUser(f"{name}@staff.test", Role.ADMIN, name=name.capitalize())
        user = people.create_user(session, wanted, actor=system("test"), source="test")
    return replace(sessions.actor_of(user), session_id=f"ses_{name}", stepped_up_at=clock.now())


def invoice_draft() -> dict[str, object]:
    """Say what her invoice needs."""
    home = {"line1": HOME, "city": "Berlin", "postalCode": "10969", "country": "DE"}
    return {"buyer": {"name": NAME, "address": home, "email": EMAIL}}


def berta(world: World, *, email: str = EMAIL, name: str = NAME) -> Berta:
    """Make her, with an order that is paid, a session, a second factor and a letter."""
    with database.transaction() as session:
        wanted = people.NewUser(email, Role.BUYER, name=name, kyc=Kyc.APPROVED)
        user = people.create_user(session, wanted, actor=system("test"), source="test")
        place = second_factor.place(user.id)
        user.totp_sealed = person_keys.seal_text(
            session, Whose(user.id), "JBSWY3DPEHPK3PXP", purpose="totp", place=place
        )
        letter = mails.Letter("notice", "Hello", f"Dear {name}")
        mail_id = mails.write(session, user, letter).id
        token = sessions.open_session(session, user, address="192.0.2.7", browser="Firefox").token
    actor = sessions.actor_of(user)
    own = replace(world, bo=actor)
    order = own.order(deposit=None, buyer_id=user.id, invoice=invoice_draft())
    payment = own.begin(order)[1]
    own.deliver_and_apply(own.paid(payment))
    with database.reading() as session:
        invoice = session.scalars(select(Invoice).where(Invoice.order_id == order.id)).one()
    return Berta(user.id, actor, order.id, invoice.id, payment.id, token, mail_id)


def keys_of(user_id: str) -> dict[tuple[str, int], bool]:
    """Say which keys somebody has: by purpose and year, whether it is still there."""
    with database.reading() as session:
        rows = session.scalars(select(PersonKey).where(PersonKey.user_id == user_id))
        return {(row.purpose, row.year): row.key_sealed is not None for row in rows}
