"""`flask verify` names the invoice, the series or the credit note that does not add up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from domain import database
from domain.actors import Actor
from domain.books import verification
from domain.samples import load
from models.invoices import CreditNote, Invoice, InvoicePayment, NumberSeries
from models.orders import Order
from tests.domain.invoicing import assert_proved, notes, of_order
from tests.domain.test_credit_notes import paid, refund
from tests.domain.world import World

Tampering = Callable[[Session], object]
CASES: dict[str, tuple[str, Tampering]] = {
    "a series ahead of its documents": (
        "invoice_numbers",
        lambda session: session.execute(update(NumberSeries).values(last=NumberSeries.last + 1)),
    ),
    "a number that says another": (
        "invoice_numbers",
        lambda session: session.execute(update(Invoice).values(number="INV-2026-000009")),
    ),
    "a state that no payment made": (
        "invoices",
        lambda session: session.execute(update(Invoice).values(status="open")),
    ),
    "a sum that no payment made": (
        "invoices",
        lambda session: session.execute(update(Invoice).values(paid_minor=12_501)),
    ),
    "a payment that pays no more": (
        "invoices",
        lambda session: session.execute(delete(InvoicePayment)),
    ),
    "an order that names a foreign invoice": (
        "invoices",
        lambda session: session.execute(update(Order).values(invoice_id="inv_other")),
    ),
    "a credit that no note takes": (
        "credit_notes",
        lambda session: session.execute(update(Invoice).values(credited_minor=1)),
    ),
    "a note over more than its invoice": (
        "credit_notes",
        lambda session: session.execute(update(CreditNote).values(amount_minor=99_999)),
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_was_tampered_with_is_named(world: World, sue: Actor, name: str) -> None:
    check, tamper = CASES[name]
    _, payment = paid(world)
    refund(payment, 500, sue)
    assert_proved()
    with database.transaction() as session:
        tamper(session)
    found = {each.name: each.first_bad for each in verification.verify().checks}
    assert found[check], f"{check} did not see {name}"


def test_a_gap_between_two_numbers_is_named(world: World) -> None:
    last = of_order([world.order() for _ in range(3)][2])[0]
    with database.transaction() as session:
        values = {"number": "INV-2026-000004", "number_no": 4}
        session.execute(update(Invoice).where(Invoice.id == last.id).values(values))
        session.execute(update(NumberSeries).values(last=4))
    (bad,) = [each for each in verification.verify().checks if each.name == "invoice_numbers"]
    assert bad.first_bad is not None
    assert "INV-2026-000004 stands where 3 is due" in bad.first_bad


def test_sample_data_has_its_invoices_without_a_gap(world: World) -> None:
    del world
    load(60)
    load(40, seed=2)
    assert_proved()
    assert notes() == []
