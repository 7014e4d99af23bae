"""What a provider pays out leaves clearing as it books it, and transit only when a bank line shows it."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import AppError, Conflict, InvalidInput, NotFound
from core.money import Money, asset
from domain import database
from domain.actors import Actor
from domain.bank import suggesting
from domain.bank.seen import Seen
from domain.reconciliation import payout_matching, payout_queries, payouts, settlement_timing
from domain.reconciliation.payout_matching import BankLine
from models.audit import AuditRow
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.stripe import bookings as stripe_bookings
from providers.stripe.things import Thing
from tests.domain import booking
from tests.domain.booking import BOOK, CLEARING, TRANSIT, WHY, balance, entries, take
from tests.domain.fake_bookings import BOOKED
from tests.domain.world import World

EUR = asset("EUR")
DAY = date(2026, 9, 22)


def hear(*records: Thing) -> list[str]:
    said = [stripe_bookings.said_payout(record) for record in records]
    with database.transaction() as session:
        return [each.reference for each in payouts.hear(session, BOOK, said, why=WHY)]


def settled(world: World) -> Thing:
    """Have a payment arrive, and the provider pay it out. Gives the payout's record."""
    first = booking.arrival(booking.paid(world))
    world.rail.transactions[str(first["id"])] = first
    payout = world.rail.pay_out(str(first["id"]))
    take(*world.rail.transactions.values())
    hear(payout)
    return payout


def only() -> ProviderPayout:
    with database.reading() as session:
        return session.scalars(select(ProviderPayout)).one()


def line(amount: int = 2_397, reference: str = "st1/1", **more: object) -> BankLine:
    said: dict[str, object] = {"account": "main", "booked_on": DAY} | more
    return BankLine(reference=reference, amount=Money(amount, EUR), **said)  # type: ignore[arg-type]


def seen(day: date) -> Seen:
    amount = Money(2_397, EUR)
    return Seen("bln_seen", day, amount, "st1/1", None, "ST11", None, livemode=False)


def match(actor: Actor, payout_id: str, shown: BankLine) -> ProviderPayout:
    with database.transaction() as session:
        return payout_matching.match(
            session, payout_id, shown, actor=actor, source="test", note="seen on the statement"
        )


def test_payout_leaves_clearing_when_it_is_booked_whatever_its_status(world: World) -> None:
    payout = settled(world)
    assert (balance(CLEARING), balance(TRANSIT)) == (0, 2_397)
    [entry] = entries("provider_payout")
    assert (entry.payment_id, entry.details["about"]) == (None, payout["id"])
    assert booking.standing().difference == 0
    assert booking.problems() == []


def test_payout_that_came_back_is_in_clearing_again_and_finance_sees_it(world: World) -> None:
    payout = settled(world)
    back = world.rail.send_back(payout)
    hear(payout)
    take(back)
    assert (balance(CLEARING), balance(TRANSIT)) == (2_397, 0)
    [(kind, sentence)] = booking.cases()
    assert kind == "PAYOUT_FAILED"
    assert "of 23.97 EUR by Stripe to our bank failed (account closed)" in sentence
    assert booking.problems() == []


def test_older_word_about_a_payout_changes_nothing(world: World) -> None:
    payout = settled(world)
    failed = payout | {"status": "failed", "failure_code": "no_account"}
    hear(failed)
    hear(payout)
    hear(payout | {"status": "pending"})
    assert (only().status, only().failure) == ("failed", "no_account")
    assert len(booking.cases()) == 1


def test_bookings_know_by_which_payout_they_left(world: World) -> None:
    payout = settled(world)
    name = str(payout["id"])
    assert hear(payout) == [name]
    with database.transaction() as session:
        payouts.assign(session, BOOK, name, world.rail.members[name])
        payouts.close_list(session, BOOK, name, why=WHY)
    with database.reading() as session:
        rows = session.scalars(select(ProviderBooking).order_by(ProviderBooking.kind)).all()
    assert [(row.kind, row.payout_reference) for row in rows] == [
        ("arrived", name),
        ("payout", None),
    ]
    assert hear(payout) == []
    assert booking.cases() == []
    with database.reading() as session:
        [timing] = settlement_timing.timings(session, BOOK)
    assert timing.available_seconds == 2 * 86_400
    assert (timing.paid_out_seconds, timing.settlement_hours) == (86_500, 24)
    assert (timing.oldest_unsettled_at, timing.unsettled_minor) == (None, 0)


def test_payout_over_another_sum_than_its_bookings_is_told(world: World) -> None:
    payout = settled(world)
    name = str(payout["id"])
    with database.transaction() as session:
        payouts.close_list(session, BOOK, name, why=WHY)
    [(kind, sentence)] = booking.cases()
    assert kind == "RECON_DIFFERENCE"
    assert "is over 23.97 EUR; the 0 bookings" in sentence


def test_money_that_is_not_paid_out_yet_has_an_age(world: World) -> None:
    take(booking.arrival(booking.paid(world)))
    with database.reading() as session:
        [timing] = settlement_timing.timings(session, BOOK)
    assert timing.oldest_unsettled_at == clock.from_unix(BOOKED)
    assert (timing.paid_out_seconds, timing.unsettled_minor) == (None, 2_397)


