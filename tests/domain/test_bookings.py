"""What a provider books itself is kept once, tied to its payment, and posted once; events decide the rest."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from core.errors import Conflict
from core.money import Money, asset
from core.strictjson import Json
from domain import database
from domain.books import accounts, ledger
from domain.reconciliation import dust
from models.payments import Payment
from models.reconciliation import ProviderBooking
from providers.book_seam import BookingKind
from providers.stripe import bookings as stripe_bookings
from tests.domain import booking, disputing
from tests.domain.booking import CLEARING, FEES, POSITION, arrival, balance, entries, take
from tests.domain.fake_bookings import charge_of, transaction
from tests.domain.fake_disputes import disputed
from tests.domain.world import World


def test_fee_is_posted_once_and_clearing_is_what_the_provider_holds(world: World) -> None:
    payment = booking.paid(world)
    first = arrival(payment)
    assert (take(first).new, take(first).new, take(first).entries) == (1, 0, 0)
    [fee] = entries("fee")
    assert (fee.payment_id, fee.order_id) == (payment.id, payment.order_id)
    assert (fee.provider_reference, fee.source) == (first["id"], "bookings:stripe")
    assert (balance(FEES), balance(CLEARING)) == (103, 2_397)
    assert booking.standing().difference == 0
    assert booking.problems() == []
    assert world.read(payment).received_minor == 2_500


def test_booking_that_comes_before_its_event_is_posted_and_the_difference_named(
    world: World,
) -> None:
    payment = world.payment(total=2_500, deposit=None)
    take(arrival(payment))
    early = booking.standing()
    assert (early.books, early.theirs, early.not_posted_here) == (-103, 2_397, 2_500)
    assert early.unexplained == 0
    assert world.read(payment).status == "pending"
    world.deliver_and_apply(world.paid(payment))
    assert booking.standing().difference == 0
    assert booking.problems() == []


def test_payment_without_a_booking_yet_is_named_too(world: World) -> None:
    booking.paid(world)
    waiting = booking.standing()
    assert (waiting.books, waiting.theirs, waiting.not_booked_there) == (2_500, 0, 2_500)
    assert waiting.unexplained == 0


def test_two_who_read_the_same_page_post_it_once(world: World) -> None:
    records = [arrival(booking.paid(world)) for _ in range(5)]
    ready, failed = threading.Barrier(4), list[BaseException]()

    def read(order: list[dict[str, object]]) -> None:
        ready.wait()
        try:
            take(*order)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001  # what a thread meets is told to the test
            failed.append(error)

    orders = [records, records[::-1], records[2:], records[::-1]]
    threads = [threading.Thread(target=read, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (booking.count(ProviderBooking), len(entries("fee"))) == (5, 5)
    assert booking.problems() == []


def test_fee_of_a_refunded_payment_is_kept(world: World) -> None:
    payment = booking.paid(world)
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    refund = dict(world.rail.refunds[name]) | {"charge": charge_of(payment)["id"]}
    take(arrival(payment), transaction("refund", -2_500, source=refund))  # type: ignore[arg-type]
    assert (balance(FEES), balance(CLEARING)) == (103, -103)
    assert booking.standing().difference == 0
    assert booking.problems() == []


def test_exchange_moves_both_currencies_and_says_the_rate(world: World) -> None:
    payment = booking.paid(world)
    details: list[Json] = [
        {"amount": 109, "currency": "usd", "type": "stripe_fee", "description": "Processing"},
        {
            "amount": 27,
            "currency": "usd",
            "type": "stripe_fee",
            "description": "Stripe currency conversion fee",
        },
    ]
    exchanged = arrival(
        payment, amount=2_713, fee=136, net=2_577, currency="usd", fee_details=details
    )
    take(exchanged | {"exchange_rate": Decimal("1.0851")})
    assert (balance(CLEARING), balance(CLEARING, "USD/2")) == (0, 2_577)
    assert (balance(POSITION), balance(POSITION, "USD/2")) == (2_500, -2_713)
    assert (balance(FEES, "USD/2"), balance("fx:stripe:fees", "USD/2")) == (109, 27)
    [entry] = entries("exchange")
    told = {name: entry.details[name] for name in ("rate", "rateSource", "from", "to")}
    assert told == {"rate": "1.0851", "rateSource": "stripe", "from": "EUR/2", "to": "USD/2"}
    assert str(entry.details["rateAt"]).startswith("2026-09-21")
    assert [booking.standing(unit).difference for unit in ("EUR/2", "USD/2")] == [0, 0]
    assert booking.problems() == []


def test_fee_of_a_dispute_is_booked_with_its_event_and_never_again(world: World) -> None:
    payment = booking.paid(world)
    record = disputed("dp_1", str(payment.provider_reference), 2_500)
    out = disputing.booked("txn_out", -2_500, fee=1_500)
    take(arrival(payment), transaction("adjustment", 0) | out | {"source": record})
    assert [entry.kind for entry in entries()] == ["deposit", "fee"]
    world.rail.disputes["dp_1"] = record
    told = world.dispute_event("funds_withdrawn", "dp_1", balance_transactions=[out])
    world.deliver_and_apply(told)
    take(transaction("adjustment", 0) | out | {"source": record})
    assert balance("disputes:stripe:fees") == 1_500
    assert balance(CLEARING) == 2_500 - 103 - 4_000
    assert booking.standing().difference == 0
    assert booking.problems() == []


# Type, category → what it moves of clearing's 10.00, and the kinds of entries that say so.
TYPES: dict[tuple[str, str], tuple[int, list[str]]] = {
    ("stripe_fee", "fee"): (-1_000, ["fee"]),
    ("tax_fee", "tax"): (-1_000, ["fee"]),
    ("stripe_fx_fee", "fee"): (-1_000, ["fee"]),
    ("adjustment", "fee"): (-1_000, ["fee"]),
    ("adjustment", "other_adjustment"): (-1_000, ["provider_adjustment"]),
    ("topup", "topup"): (1_000, ["provider_adjustment"]),
    ("transfer", "transfer"): (-1_000, ["provider_adjustment"]),
    ("reserve_transaction", "risk_reserved_funds"): (-1_000, ["provider_adjustment"]),
    ("payout", "payout"): (-1_000, ["provider_payout"]),
    ("payout_failure", "payout_reversal"): (1_000, ["provider_payout_failed"]),
    ("payout_cancel", "payout_reversal"): (1_000, ["provider_payout_failed"]),
    # Of payments, and of none of ours here: kept, and posted nowhere.
    ("charge", "charge"): (0, []),
    ("payment", "charge"): (0, []),
    ("payment_failure_refund", "charge_failure"): (0, []),
    ("refund", "refund"): (0, []),
    ("refund_failure", "refund_failure"): (0, []),
    ("adjustment", "dispute"): (0, []),
    ("adjustment", "refund_failure"): (0, []),
    ("of_tomorrow", "tomorrow"): (0, []),
}


def test_each_type_does_to_the_books_what_it_says(world: World) -> None:
    del world
    before = 0
    for (kind, category), (moved, made) in TYPES.items():
        known = {entry.id for entry in entries()}
        amount = moved or 1_000
        record = transaction(kind, amount, reporting_category=category)
        take(record)
        new = [entry for entry in entries() if entry.id not in known]
        assert [entry.kind for entry in new] == made, (kind, category)
        before += moved
        assert balance(CLEARING) == before, (kind, category)
    assert booking.problems() == []
    assert booking.standing().unexplained == 0


def test_word_that_is_not_known_is_told_once_and_posted_when_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    record = transaction("of_tomorrow", -700)
    take(record)
    take(record)
    assert [kind for kind, _ in booking.cases()] == ["UNMAPPED_VALUE"]
    waiting = booking.standing()
    assert (waiting.difference, waiting.unmapped, waiting.unexplained) == (700, -700, 0)
    known = dict(stripe_bookings.KINDS) | {"of_tomorrow": BookingKind.FEE}
    monkeypatch.setattr(stripe_bookings, "KINDS", known)
    assert (take(record).entries, take(record).entries) == (1, 0)
    assert (balance(FEES), booking.standing().difference) == (700, 0)
    assert booking.problems() == []


def test_what_the_provider_changed_by_itself_is_shown_to_finance(world: World) -> None:
    del world
    take(transaction("adjustment", -1_200, reporting_category="other_adjustment"))
    [(kind, sentence)] = booking.cases()
    assert kind == "RECON_DIFFERENCE"
    assert sentence.startswith("Stripe changed our balance by -12.00 EUR itself (adjustment, txn_")


def test_charge_of_nobody_of_ours_waits_until_it_is_known_whose_it_is(world: World) -> None:
    payment = booking.paid(world)
    foreign = transaction("charge", 900, fee=56, source={"id": "ch_other", "currency": "eur"})
    assert (take(foreign).untied, balance(FEES)) == (1, 0)
    assert booking.standing().not_posted_here == 844
    ours = dict(foreign["source"]) | {"payment_intent": payment.provider_reference}  # type: ignore[arg-type]
    assert take(foreign | {"source": ours}).entries == 1
    assert balance(FEES) == 56
    assert booking.standing().unexplained == 0
    assert booking.problems() == []


def test_booking_told_otherwise_than_before_changes_nothing_and_is_shown(world: World) -> None:
    payment = booking.paid(world)
    first = arrival(payment)
    take(first)
    take(first | {"fee": 203, "net": 2_297})
    assert balance(FEES) == 103
    [(kind, sentence)] = booking.cases()
    assert kind == "RECON_DIFFERENCE"
    assert "23.97 EUR net then, 22.97 EUR now" in sentence


def test_fee_that_is_given_back_makes_the_costs_less(world: World) -> None:
    payment = booking.paid(world)
    take(arrival(payment), transaction("stripe_fee", 40, reporting_category="fee"))
    assert (balance(FEES), balance(CLEARING)) == (63, 2_437)
    assert booking.problems() == []


def test_what_cannot_be_read_becomes_a_case_and_hides_nothing(world: World) -> None:
    payment = booking.paid(world)
    broken = arrival(payment) | {"net": 1}
    strange = transaction("charge", 100, currency="xxx")
    assert take(broken, strange, arrival(payment)).new == 1
    assert [kind for kind, _ in booking.cases()] == ["RECON_DIFFERENCE", "UNMAPPED_VALUE"]


@pytest.fixture
def booked(world: World) -> Payment:
    payment = booking.paid(world)
    take(arrival(payment))
    assert booking.problems() == []
    return payment


def test_verify_names_a_booking_whose_amounts_were_changed(booked: Payment) -> None:
    del booked
    with database.transaction() as session:
        session.execute(update(ProviderBooking).values(fee_minor=3, net_minor=2_497))
    found = booking.problems()
    assert len(found) == 2
    assert "asks for" in found[0]
    assert "stripe (test) clearing differs from its bookings by -100 EUR/2" in found[1]


def test_verify_names_an_entry_without_its_booking(booked: Payment) -> None:
    del booked
    with database.transaction() as session:
        session.delete(session.scalars(select(ProviderBooking)).one())
    assert any("says that a provider booked it, no booking does" in it for it in booking.problems())


def test_residue_within_the_tolerance_is_dust_and_nothing_more(world: World) -> None:
    payment = booking.paid(world)
    funds = accounts.unapplied(payment.id)
    ties = ledger.Ties(
        payment_id=payment.id, provider="stripe", provider_reference="pi_1", livemode=False
    )
    eur = asset("EUR")
    with database.transaction() as session:
        for key, minor in (("a", 2), ("b", -3)):
            dust.book(
                session,
                Money(minor, eur),
                tolerance=Money(3, eur),
                against=funds,
                ties=ties,
                key=key,
                why=booking.WHY,
            )
    assert balance("dust:stripe") == 1
    assert len(entries("dust")) == 2
    with pytest.raises(Conflict), database.transaction() as session:
        dust.book(
            session,
            Money(4, eur),
            tolerance=Money(3, eur),
            against=funds,
            ties=ties,
            key="c",
            why=booking.WHY,
        )
    assert not [entry for entry in entries() if entry.source_key == "dust:c"]
