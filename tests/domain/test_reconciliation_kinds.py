"""Differences of every kind among many payments: all of them are found, and nothing where nothing differs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select, update

from core import clock, ids
from core.fold import Fact
from core.money import Money, asset
from core.recon_kinds import KINDS
from core.states import Payment as Status
from domain import database
from domain.actors import system
from domain.books import accounts, ledger
from domain.payments import receipts
from domain.reconciliation import bookings, payouts
from domain.reconciliation.books import Book
from domain.transitions import Why
from models.cases import ExceptionCase
from models.payments import Payment, PaymentFact
from models.reconciliation import ProviderBooking
from models.refunds import Refund
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from tests.domain import fake_charges, mirror
from tests.domain.world import World

PAYMENTS = 1_200
WHY = Why(system("worker"), "test")
BOOK = Book("stripe", livemode=False)


def names(*statuses: str) -> Iterator[tuple[Payment, str]]:
    """Give payments with what the provider calls them, one after the other."""
    with database.reading() as session:
        rows = session.scalars(
            select(Payment)
            .where(
                Payment.status.in_(statuses),
                Payment.provider_reference.like("pi_%"),
                Payment.asset == "EUR/2",
                Payment.amount_minor > 1_000,
            )
            .order_by(Payment.id)
        ).all()
    for row in rows:
        yield row, str(row.provider_reference)


def write_plainly(payment: Payment, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment.id).values(**values))


def post(payment: Payment, minor: int, kind: str = "deposit", reference: str | None = None) -> str:
    """Post an entry that no fact stands behind, as a broken process would."""
    clearing = accounts.clearing("stripe")
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    amount = Money(minor, asset(payment.asset))
    movement = ledger.Movement(clearing, funds, amount)
    if kind == "refund":
        movement = ledger.Movement(funds, clearing, amount)
    with database.transaction() as session:
        return ledger.post(
            session,
            kind,
            movements=[movement],
            source_key=ids.new("tst"),
            source="test",
            ties=receipts.ties(payment, reference=reference),
            effective_at=payment.created_at,
        )


def book(reference: str, kind: BookingKind, amount: int, fee: int, payment: Payment | None) -> None:
    eur = asset("EUR")
    said = Booking(
        reference=reference,
        kind=kind,
        word="charge",
        amount=Money(amount, eur),
        fee=Money(fee, eur),
        net=Money(amount - fee, eur),
        booked_at=clock.now() - timedelta(days=9),
        names=(str(payment.provider_reference),) if payment else ("pi_nobody",),
    )
    with database.transaction() as session:
        bookings.take_in(session, BOOK, [said], why=WHY)


class Injected:
    """Each method makes one difference and gives the kind that it is of."""

    def __init__(self, world: World) -> None:
        self.world, self.rail = world, world.rail
        self.paid = names("completed")
        self.open = names("pending")

    def missing_here(self) -> None:
        money = {"status": "succeeded", "amount_received": 4_200}
        self.rail.intents["pi_foreign"] = fake_charges.intent("pi_foreign", "", 4_200, **money)

    def missing_there(self) -> None:
        payment, name = next(self.paid)
        del self.rail.intents[name]
        write_plainly(payment, meta={})

    def status_differs(self) -> None:
        _, name = next(self.paid)
        self.rail.intents[name] |= {"status": "canceled", "amount_received": 0}

    def amount_differs(self) -> None:
        payment, name = next(self.paid)
        self.rail.intents[name]["amount_received"] = payment.received_minor - 1

    def currency_differs(self) -> None:
        self.rail.intents[next(self.paid)[1]]["currency"] = "usd"

    def not_booked(self) -> None:
        payment, name = next(self.open)
        minor = payment.amount_minor
        self.rail.intents[name] |= {"status": "succeeded", "amount_received": minor}
        fact = Fact("succeeded", clock.now(), amount_minor=minor)
        row = PaymentFact(
            id=ids.new("fct"),
            payment_id=payment.id,
            fact_key=f"stripe:{name}:succeeded:{minor}",
            kind=fact.kind,
            amount_minor=minor,
            source="test",
            said_at=fact.said_at,
            seen_at=fact.said_at,
        )
        with database.transaction() as session:
            session.add(row)
        write_plainly(
            payment, status=Status.COMPLETED.value, sub_state="none", received_minor=minor
        )

    def booked_twice(self) -> None:
        payment, _ = next(self.paid)
        post(payment, payment.received_minor)

    def booked_other(self) -> None:
        post(next(self.paid)[0], 7)

    def orphan_entry(self) -> None:
        post(next(self.open)[0], 500)

    def refund_missing_here(self) -> None:
        self.rail.give_back(next(self.paid)[1], 300)

    def refund_missing_there(self) -> None:
        payment, name = next(self.paid)
        write_plainly(payment, meta={})
        refund = self.rail.give_back(name, 400)
        self.world.deliver_and_apply(self.world.refund_event("refund.updated", refund))
        with database.transaction() as session:
            own = update(Refund).where(Refund.provider_reference == refund)
            session.execute(own.values(created_at=clock.now() - timedelta(hours=1)))
        del self.rail.refunds[refund]

    def refund_differs(self) -> None:
        refund = self.rail.give_back(next(self.paid)[1], 350)
        self.world.deliver_and_apply(self.world.refund_event("refund.updated", refund))
        self.rail.refunds[refund]["status"] = "failed"

    def dispute_missing_here(self) -> None:
        self.rail.dispute(next(self.paid)[1], 800)

    def dispute_differs(self) -> None:
        record = self.rail.dispute(next(self.paid)[1], 800)
        self.world.deliver_and_apply(self.world.dispute_event("created", str(record["id"])))
        record["status"] = "under_review"

    def fee_differs(self) -> None:
        book("txn_fee", BookingKind.ARRIVED, 1_000, 30, next(self.paid)[0])
        with database.transaction() as session:
            own = update(ProviderBooking).where(ProviderBooking.provider_reference == "txn_fee")
            session.execute(own.values(fee_minor=40, net_minor=960))

    def booking_unowned(self) -> None:
        book("txn_unowned", BookingKind.ARRIVED, 1_000, 30, None)

    def payout_unmatched(self) -> None:
        made_at = clock.now() - timedelta(days=10)
        amount = Money(9_000, asset("EUR"))
        said = SaidPayout("po_lost", PayoutStatus.PAID, amount, made_at, made_at)
        with database.transaction() as session:
            payouts.hear(session, BOOK, [said], why=WHY)


def inject(world: World) -> list[str]:
    """Make one difference of each kind. Gives the kinds."""
    made = Injected(world)
    done = []
    for name, act in vars(Injected).items():
        if name.startswith("_"):
            continue
        act(made)
        done.append(name)
    return sorted(done)


def cases() -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(select(ExceptionCase.subject_key, ExceptionCase.state))
        return {key: state for key, state in rows if key.startswith("RECON_DIFFERENCE:")}


def test_one_percent_of_all_kinds_is_found_and_nothing_else(world: World) -> None:
    mirror.stock(world, PAYMENTS)
    clean = mirror.compare()
    assert (clean.status, mirror.differences(clean.id), cases()) == ("finished", [], {})
    injected = inject(world)
    assert 9 <= len(injected) <= len(KINDS)
    run = mirror.compare()
    assert (run.status, mirror.kinds(run.id)) == ("finished", injected)
    rows = mirror.differences(run.id)
    assert all(row.theirs or row.books for row in rows)
    # What a missed fact would bring right is offered; all else has one case.
    open_ = [row for row in rows if row.state == "open"]
    offered = sorted(row.kind.removeprefix("recon_") for row in rows if row.state == "offered")
    assert offered == [
        "dispute_differs",
        "dispute_missing_here",
        "refund_differs",
        "refund_missing_here",
    ]
    assert len({row.case_id for row in open_}) == len(open_) == len(rows) - len(offered)
    # Found again by the next run, without a second case.
    known = cases()
    again = mirror.compare()
    assert (mirror.kinds(again.id), cases()) == (injected, known)
    assert {row.case_id for row in mirror.differences(again.id)} == {row.case_id for row in rows}
