"""What a refund on its way will take stays where it is; what people moved by hand is not given back as well."""

from __future__ import annotations

from contextlib import suppress
from threading import Barrier, Thread

import pytest

from core.case_kinds import Verb
from core.errors import AppError, Conflict
from core.states import Role
from domain.actors import Actor
from models.payments import Payment
from tests.domain import desk_people, journaling, proofs_of_all, refunding, wallets
from tests.domain.asking import Staff
from tests.domain.journaling import OPENING, Place, ask, line, posted, wanted
from tests.domain.test_watch import active, red, watch
from tests.domain.world import World


@pytest.fixture
def where(world: World) -> Place:
    return journaling.place(world)


def of(payment: Payment) -> Place:
    order_id = str(payment.order_id)
    invoice_id = journaling.invoice(order_id)
    return Place(order_id, invoice_id, str(payment.provider_reference), payment)


def take(where: Place, address: str, amount: str, staff: Staff) -> str:
    """Move an amount out of an account by hand."""
    return posted(wanted(where, line(address, OPENING, amount)), staff.fin, staff.flo)


def why_not(act: object, *args: object) -> str:
    with pytest.raises(Conflict) as refused:
        act(*args)  # type: ignore[operator]
    assert refused.value.code == "AMOUNT_EXCEEDED"
    return refused.value.message


def test_what_goes_back_of_an_order_is_not_taken_by_hand(where: Place, staff: Staff) -> None:
    refunding.ask(where.payment, 2_000, staff.fin)
    said = why_not(take, where, where.hold, "5.01", staff)
    assert "25.00 EUR, 20.00 of it on its way back by refunds" in said
    take(where, where.hold, "5.00", staff)
    refunding.send_all()
    assert (journaling.balance(where.hold), proofs_of_all.problems()) == (0, [])


def test_what_goes_back_of_a_wallet_is_not_taken_by_hand(
    world: World, where: Place, staff: Staff
) -> None:
    paid_in = wallets.top_up(world.bo, wallets.keep_card(world.bo.id), 2_500, code="EUR")
    wallet = f"wallet:{world.bo.id}:balance"
    refunding.ask(paid_in, 2_000, staff.fin)
    why_not(take, where, wallet, "5.01", staff)
    take(where, wallet, "5.00", staff)
    refunding.send_all()
    assert (journaling.balance(wallet), proofs_of_all.problems()) == (0, [])


def test_what_was_moved_by_hand_goes_back_once_that_is_reversed(where: Place, staff: Staff) -> None:
    entry_id = take(where, where.hold, "5.00", staff)
    said = why_not(refunding.ask, where.payment, 2_001, staff.fin)
    assert said.startswith("The order holds 20.00 EUR that could be given back")
    refunding.ask(where.payment, 1_000, staff.fin)
    why_not(refunding.ask, where.payment, 1_001, staff.fin)
    journaling.reversed_by(entry_id, staff.fin, staff.flo)
    refunding.ask(where.payment, 1_500, staff.fin)
    refunding.send_all()
    assert (journaling.balance(where.hold), proofs_of_all.problems()) == (0, [])


def test_what_waits_for_a_second_person_is_promised_too(world: World, staff: Staff) -> None:
    payment = refunding.paid(world, 100_000)
    refund = refunding.ask(payment, 60_000, staff.fin)
    own = of(payment)
    why_not(take, own, own.hold, "400.01", staff)
    take(own, own.hold, "400.00", staff)
    refunding.agree(refund, staff.flo)
    refunding.send_all()
    assert (journaling.balance(own.hold), proofs_of_all.problems()) == (0, [])


def test_an_excess_that_was_moved_by_hand_is_not_credited(world: World, staff: Staff) -> None:
    payment = desk_people.paid(world, 3_000)
    own = of(payment)
    refunding.ask(payment, 400, staff.fin)
    take(own, own.hold, "25.50", staff)
    case = desk_people.case("OVERPAID")
    with pytest.raises(AppError):
        desk_people.resolve(case, Verb.CREDIT, desk_people.at_desk(Role.FINANCE))
    refunding.send_all()
    assert (journaling.balance(own.hold), proofs_of_all.problems()) == (-50, [])


def test_what_goes_back_past_us_though_it_was_moved_is_a_fault_until_that_is_reversed(
    world: World, where: Place, staff: Staff
) -> None:
    """The provider's own word is never refused: money is missing there, and only there it is held."""
    paid_in = wallets.top_up(world.bo, wallets.keep_card(world.bo.id), 2_500, code="EUR")
    wallet = f"wallet:{world.bo.id}:balance"
    moved = [take(where, address, "5.00", staff) for address in (where.hold, wallet)]
    for payment in (where.payment, paid_in):
        name = world.rail.give_back(str(payment.provider_reference), 2_500)
        world.deliver_and_apply(world.refund_event("refund.created", name))
    watch()
    assert red() == {"holds_not_overdrawn", "accounts_not_overdrawn"}
    assert {(row.scope, row.scope_id) for row in active()} == {
        ("order", where.order_id),
        ("merchant", paid_in.merchant_id),
    }
    for entry_id in moved:
        journaling.reversed_by(entry_id, staff.fin, staff.flo)
    watch()
    assert (red(), proofs_of_all.problems()) == (set(), [])


def test_a_refund_and_an_entry_at_once_never_take_more_than_there_is(
    where: Place, staff: Staff
) -> None:
    row = ask(wanted(where, line(where.hold, OPENING, "15.00")), staff.fin)
    together, done = Barrier(2), list[str]()

    def give_back(who: Actor) -> None:
        together.wait()
        with suppress(Conflict):
            refunding.ask(where.payment, 2_000, who)
            done.append("refund")

    def post(who: Actor) -> None:
        together.wait()
        with suppress(Conflict):
            if journaling.agree(row, who).row.state == "executed":
                done.append("entry")

    threads = [
        Thread(target=give_back, args=(staff.fin,)),
        Thread(target=post, args=(staff.flo,)),
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    refunding.send_all()
    assert len(done) == 1
    assert proofs_of_all.problems() == []
