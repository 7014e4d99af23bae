"""Entries by hand in tests of the domain: what they are tied to, how they are asked for and agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from core import clock, ids
from core.money import Money, asset
from domain import calendar, database
from domain.actors import Actor
from domain.books import accounts, book_queries, ledger, manual, manual_reversals, verification
from domain.books.accounts import Account
from domain.books.manual import Wanted
from domain.books.manual_lines import Line
from domain.control import approvals
from domain.control.approvals import Decision
from models.cases import ExceptionCase
from models.control import Approval
from models.invoices import Invoice
from models.ledger import JournalEntry
from models.orders import Order
from models.payments import Payment
from models.periods import Period
from tests.domain.world import World

EUR = asset("EUR")
SUSPENSE = "suspense:manual:stripe"
OPENING = "adjustments:opening"


@dataclass(frozen=True)
class Place:
    """An order that was paid into, its invoice, and what the provider calls its payment."""

    order_id: str
    invoice_id: str
    reference: str
    payment: Payment

    @property
    def hold(self) -> str:
        return f"order:{self.order_id}:escrow_hold"

    @property
    def funds(self) -> str:
        return f"buyer:{self.payment.buyer_id}:funds"


def place(world: World) -> Place:
    """Have a deposit of 25.00 EUR paid, and an invoice for it."""
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    order_id = str(payment.order_id)
    return Place(order_id, invoice(order_id), str(payment.provider_reference), payment)


def invoice(order_id: str) -> str:
    """Give the invoice of an order, made here when it has none."""
    with database.transaction() as session:
        known = session.scalars(select(Invoice.id).where(Invoice.order_id == order_id)).first()
        if known is not None:
            return known
        order = session.get_one(Order, order_id)
        row = Invoice(
            id=ids.new("inv"),
            number=order_id,
            number_no=1,
            order_id=order_id,
            merchant_id=order.merchant_id,
            buyer_id=order.buyer_id,
            purpose="full",
            status="open",
            asset=order.asset,
            total_minor=order.total_minor,
            tax_minor=0,
            issued_on=calendar.today(),
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id


def line(debit: str | None, credit: str | None, amount: str = "5.00", code: str = "EUR") -> Line:
    of = asset(code)
    return Line(Money(int(amount.replace(".", "")), of), debit, credit)


def wanted(where: Place, *lines: Line, note: str = "The bank is late", **more: object) -> Wanted:
    """Write an entry; without lines, 5.00 EUR that the bank owes the buyer."""
    said = lines or (line(SUSPENSE, where.funds),)
    return Wanted(note, where.order_id, where.invoice_id, where.reference, said, **more)  # type: ignore[arg-type]


def ask(said: Wanted, actor: Actor) -> Approval:
    with database.transaction() as session:
        return manual.ask(session, said, actor=actor, source=f"user:{actor.id}")


def ask_reversal(entry_id: str, actor: Actor, note: str = "The bank has paid") -> Approval:
    with database.transaction() as session:
        source = f"user:{actor.id}"
        return manual_reversals.ask(session, entry_id, note=note, actor=actor, source=source)


def agree(row: Approval, actor: Actor) -> Decision:
    with database.transaction() as session:
        shown = row.content_hash
        return approvals.agree(session, row.id, actor=actor, content_hash=shown, reason=None)


def posted(said: Wanted, asker: Actor, other: Actor) -> str:
    """Ask and agree. Gives the entry's id."""
    return entry_of(agree(ask(said, asker), other))


def reversed_by(entry_id: str, asker: Actor, other: Actor) -> str:
    """Ask that an entry be reversed, and agree. Gives the new entry's id."""
    return entry_of(agree(ask_reversal(entry_id, asker), other))


def entry_of(done: Decision) -> str:
    assert done.row.state == "executed", done.said
    return str(done.row.result["entryId"])


def entry(entry_id: str) -> JournalEntry:
    with database.reading() as session:
        return book_queries.get_entry(session, entry_id)


def movements(entry_id: str) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        return [(d, c, amount.major()) for d, c, amount in ledger.movements_of(session, entry_id)]


def count(kind: str = "manual") -> int:
    with database.reading() as session:
        of_kind = select(func.count()).select_from(JournalEntry).where(JournalEntry.kind == kind)
        return session.scalar(of_kind) or 0


def balance(account: Account | str) -> int:
    address = account if isinstance(account, str) else account.address
    with database.reading() as session:
        return ledger.balance(session, address, str(EUR))


def case_of(entry_id: str) -> ExceptionCase | None:
    with database.reading() as session:
        key = ExceptionCase.subject_key == f"REVERSAL_DUE:{entry_id}"
        return session.scalars(select(ExceptionCase).where(key)).first()


def unproved() -> list[str]:
    """List what does not prove, but for the months that tests close behind everybody's back."""
    checks = verification.verify().checks
    return [each.first_bad for each in checks if each.first_bad and each.name != "periods"]


def close_month(day: date) -> None:
    """Close the month of a day, behind everybody's back."""
    now = clock.now()
    with database.transaction() as session:
        row = Period(id=f"{day:%Y-%m}", state="closed", close_no=1, created_at=now, updated_at=now)
        session.add(row)


def credit_wallet(user_id: str, minor: int) -> None:
    """Put money into a wallet, as a top-up does."""
    with database.transaction() as session:
        movement = ledger.Movement(
            accounts.adjustments("test"), accounts.wallet(user_id), Money(minor, EUR)
        )
        ledger.post(
            session,
            "reserve",
            movements=[movement],
            source_key=ids.new("key"),
            source="test",
            ties=ledger.Ties(),
        )
