"""What tests of bookings share: taking them in, and looking at what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from core.strictjson import Json
from domain import database
from domain.actors import system
from domain.books import ledger, verification
from domain.reconciliation import bookings, clearing
from domain.reconciliation.books import Book
from domain.reconciliation.clearing import Standing
from domain.transitions import Why
from models.cases import ExceptionCase
from models.ledger import JournalEntry
from models.payments import Payment
from providers.stripe import bookings as stripe_bookings
from providers.stripe.things import Thing
from tests.domain.fake_bookings import charge_of, transaction
from tests.domain.world import World

BOOK = Book("stripe", livemode=False)
WHY = Why(system("worker"), "bookings:stripe")
CLEARING, FEES = "provider:stripe:clearing", "fees:stripe"
TRANSIT, POSITION = "transit:stripe", "fx:stripe:position"


def take(*records: Thing) -> bookings.Taken:
    """Take balance transactions in, as the job does."""
    said = [stripe_bookings.said_booking(record) for record in records]
    with database.transaction() as session:
        return bookings.take_in(session, BOOK, said, why=WHY)


def paid(world: World, total: int = 2_500) -> Payment:
    """Have a payment of so much arrive."""
    payment = world.payment(total=total, deposit=None)
    world.deliver_and_apply(world.paid(payment))
    return world.read(payment)


def arrival(payment: Payment, *, fee: int = 103, **more: Json) -> Thing:
    """Book the charge of a payment."""
    said: dict[str, Json] = {"amount": payment.amount_minor, "source": charge_of(payment)}
    said |= more
    amount = int(str(said.pop("amount")))
    return transaction("charge", amount, fee=fee, **said)


def balance(address: str, asset: str = "EUR/2") -> int:
    with database.reading() as session:
        return ledger.balance(session, address, asset)


def entries(kind: str | None = None) -> list[JournalEntry]:
    with database.reading() as session:
        statement = select(JournalEntry).order_by(JournalEntry.id)
        if kind is not None:
            statement = statement.where(JournalEntry.kind == kind)
        return list(session.scalars(statement))


def cases() -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = session.execute(select(ExceptionCase.kind, ExceptionCase.sentence))
        return sorted((kind, sentence) for kind, sentence in rows)


def count(model: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def standing(asset: str = "EUR/2") -> Standing:
    with database.reading() as session:
        found = {each.asset: each for each in clearing.standings(session, BOOK)}
    return found[asset]


def problems() -> Sequence[str]:
    """Prove everything, and give what is wrong."""
    return [str(check.first_bad) for check in verification.verify().checks if not check.ok]
