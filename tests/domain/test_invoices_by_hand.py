"""Invoices by hand: voided only while nobody pays, issued anew under a new number, made where one is lacking."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from core.errors import AppError
from domain import database
from domain.invoices import content, issuing
from domain.invoices.issuing import Made
from domain.invoices.totals import line
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order
from tests.domain.invoicing import assert_proved, current, euros, locked, of_order, stands, told
from tests.domain.test_invoices import LINES, WHOLE, settled
from tests.domain.world import World


def by_fin(world: World, reason: str | None = None) -> Why:
    return Why(world.fin, "test", reason)


def void(world: World, order: Order, invoice: Invoice) -> None:
    with database.transaction() as session:
        again = session.get_one(Invoice, invoice.id)
        why = by_fin(world, "Wrong address")
        issuing.void(session, locked(session, order), again, reason="Wrong address", why=why)


def reissue(world: World, order: Order, invoice: Invoice) -> Invoice:
    with database.transaction() as session:
        again = session.get_one(Invoice, invoice.id)
        why = by_fin(world, "Wrong address")
        return issuing.reissue(session, locked(session, order), again, due_on=None, why=why)


def refused(act: Callable[..., object], *args: object) -> str:
    with pytest.raises(AppError) as caught:
        act(*args)
    return caught.value.code


def test_only_what_nobody_pays_is_voided(world: World) -> None:
    order = world.order()
    (invoice,) = of_order(order)
    payment = world.begin(order)[1]
    assert refused(void, world, order, invoice) == "INVALID_TRANSITION"
    settled(world, payment)
    assert refused(void, world, order, invoice) == "INVALID_TRANSITION"
    assert refused(reissue, world, order, invoice) == "INVALID_TRANSITION"
    other = world.order()
    (unpaid,) = of_order(other)
    void(world, other, unpaid)
    void(world, other, unpaid)
    assert [kind for kind, *_ in told(of_order(other)[0])] == ["invoice.opened", "invoice.voided"]
    # The next attempt opens another, so that its money finds an invoice.
    again = world.begin(other)[1]
    assert stands(other) == [("deposit", "void", 0, 0), ("deposit", "pending_payment", 0, 0)]
    settled(world, again)
    assert_proved()


def test_an_invoice_issued_anew_bears_a_new_number_and_links_the_old(world: World) -> None:
    order = world.order(total=WHOLE, deposit=None, invoice={"lines": LINES})
    (old,) = of_order(order)
    new = reissue(world, order, old)
    assert (new.number, new.supersedes_id, new.total_minor) == ("INV-2026-000002", old.id, WHOLE)
    assert (current(order), of_order(order)[0].status) == (new.id, "void")
    assert refused(reissue, world, order, old) == "CONFLICT"
    with database.reading() as session:
        shown = content.of_invoice(session, new.id)
    assert shown.of == (old.number, old.issued_on)
    assert [each.description for each in shown.lines] == ["Oak table", "Book of care"]
    settled(world, world.begin(order)[1])
    assert stands(order)[1] == ("full", "confirmed", WHOLE, 0)
    assert_proved()


def make(world: World, order: Order, minor: int, **more: object) -> Invoice:
    made = Made([line("Oak", Decimal(1), euros(minor), Decimal(0))], **more)  # type: ignore[arg-type]
    with database.transaction() as session:
        return issuing.make(session, locked(session, order), made, why=by_fin(world))


def test_by_hand_an_order_gets_only_the_invoice_that_it_lacks(world: World) -> None:
    order = world.order()
    final = make(world, order, 12_500)
    assert (final.purpose, final.status) == ("balance", "open")
    # Nobody had paid the deposit's, so the final one asks for the whole.
    assert (final.total_minor, of_order(order)[0].status) == (12_500, "void")
    assert refused(make, world, order, 12_500) == "CONFLICT"
    other = world.order(deposit=None)
    assert refused(make, world, other, 12_500) == "CONFLICT"
    void(world, other, of_order(other)[0])
    assert refused(make, world, other, 12_501) == "AMOUNT_EXCEEDED"
    assert make(world, other, 12_500, reference="bill-00001").total_minor == 12_500
    third = world.order(deposit=None)
    void(world, third, of_order(third)[0])
    assert refused(lambda: make(world, third, 12_500, reference="bill-00001")) == "CONFLICT"
    assert_proved()
