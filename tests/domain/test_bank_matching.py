"""A line is matched once, by a person; a payout then moves in the books, a payment or refund is evidence."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from core.errors import AppError, Conflict, InvalidInput, LostRace, NotFound
from core.money import Money
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.bank import certain, counterparties, looking, matching, suggesting
from domain.payments import timeline
from domain.reconciliation import payout_matching
from domain.reconciliation.payout_matching import BankLine as Typed
from models.events import EventLog
from models.payments import Payment
from models.reconciliation import ProviderPayout
from models.statements import BankLine
from tests.domain import banking, booking
from tests.domain.banking import EUR, Row, bring, camt, lines, only
from tests.domain.booking import TRANSIT, balance, entries
from tests.domain.test_payouts import settled
from tests.domain.world import World


def payout() -> ProviderPayout:
    with database.reading() as session:
        return session.scalars(select(ProviderPayout)).one()


def suggested(line: BankLine) -> list[suggesting.Suggestion]:
    with database.reading() as session:
        return suggesting.of_line(session, session.get_one(BankLine, line.id))


def referenced(world: World, reference: str, total: int = 2_500) -> Payment:
    """A payment that arrived, with a reference that travels with its bank transfer."""
    payment = booking.paid(world, total)
    with database.transaction() as session:
        session.get_one(Payment, payment.id).bank_reference = reference
    return world.read(payment)


def test_a_line_that_shows_a_payout_moves_it_to_the_bank(world: World, fin: Actor) -> None:
    settled(world)
    bring(fin, camt(Row(2_397, f"STRIPE {payout().provider_reference}", bank="B1", name="Stripe")))
    line = only()
    [first] = suggested(line)
    assert (line.state, first.kind, first.id, first.is_certain) == (
        "suggested",
        "payout",
        payout().id,
        True,
    )
    assert first.score == 100
    assert first.why.startswith("the payout's own reference, the same amount")
    assert (line.payout_id, balance(TRANSIT)) == (None, 2_397)
    matched = banking.match(fin, line.id, "payout", first.id)
    assert (matched.state, matched.match_no, matched.matched_by) == ("matched", 1, fin.id)
    assert (balance(TRANSIT), balance("cash:main")) == (0, 2_397)
    assert (payout().bank_line, payout().bank_account) == ("B1", "main")
    assert booking.problems() == []


def test_a_line_that_shows_a_payment_books_nothing(world: World, fin: Actor) -> None:
    payment = referenced(world, "PD0123456789ABCD")
    posted = len(entries())
    bring(fin, camt(Row(2_500, "pd 0123 4567 89ab cd", bank="B1")))
    [first] = suggested(only())
    assert (first.kind, first.id, first.is_certain) == ("payment", payment.id, True)
    assert first.why.startswith("our own bank reference, the same amount, ")
    banking.match(fin, only().id, "payment", payment.id)
    assert len(entries()) == posted
    with database.reading() as session:
        row = session.get_one(BankLine, only().id)
        assert (row.counterparty_sealed or b"").startswith(b"p1.")
        assert counterparties.open_line(row).name == "Jane Doe"
    assert booking.problems() == []


def test_a_payment_tells_of_the_line_that_shows_it_to_who_reads_lines(
    world: World, fin: Actor
) -> None:
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(2_500, "PD0123456789ABCD", bank="B1")))
    assert shown(payment, fin) == []
    banking.match(fin, only().id, "payment", payment.id)
    text = "Our bank's statement shows it: 25.00 EUR arrived on 22 Sep 2026"
    assert shown(payment, fin) == [(text, {"line": only().id})]
    engineer = replace(fin, role=Role.ENGINEER)
    assert shown(payment, engineer) == shown(payment, world.bo) == []


def shown(payment: Payment, actor: Actor) -> list[tuple[str, dict[str, str]]]:
    with database.reading() as session:
        own = session.get_one(Payment, payment.id)
        told = timeline.payment_timeline(session, own, actor=actor)
    return [(item.text, item.references) for item in told if item.kind == "bank_line"]


def test_lines_show_no_more_than_there_is(world: World, fin: Actor) -> None:
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(1_500, bank="B1"), Row(1_001, bank="B2"), Row(1_000, bank="B3")))
    small, exceeding, first = lines()
    banking.match(fin, first.id, "payment", payment.id)
    with pytest.raises(Conflict) as refused:
        banking.match(fin, exceeding.id, "payment", payment.id)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert banking.match(fin, small.id, "payment", payment.id).state == "matched"


@pytest.mark.parametrize(
    ("minor", "kind", "error"),
    [
        (-2_500, "payment", InvalidInput),
        (-2_397, "payout", InvalidInput),
        (9_999, "payout", Conflict),
    ],
)
def test_a_line_that_cannot_show_it_is_refused(
    world: World, fin: Actor, minor: int, kind: str, error: type[AppError]
) -> None:
    settled(world)
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(minor, bank="B1")))
    with pytest.raises(error):
        banking.match(fin, only().id, kind, payout().id if kind == "payout" else payment.id)
    assert (only().match_no, balance("cash:main")) == (0, 0)


def test_what_is_not_there_cannot_be_shown(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(bank="B1")))
    for kind in ("payment", "payout", "refund"):
        with pytest.raises(NotFound):
            banking.match(fin, only().id, kind, f"{kind}_nothing")
    with pytest.raises(NotFound):
        banking.match(fin, "bln_nothing", "payment", "pay_nothing")


def test_two_people_who_match_one_line_at_once_do_it_once(world: World, fin: Actor) -> None:
    settled(world)
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(2_397, bank="B1")))
    line_id, payout_id = only().id, payout().id
    ready, ends = threading.Barrier(4), list[str]()

    def press(kind: str, target: str) -> None:
        ready.wait()
        try:
            banking.match(fin, line_id, kind, target)
            ends.append("matched")
        except Conflict as error:
            ends.append(error.code)

    wanted = [("payout", payout_id), ("payment", payment.id)] * 2
    threads = [threading.Thread(target=press, args=each) for each in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["ALREADY_MATCHED"] * 3 + ["matched"]
    assert only().match_no == 1
    assert balance("cash:main") == (2_397 if only().payout_id else 0)
    assert booking.problems() == []


def test_a_match_is_taken_back_with_its_entry_and_can_be_made_again(
    world: World, fin: Actor
) -> None:
    settled(world)
    bring(fin, camt(Row(2_397, payout().provider_reference, bank="B1")))
    line_id = only().id
    for number in (1, 2):
        assert banking.match(fin, line_id, "payout", payout().id).match_no == number
        left = banking.unmatch(fin, line_id)
        assert left is not None
        assert (left.state, left.payout_id, left.entry_id) == ("suggested", None, None)
        assert (balance(TRANSIT), balance("cash:main")) == (2_397, 0)
    with pytest.raises(Conflict):
        banking.unmatch(fin, line_id)
    with database.reading() as session:
        told = session.scalars(
            select(EventLog.type).where(EventLog.object_id == line_id).order_by(EventLog.id)
        ).all()
    assert told == ["line.matched", "line.unmatched"] * 2
    assert booking.problems() == []


def test_a_line_typed_by_hand_is_the_one_that_the_statement_brings(
    world: World, fin: Actor
) -> None:
    settled(world)
    typed = Typed("main", "B1", Money(2_397, EUR), banking.DAY)
    with database.transaction() as session:
        payout_matching.match(
            session, payout().id, typed, actor=fin, source="test", note="seen online"
        )
    assert (only().statement_id, only().state) == (None, "matched")
    found = bring(fin, camt(Row(2_397, "PAYOUT", bank="B1"), Row(10, bank="B2")))
    other, line = lines()
    assert (line.statement_id, line.reference, line.payout_id) == (
        found.id,
        "PAYOUT",
        payout().id,
    )
    assert (other.state, balance("cash:main")) == ("unmatched", 2_397)
    assert booking.problems() == []


def test_a_line_typed_wrongly_goes_with_its_match(world: World, fin: Actor) -> None:
    settled(world)
    typed = Typed("main", "B1", Money(2_390, EUR), banking.DAY)
    with database.transaction() as session:
        payout_matching.match(session, payout().id, typed, actor=fin, source="test", note="typo")
    assert banking.unmatch(fin, only().id) is None
    assert lines() == []


def test_a_statement_contradicts_what_a_person_types(world: World, fin: Actor) -> None:
    settled(world)
    bring(fin, camt(Row(2_300, bank="B1")))
    typed = Typed("main", "B1", Money(2_397, EUR), banking.DAY)
    with pytest.raises(Conflict, match=r"is over 23\.00"), database.transaction() as session:
        payout_matching.match(session, payout().id, typed, actor=fin, source="test", note="typo")


def test_two_with_the_same_reference_are_not_certain(world: World, fin: Actor) -> None:
    for _ in range(2):
        referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(2_500, "PD0123456789ABCD", bank="B1")))
    found = suggested(only())
    assert len(found) == 2
    assert not any(each.is_certain for each in found)
    assert all("another has the same" in each.why for each in found)


def test_of_two_lines_that_show_the_same_neither_is_matched_with_the_rest(
    world: World, fin: Actor
) -> None:
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(2_500, "PD0123456789ABCD", bank="B1")))
    with database.reading() as session:
        (one,) = certain.list_certain(session)
    bring(fin, camt(Row(2_500, "PD0123456789ABCD", bank="B9"), opening=20_000, name="STMT-2"))
    with database.reading() as session:
        assert certain.list_certain(session) == []
    first, second = lines()
    banking.match(fin, second.id if one.line_id == first.id else first.id, "payment", payment.id)
    with (
        pytest.raises(LostRace, match="no longer the one thing"),
        database.transaction() as session,
    ):
        certain.confirm(session, one, matching.Act(fin, "test", "all of them"))


def test_a_payment_without_a_bank_needs_its_reference(world: World, fin: Actor) -> None:
    booking.paid(world)
    bring(fin, camt(Row(2_500, "no name at all", bank="B1")))
    assert (only().state, suggested(only())) == ("unmatched", [])


def test_what_becomes_known_later_is_suggested_by_the_worker(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(2_397, bank="B1")))
    assert only().state == "unmatched"
    settled(world)
    with database.transaction() as session:
        session.get_one(BankLine, only().id).looked_at = None
        session.flush()
        assert looking.look_again(session) == 1
    assert only().state == "suggested"
    with database.transaction() as session:
        assert looking.look_again(session) == 0


def test_a_note_says_why_and_holds_no_card_number(world: World, fin: Actor) -> None:
    payment = referenced(world, "PD0123456789ABCD")
    bring(fin, camt(Row(2_500, bank="B1")))
    for note in ("", "no", "card 4242424242424242", "x" * 501):
        with pytest.raises(InvalidInput):
            banking.match(fin, only().id, "payment", payment.id, note=note)
    assert only().state != "matched"
