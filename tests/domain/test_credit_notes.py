"""Credit notes: one per refund and by hand, never more than the invoice says, taken back when a refund fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal

import pytest
from sqlalchemy import select

from core.errors import AppError
from core.money import Money
from domain import database
from domain.actors import Actor
from domain.invoices import content, credit_notes
from domain.invoices.credit_notes import Wanted
from domain.invoices.totals import Line, line
from domain.transitions import Why
from models.effects import Effect
from models.events import EventLog
from models.invoices import CreditNote, Invoice
from models.orders import Order
from models.payments import Payment
from models.refunds import Refund
from tests.domain.invoicing import assert_proved, euros, locked, notes, of_order, stands, told, work
from tests.domain.refunding import ask, one, send_all
from tests.domain.test_invoices import LINES, WHOLE
from tests.domain.world import World

THREADS = 16


def paid(world: World, total: int = 12_500, **more: object) -> tuple[Order, Payment]:
    order = world.order(total=total, deposit=None, **more)
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.paid(payment))
    return order, world.read(payment)


def issue(world: World, order: Order, **wanted: object) -> CreditNote:
    with database.transaction() as session:
        own = locked(session, order)
        invoice = session.get_one(Invoice, own.invoice_id)
        asked = Wanted("Goodwill", **wanted)  # type: ignore[arg-type]
        why = Why(world.fin, "test", "Goodwill")
        return credit_notes.issue(session, own, invoice, asked, actor=world.fin, why=why)


def refused(world: World, order: Order, **wanted: object) -> str:
    with pytest.raises(AppError) as caught:
        issue(world, order, **wanted)
    return caught.value.code


def credited(order: Order) -> tuple[int, int]:
    invoice = of_order(order)[0]
    return invoice.credited_minor, invoice.allowed_minor


def refund(payment: Payment, minor: int, who: Actor) -> Refund:
    asked = ask(payment, minor, who)
    send_all()
    work()
    return one(asked)


def fail(world: World, given: Refund) -> None:
    name = str(given.provider_reference)
    world.deliver_and_apply(
        world.refund_event("refund.failed", name, status="failed", failure_reason="lost_card")
    )
    work()


def test_each_refund_has_one_credit_note_of_its_own_number(world: World, sue: Actor) -> None:
    order, payment = paid(world)
    first = refund(payment, 500, sue)
    second = refund(payment, 700, sue)
    found = notes()
    assert [(note.number, note.amount_minor, note.refund_id) for note in found] == [
        ("CN-2026-000001", 500, first.id),
        ("CN-2026-000002", 700, second.id),
    ]
    assert stands(order) == [("full", "confirmed", 12_500, 1_200)]
    assert credited(order) == (1_200, 0)
    with database.reading() as session:
        assert credit_notes.of_refunds(session, [first.id]) == {first.id: found[0].id}
        kinds = session.scalars(select(EventLog.type).where(EventLog.type.like("credit%")))
        assert list(kinds) == ["credit_note.issued"] * 2
    assert_proved()


def test_an_invoice_given_back_whole_is_refunded_and_credited_to_the_last_unit(
    world: World, sue: Actor
) -> None:
    order, payment = paid(world, WHOLE, invoice={"lines": LINES})
    for minor in (1, 333, 4_000, WHOLE - 4_334):
        refund(payment, minor, sue)
    (invoice,) = of_order(order)
    assert (invoice.status, invoice.credited_minor) == ("refunded", WHOLE)
    assert sum(note.tax_minor for note in notes()) == invoice.tax_minor
    assert refused(world, order, amount=euros(1)) == "AMOUNT_EXCEEDED"
    with database.reading() as session:
        shown = content.of_credit_note(session, notes()[2].id)
    assert shown.own.gross == euros(4_000)
    assert shown.of == (invoice.number, invoice.issued_on)
    assert {row.rate for row in shown.own.taxes} == {Decimal(19), Decimal(7)}
    assert_proved()


def test_a_refund_that_fails_after_all_takes_its_credit_note_back(world: World, sue: Actor) -> None:
    order, payment = paid(world)
    given = refund(payment, 1_000, sue)
    fail(world, given)
    (note,) = notes()
    assert (note.voided_at is not None, credited(order)) == (True, (0, 0))
    assert stands(order) == [("full", "confirmed", 12_500, 0)]
    assert [kind for kind, *_ in told(of_order(order)[0])][-2:] == [
        "credit_note.issued",
        "credit_note.voided",
    ]
    # Its number stays; the next refund has the next.
    refund(payment, 1_000, sue)
    assert [each.number for each in notes()] == ["CN-2026-000001", "CN-2026-000002"]
    assert credited(order) == (1_000, 0)
    assert_proved()


def test_a_note_that_comes_after_its_refund_failed_is_never_written(
    world: World, sue: Actor
) -> None:
    _, payment = paid(world)
    asked = ask(payment, 1_000, sue)
    send_all()
    name = str(one(asked).provider_reference)
    world.deliver_and_apply(
        world.refund_event("refund.failed", name, status="failed", failure_reason="lost_card")
    )
    # Both are due at once; whichever is carried out first, nothing is left credited.
    with database.reading() as session:
        kinds = set(session.scalars(select(Effect.kind).where(Effect.state == "pending")))
    assert {"credit_note", "credit_note_void"} <= kinds
    work()
    assert notes() == []
    assert_proved()


def test_money_that_came_twice_goes_back_without_a_credit_note(world: World, sue: Actor) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.paid(payment, 15_000))
    refund(world.read(payment), 2_500, sue)
    assert stands(order) == [("full", "confirmed", 15_000, 2_500)]
    assert notes() == []
    # What goes back beyond that leaves a gap in what the invoice asks for.
    refund(world.read(payment), 1_000, sue)
    assert [note.amount_minor for note in notes()] == [1_000]
    assert_proved()


def test_late_money_that_goes_back_takes_nothing_off_the_invoice(world: World, sue: Actor) -> None:
    order = world.order(deposit=None)
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    world.deliver_and_apply(world.paid(payment))
    refund(world.read(payment), 12_500, sue)
    assert (stands(order), notes()) == ([("full", "open", 0, 0)], [])
    assert_proved()


def test_by_hand_a_part_is_credited_and_the_invoice_asks_for_less(world: World) -> None:
    order = world.order(deposit=None)
    assert refused(world, order, amount=euros(100)) == "INVALID_TRANSITION"
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.paid(payment, 12_000))
    assert stands(order) == [("full", "open", 12_000, 0)]
    note = issue(world, order, amount=euros(500), reference="credit-001")
    assert (note.amount_minor, note.refund_id, credited(order)) == (500, None, (500, 500))
    assert stands(order) == [("full", "confirmed", 12_000, 0)]
    assert refused(world, order, amount=euros(1), reference="credit-001") == "CONFLICT"
    assert refused(world, order, amount=euros(12_001)) == "AMOUNT_EXCEEDED"
    assert refused(world, order) == "VALIDATION_FAILED"
    assert refused(world, order, refund_id="ref_none") == "VALIDATION_FAILED"
    assert_proved()


def billed(minor: int, rate: str) -> Sequence[Line]:
    return [line("Leg of oak", Decimal(1), euros(minor), Decimal(rate))]


def test_lines_are_credited_within_what_is_left_of_their_rate(world: World) -> None:
    order, _ = paid(world, WHOLE, invoice={"lines": LINES})
    assert refused(world, order, lines=billed(561, "7")) == "AMOUNT_EXCEEDED"
    assert refused(world, order, lines=billed(1, "20")) == "VALIDATION_FAILED"
    note = issue(world, order, lines=billed(560, "7"))
    assert (note.amount_minor, note.tax_minor) == (599, 39)
    assert refused(world, order, lines=billed(1, "7")) == "AMOUNT_EXCEEDED"
    # An amount takes of what is left only.
    rest = issue(world, order, amount=euros(11_900))
    assert (rest.tax_minor, credited(order)) == (1_900, (WHOLE, WHOLE))
    assert_proved()


def test_a_refund_is_credited_once_by_hand_or_by_itself(world: World, sue: Actor) -> None:
    order, payment = paid(world)
    asked = ask(payment, 900, sue)
    send_all()
    note = issue(world, order, refund_id=asked.id)
    assert (note.amount_minor, note.refund_id) == (900, asked.id)
    assert refused(world, order, refund_id=asked.id) == "CONFLICT"
    work()
    assert [each.id for each in notes()] == [note.id]
    pending = ask(payment, 100, sue)
    assert refused(world, order, refund_id=pending.id) == "INVALID_TRANSITION"
    assert_proved()


def test_sixteen_at_once_never_credit_more_than_the_invoice_says(world: World) -> None:
    order, _ = paid(world, 1_000)
    made: list[int] = []
    said: list[str] = []
    together = threading.Barrier(THREADS)

    def act() -> None:
        together.wait()
        for _ in range(2):
            try:
                made.append(issue(world, order, amount=Money(70, euros(0).asset)).number_no)
            except AppError as error:
                said.append(error.code)

    threads = [threading.Thread(target=act) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(1, 15))
    assert said == ["AMOUNT_EXCEEDED"] * (2 * THREADS - 14)
    assert credited(order) == (980, 980)
    assert_proved()
