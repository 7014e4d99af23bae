"""Two-phase postings: reserved once, ended once, never more than is there, whoever races."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core.errors import AppError, Conflict, NotFound
from core.money import Money, asset
from domain import database
from domain.books import accounts, balances, ledger, reserving, verification
from domain.books.reserving import Reservation
from models.ledger import AccountBalance, JournalEntry
from tests.domain.world import World

EUR = asset("EUR")
OWED, EARNED = accounts.merchant_payable("mrc_house"), accounts.revenue("mrc_house")
KEPT = accounts.reserved(OWED)


def is_proved() -> bool:
    return verification.verify().ok


def euros(minor: int) -> Money:
    return Money(minor, EUR)


@pytest.fixture
def owed(world: World) -> World:
    """The house merchant is owed 10.00 EUR."""
    with database.transaction() as session:
        movement = ledger.Movement(accounts.adjustments("opening"), OWED, euros(1000))
        ledger.post(
            session,
            "reserve",
            movements=[movement],
            source_key="opening",
            source="test",
            ties=ledger.Ties(),
        )
    return world


def reserve(minor: int, key: str = "one") -> Reservation:
    with database.transaction() as session:
        return reserving.reserve(
            session, OWED, euros(minor), source_key=key, source="test", ties=ledger.Ties()
        )


def spend(entry_id: str, key: str = "spent", amount: Money | None = None) -> str:
    with database.transaction() as session:
        return reserving.spend(
            session, entry_id, EARNED, amount=amount, source_key=key, source="test"
        )


def void(entry_id: str) -> str:
    with database.transaction() as session:
        return reserving.void(session, entry_id, source="test")


def standing() -> tuple[int, int, int]:
    """Give what is owed, what of it is reserved, and what was earned, each as it is kept and as it sums."""
    with database.reading() as session:
        summed = [
            -ledger.balance(session, account.address, str(EUR)) for account in (OWED, KEPT, EARNED)
        ]
        kept = [balances.held_minor(session, each.address, str(EUR)) for each in (OWED, KEPT)]
    assert kept == summed[:2]
    return summed[0], summed[1], summed[2]


def test_what_is_reserved_is_spent_once(owed: World) -> None:
    held = reserve(400)
    assert standing() == (600, 400, 0)
    spend(held.entry_id)
    assert standing() == (600, 0, 400)
    with pytest.raises(Conflict):
        spend(held.entry_id, "again")
    with pytest.raises(Conflict):
        void(held.entry_id)
    assert standing() == (600, 0, 400)
    assert is_proved()


def test_what_is_not_spent_of_a_reservation_is_free_again(owed: World) -> None:
    held = reserve(400)
    with pytest.raises(Conflict) as refused:
        spend(held.entry_id, amount=euros(401))
    assert refused.value.code == "AMOUNT_EXCEEDED"
    spend(held.entry_id, amount=euros(150))
    assert standing() == (850, 0, 150)
    assert is_proved()


def test_a_reservation_that_is_let_go_leaves_everything_as_it_was(owed: World) -> None:
    held = reserve(1000)
    assert standing() == (0, 1000, 0)
    void(held.entry_id)
    assert standing() == (1000, 0, 0)
    assert is_proved()


def test_more_than_is_there_is_refused_with_what_is_there(owed: World) -> None:
    reserve(700)
    with pytest.raises(Conflict) as refused:
        reserve(301, "two")
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert "holds 3.00 EUR; 3.01 was asked for" in refused.value.message
    assert standing() == (300, 700, 0)


def test_an_entry_that_reserves_nothing_is_not_spent(owed: World) -> None:
    with pytest.raises(NotFound):
        spend("jrn_nobody")


def test_of_sixteen_at_once_only_so_many_get_it_as_there_is(owed: World) -> None:
    together, got = Barrier(16), []

    def take(no: int) -> None:
        together.wait()
        try:
            got.append(reserve(150, f"key-{no}"))
        except AppError:
            return

    racers = [Thread(target=take, args=(no,)) for no in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(got) == 6
    assert standing() == (100, 900, 0)
    assert is_proved()


def test_of_those_who_end_a_reservation_at_once_one_does(owed: World) -> None:
    for turn in range(4):
        held, together = reserve(200, f"held-{turn}"), Barrier(4)
        done: list[str] = []

        def end(
            no: int,
            held: Reservation = held,
            together: Barrier = together,
            done: list[str] = done,
        ) -> None:
            together.wait()
            try:
                one = (
                    void(held.entry_id) if no % 2 else spend(held.entry_id, f"{held.entry_id}{no}")
                )
            except (AppError, DBAPIError):
                return
            done.append(one)

        racers = [Thread(target=end, args=(no,)) for no in range(4)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert len(done) == 1
    assert standing()[1] == 0
    assert is_proved()


def test_an_entry_that_lacks_what_its_kind_must_carry_is_refused_by_the_database(
    owed: World,
) -> None:
    for kind in ("deposit", "refund", "void", "no_such_kind"):
        with pytest.raises(DBAPIError), database.transaction() as session:
            ledger.post(
                session,
                kind,
                movements=[ledger.Movement(accounts.adjustments("x"), OWED, euros(5))],
                source_key=f"bad:{kind}",
                source="test",
                ties=ledger.Ties(order_id="ord_1"),
            )
    with database.reading() as session:
        assert list(session.scalars(select(JournalEntry.kind))) == ["reserve"]


def test_a_kept_balance_that_was_changed_is_named_and_can_be_computed_anew(owed: World) -> None:
    reserve(400)
    with database.engine().begin() as connection:
        connection.execute(text("update account_balances set balance_minor = balance_minor + 1"))
    assert not is_proved()
    with database.engine().begin() as connection:
        balances.rebuild(connection)
    assert is_proved()
    with database.reading() as session:
        rows = session.scalars(select(AccountBalance).order_by(AccountBalance.address))
        assert [row.balance_minor for row in rows] == [600, 400]