def test_bank_line_moves_a_payout_to_the_bank_once(world: World, fin: Actor) -> None:
    settled(world)
    payout_id = only().id
    matched = match(fin, payout_id, line())
    assert (matched.bank_line, matched.matched_minor, matched.matched_by) == (
        "st1/1",
        2_397,
        fin.id,
    )
    assert (balance(TRANSIT), balance("cash:main")) == (0, 2_397)
    [entry] = entries("payout_matched")
    assert (entry.note, entry.details["line"]) == ("seen on the statement", "st1/1")
    with pytest.raises(Conflict, match="matched to a bank line already"):
        match(fin, payout_id, line(reference="st1/2"))
    assert booking.problems() == []
    with database.reading() as session:
        acts = session.scalars(select(AuditRow).where(AuditRow.action == "payout.match")).all()
    assert [(act.actor, act.object_id) for act in acts] == [(fin.id, payout_id)]


def test_line_that_shows_less_leaves_the_rest_in_transit(world: World, fin: Actor) -> None:
    settled(world)
    match(fin, only().id, line(2_390))
    assert (balance(TRANSIT), balance("cash:main")) == (7, 2_390)
    assert booking.problems() == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": 2_398}, Conflict),
        ({"amount": 0}, InvalidInput),
        ({"amount": -5}, InvalidInput),
        ({"reference": "  "}, InvalidInput),
        ({"account": "a:b"}, InvalidInput),
        ({"account": "ma\nin"}, InvalidInput),
    ],
)
def test_line_that_cannot_be_the_payouts_is_refused(
    world: World, fin: Actor, changes: dict[str, object], error: type[AppError]
) -> None:
    settled(world)
    with pytest.raises(error):
        match(fin, only().id, line(**changes))  # type: ignore[arg-type]
    assert (balance(TRANSIT), only().matched_at) == (2_397, None)


def test_payout_that_came_back_or_is_not_booked_cannot_be_matched(world: World, fin: Actor) -> None:
    payout = settled(world)
    hear(payout | {"id": "po_unbooked"})
    with database.reading() as session:
        ids = {row.provider_reference: row.id for row in session.scalars(select(ProviderPayout))}
    with pytest.raises(Conflict, match="not known yet"):
        match(fin, ids["po_unbooked"], line())
    hear(payout | {"status": "failed"})
    with pytest.raises(Conflict, match="came back"):
        match(fin, ids[str(payout["id"])], line())
    with pytest.raises(NotFound):
        match(fin, "ppo_nothing", line())


def test_one_line_shows_one_payout(world: World, fin: Actor) -> None:
    settled(world)
    first = only().id
    settled(world)
    with database.reading() as session:
        [second] = session.scalars(select(ProviderPayout.id).where(ProviderPayout.id != first))
    match(fin, first, line())
    with pytest.raises(Conflict, match="another payout already"):
        match(fin, second, line())
    assert booking.problems() == []


def test_two_who_match_one_payout_at_once_move_it_once(world: World, fin: Actor) -> None:
    settled(world)
    payout_id, ready, ends = only().id, threading.Barrier(4), list[str]()

    def press(number: int) -> None:
        ready.wait()
        try:
            match(fin, payout_id, line(reference=f"st1/{number}"))
            ends.append("matched")
        except Conflict as error:
            ends.append(error.code)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["ALREADY_MATCHED"] * 3 + ["matched"]
    assert balance("cash:main") == 2_397
    assert booking.problems() == []


def test_match_taken_back_can_be_made_again(world: World, fin: Actor) -> None:
    settled(world)
    payout_id = only().id
    match(fin, payout_id, line())
    for _ in range(2):
        with database.transaction() as session:
            undone = payout_matching.unmatch(
                session, payout_id, actor=fin, source="test", note="another line"
            )
        assert (undone.matched_at, undone.bank_line, undone.entry_id) == (None, None, None)
        assert (balance(TRANSIT), balance("cash:main")) == (2_397, 0)
        match(fin, payout_id, line(reference="st1/9"))
    assert balance("cash:main") == 2_397
    assert booking.problems() == []


def test_payout_that_is_not_matched_cannot_be_unmatched(world: World, fin: Actor) -> None:
    settled(world)
    payout_id = only().id
    with pytest.raises(Conflict), database.transaction() as session:
        payout_matching.unmatch(session, payout_id, actor=fin, source="test", note="too early")
    assert entries("reversal") == []


def test_likeliest_payout_of_a_line_comes_first(world: World) -> None:
    settled(world)
    hear(
        {"id": "po_far", "status": "paid", "amount": 2_397, "currency": "eur", "created": BOOKED,
         "arrival_date": BOOKED + 6 * 86_400},
        {"id": "po_more", "status": "paid", "amount": 2_410, "currency": "eur", "created": BOOKED,
         "arrival_date": BOOKED + 86_400},
        {"id": "po_other", "status": "paid", "amount": 9_900, "currency": "eur", "created": BOOKED,
         "arrival_date": BOOKED + 86_400},
    )  # fmt: skip
    with database.reading() as session:
        found = suggesting.suggest(session, [seen(DAY)])["bln_seen"]
        waiting = payout_queries.list_payouts(session, payout_queries.WAITING, livemode=False)
        later = seen(DAY + timedelta(days=90))
        assert suggesting.suggest(session, [later])["bln_seen"] == []
    likely = [(each.name[:6], each.why) for each in found]
    assert [name for name, _ in likely][1:] == ["po_far", "po_mor"]
    assert likely[0][1].startswith("the same amount")
    assert likely[2][1] == "0.13 EUR less than the payout"
    assert len(waiting) == 4
