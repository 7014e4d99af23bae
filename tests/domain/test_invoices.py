"""An order's invoices from its making on: opened with it, followed by its money, never holding any up."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Update, select, update

from core import clock
from core.errors import InvalidInput
from core.money import Money, asset
from domain import database
from domain.invoices import content, following
from domain.jobs import inbound, worker
from domain.orders import orders
from models.audit import AuditRow
from models.effects import Effect
from models.events import EventLog
from models.inbound import InboundEvent
from models.invoices import Invoice
from models.ledger import JournalEntry
from models.orders import Order
from models.payments import Payment
from tests.domain.invoicing import (
    assert_proved,
    current,
    euros,
    of_order,
    stands,
    told,
    work,
)
from tests.domain.world import World

LINES = [
    {
        "description": "Oak table",
        "quantity": "1",
        "unitAmount": {"amountMinor": 10_000, "asset": "EUR/2"},
        "taxRate": "19",
    },
    {
        "description": "Book of care",
        "quantity": "2",
        "unitAmount": {"amountMinor": 280, "asset": "EUR/2"},
        "taxRate": "7",
    },
]
# 100.00 + 19 % and 5.60 + 7 %
WHOLE = 11_900 + 599


def settled(world: World, payment: Payment, amount: int | None = None) -> None:
    world.deliver_and_apply(world.paid(payment, amount))


def test_an_order_is_made_together_with_its_first_invoice(world: World) -> None:
    order = world.order()
    (invoice,) = of_order(order)
    assert (invoice.purpose, invoice.status, invoice.total_minor) == ("deposit", "open", 2_500)
    assert (order.invoice_id, invoice.open_key) == (invoice.id, f"{order.id}:deposit")
    assert told(invoice) == [("invoice.opened", "0.00", "25.00")]
    with database.reading() as session:
        kinds = list(session.scalars(select(EventLog.type).order_by(EventLog.id)))
        acts = list(session.scalars(select(AuditRow.action).order_by(AuditRow.id)))
    assert kinds == ["order.created", "invoice.opened"]
    assert acts == ["order.create", "invoice.open"]
    (full,) = of_order(world.order(deposit=None))
    assert (full.purpose, full.total_minor, full.number) == ("full", 12_500, "INV-2026-000002")
    (same,) = of_order(world.order(total=2_500, deposit=2_500))
    assert (same.purpose, same.total_minor) == ("full", 2_500)
    assert_proved()


def test_the_deposits_confirmation_opens_the_final_invoice_that_takes_it_off(world: World) -> None:
    order = world.order(total=WHOLE, deposit=2_499, invoice={"lines": LINES})
    payment = world.begin(order)[1]
    assert stands(order) == [("deposit", "pending_payment", 0, 0)]
    settled(world, payment)
    assert stands(order) == [("deposit", "confirmed", 2_499, 0)]
    work()
    first, last = of_order(order)
    assert (last.purpose, last.status, last.total_minor) == ("balance", "open", WHOLE - 2_499)
    assert first.tax_minor + last.tax_minor == 1_900 + 39
    assert current(order) == last.id
    with database.reading() as session:
        shown = content.of_invoice(session, last.id)
        advance = content.of_invoice(session, first.id)
    assert [(each.description, each.net.minor) for each in shown.lines] == [
        ("Oak table", 10_000),
        ("Book of care", 560),
    ]
    assert shown.whole.gross == euros(WHOLE)
    assert (shown.own.gross.minor, shown.due.minor) == (last.total_minor, last.total_minor)
    assert [(each.number, each.totals.gross.minor) for each in shown.deducted] == [
        (first.number, 2_499)
    ]
    assert {each.rate for each in advance.lines} == {Decimal(19), Decimal(7)}
    assert advance.own.gross == euros(2_499)
    settled(world, world.begin(order, "balance")[1])
    assert stands(order)[1] == ("balance", "confirmed", WHOLE - 2_499, 0)
    assert_proved()


def test_each_step_of_the_money_is_told_once(world: World) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    settled(world, payment)
    settled(world, payment)
    (invoice,) = of_order(order)
    assert told(invoice) == [
        ("invoice.opened", "0.00", "125.00"),
        ("invoice.pending_payment", "0.00", "125.00"),
        ("invoice.paid", "125.00", "0.00"),
        ("invoice.confirmed", "125.00", "0.00"),
    ]
    with database.reading() as session:
        entry = session.scalars(select(JournalEntry)).one()
    assert (entry.kind, entry.invoice_id) == ("deposit", invoice.id)
    assert_proved()


def test_events_in_any_order_and_number_lead_to_the_same_invoice(world: World) -> None:
    for turn in itertools.permutations(range(3)):
        order = world.order(deposit=None)
        payment = world.begin(order)[1]
        bodies = [
            world.event("payment_intent.processing", payment, status="processing"),
            world.paid(payment),
            world.event("payment_intent.processing", payment, status="processing"),
        ]
        world.paid(payment)
        for place in turn:
            world.deliver(bodies[place])
            world.deliver(bodies[place])
        worker.work_until_idle()
        assert stands(order) == [("full", "confirmed", 12_500, 0)], turn
    assert_proved()


def test_a_batch_of_events_about_one_payment_is_counted_once(world: World) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]
    world.deliver(world.event("payment_intent.processing", payment, status="processing"))
    world.deliver(world.paid(payment))
    world.deliver(world.paid(payment))
    assert inbound.apply_next() == 3, "they are one batch"
    assert stands(order) == [("full", "confirmed", 12_500, 0)]
    assert_proved()


def test_an_attempt_that_ends_leaves_its_invoice_open_for_the_next(world: World) -> None:
    order = world.order()
    first = world.begin(order)[1]
    world.deliver_and_apply(world.event("payment_intent.canceled", first, status="canceled"))
    assert stands(order) == [("deposit", "open", 0, 0)]
    second = world.begin(order)[1]
    assert world.read(second).invoice_id == world.read(first).invoice_id == current(order)
    assert stands(order) == [("deposit", "pending_payment", 0, 0)]
    # What comes late for the first lies unapplied and pays nothing.
    settled(world, first)
    assert stands(order) == [("deposit", "pending_payment", 0, 0)]
    settled(world, second)
    assert stands(order) == [("deposit", "confirmed", 2_500, 0)]
    assert_proved()


def test_a_part_stays_visible_as_a_part_and_the_rest_completes_it(world: World) -> None:
    order = world.order()
    settled(world, world.begin(order)[1], 2_000)
    (invoice,) = of_order(order)
    assert stands(order) == [("deposit", "open", 2_000, 0)]
    assert told(invoice)[-1] == ("invoice.opened", "20.00", "5.00")
    second = world.begin(order)[1]
    assert second.amount_minor == 500
    settled(world, second)
    assert stands(order)[0] == ("deposit", "confirmed", 2_500, 0)
    assert_proved()


def test_too_much_stays_visible_and_pays_what_else_the_order_asks_for(world: World) -> None:
    order = world.order()
    settled(world, world.begin(order)[1], 3_000)
    work()
    assert stands(order) == [("deposit", "confirmed", 2_500, 0), ("balance", "open", 500, 0)]
    settled(world, world.begin(order, "balance")[1])
    assert stands(order) == [
        ("deposit", "confirmed", 2_500, 0),
        ("balance", "confirmed", 10_000, 0),
    ]
    assert_proved()


def test_a_rest_that_is_paid_first_makes_one_invoice_over_the_whole(world: World) -> None:
    order = world.order()
    payment = world.begin(order, "balance")[1]
    assert stands(order) == [("deposit", "void", 0, 0), ("balance", "pending_payment", 0, 0)]
    assert of_order(order)[1].total_minor == payment.amount_minor == 12_500
    other = world.begin(order)[1]
    assert world.read(other).invoice_id == of_order(order)[1].id
    settled(world, payment)
    assert stands(order)[1] == ("balance", "confirmed", 12_500, 0)
    assert_proved()


def test_a_cancelled_orders_invoice_is_void_and_keeps_its_number(world: World) -> None:
    order = world.order()
    with database.transaction() as session:
        orders.cancel_order(session, order.id, actor=world.bo, reason="Too late", source="test")
    (invoice,) = of_order(order)
    assert (invoice.status, invoice.open_key, current(order)) == ("void", None, None)
    assert told(invoice)[-1] == ("invoice.voided", "0.00", "0.00")
    (later,) = of_order(world.order())
    assert later.number == "INV-2026-000002"
    assert_proved()


def test_money_waits_for_no_invoice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]

    def broken(*_: object, **__: object) -> following.Followed:
        raise ZeroDivisionError

    body = world.paid(payment)
    with monkeypatch.context() as patched:
        patched.setattr(following, "follow", broken)
        world.deliver(body)
        for _ in range(3):
            worker.work_until_idle()
            with database.transaction() as session:
                session.execute(update(InboundEvent).values(due_at=clock.now()))
    assert world.read(payment).status == "completed"
    assert stands(order) == [("full", "pending_payment", 0, 0)]
    with database.transaction() as session:
        session.execute(update_effects())
    work()
    assert stands(order) == [("full", "confirmed", 12_500, 0)]
    assert world.read(payment).effect_state == "applied"
    assert_proved()


def update_effects() -> Update:
    return update(Effect).values(due_at=clock.now() - timedelta(seconds=1))


def test_a_draft_that_does_not_add_up_is_refused_by_a_stable_code(world: World) -> None:
    tax = {"amountMinor": 1_900, "asset": "EUR/2"}
    for draft, code in (
        ({"lines": LINES}, "lines_total_mismatch"),
        (
            {"lines": [], "taxTotal": {"amountMinor": 12_500, "asset": "EUR/2"}},
            "tax_total_mismatch",
        ),
        ({"lines": [], "taxTotal": {"amountMinor": 100, "asset": "USD/2"}}, "tax_total_mismatch"),
    ):
        with pytest.raises(InvalidInput) as caught:
            world.order(invoice=draft)
        assert code in str(caught.value.details)
    with pytest.raises(InvalidInput):
        world.order(total=WHOLE, invoice={"lines": LINES, "taxTotal": tax})
    with database.reading() as session:
        assert session.scalars(select(Invoice)).all() == []
        assert session.scalars(select(Order)).all() == []
    # Nothing of a refused order took a number.
    order = world.order(total=11_900, deposit=None, invoice={"lines": [], "taxTotal": tax})
    (invoice,) = of_order(order)
    assert (invoice.number, invoice.tax_minor) == ("INV-2026-000001", 1_900)
    with database.reading() as session:
        (row,) = content.of_invoice(session, invoice.id).own.taxes
    assert (row.rate, row.base.minor) == (Decimal(19), 10_000)


def test_yen_and_dinars_are_billed_in_their_own_units(world: World) -> None:
    for name, total, deposit in (("JPY", 12_345, 2_345), ("KWD", 123_450, 23_450)):
        of = asset(name)
        wanted = orders.OrderWanted("Tea", Money(total, of), deposit=Money(deposit, of))
        with database.transaction() as session:
            order = orders.create_order(session, wanted, actor=world.bo, source="test")
        (invoice,) = of_order(order)
        with database.reading() as session:
            shown = content.of_invoice(session, invoice.id)
        assert shown.asset == of
        assert shown.due.major() == Money(deposit, of).major()
    assert_proved()


def test_parties_are_those_of_the_draft_else_those_we_know(world: World) -> None:
    address = {"line1": "Hof 1", "city": "Wien", "postalCode": "1010", "country": "AT"}
    seller = {"name": "Tischler <b>&", "address": address, "vatId": "ATU12345678"}
    named = world.order(total=WHOLE, deposit=None, invoice={"lines": LINES, "seller": seller})
    plain = world.order()
    with database.reading() as session:
        shown = content.of_invoice(session, of_order(named)[0].id)
        other = content.of_invoice(session, of_order(plain)[0].id)
    assert shown.seller.name == "Tischler <b>&"
    assert shown.seller.address is not None
    assert (shown.seller.address.country, shown.seller.vat_id) == ("AT", "ATU12345678")
    assert other.seller.name == "House"
    assert other.buyer is not None
    assert (other.buyer.name, other.buyer.email) == ("Bo", "usr_bo@example.com")


def test_payments_from_before_there_were_invoices_find_one(world: World) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]
    with database.transaction() as session:
        session.execute(update(Payment).values(invoice_id=None))
    settled(world, payment)
    assert world.read(payment).invoice_id == current(order)
    assert stands(order) == [("full", "confirmed", 12_500, 0)]
    assert_proved()
