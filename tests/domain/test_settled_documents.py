"""An invoice of which nothing is to be paid any more says why, when it is printed only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.case_kinds import Verb
from core.states import Role
from domain import database
from domain.invoices import credit_notes
from domain.invoices.credit_notes import Wanted
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order
from printing.contents import Bill
from tests.domain import desk_people as desk
from tests.domain import invoicing, papers
from tests.domain.papers import FakePress
from tests.domain.world import World


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePress]:
    with papers.faked(monkeypatch) as made:
        yield made


def said(press: FakePress, number: str) -> Bill:
    papers.print_all()
    return next(bill for bill in press.bills if bill.number == number)


def credit(world: World, order: Order, minor: int) -> None:
    with database.transaction() as session:
        own = invoicing.locked(session, order)
        invoice = session.get_one(Invoice, own.invoice_id)
        wanted = Wanted("Goodwill", amount=invoicing.euros(minor))
        why = Why(world.fin, "test", "Goodwill")
        credit_notes.issue(session, own, invoice, wanted, actor=world.fin, why=why)


def test_what_was_credited_in_full_asks_for_nothing(world: World, press: FakePress) -> None:
    order = world.order(total=2_500, deposit=None)
    world.deliver_and_apply(world.paid(world.begin(order)[1], 1_000))
    invoicing.work()
    credit(world, order, 2_500)
    invoicing.work()
    invoice = invoicing.of_order(order)[0]
    bill = said(press, invoice.number)
    assert (bill.total_minor, bill.prepaid_minor, bill.due_minor) == (2_500, invoice.paid_minor, 0)
    assert bill.credited_minor == 2_500 - invoice.paid_minor > 0
    assert (bill.written_off_minor, bill.pay_url) == (0, None)


def test_what_was_written_off_stands_beside_what_was_paid(world: World, press: FakePress) -> None:
    payment = desk.paid(world, 2_400)
    asked = desk.resolve(desk.case("UNDERPAID"), Verb.WRITE_OFF, desk.at_desk(Role.FINANCE))
    assert asked.approval is not None
    desk.agree(asked.approval, desk.at_desk(Role.FINANCE))
    invoicing.work()
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
    invoice = invoicing.of_order(order)[0]
    bill = said(press, invoice.number)
    assert (bill.prepaid_minor, bill.credited_minor, bill.written_off_minor) == (2_400, 0, 100)
    assert (bill.due_minor, bill.pay_url) == (0, None)
