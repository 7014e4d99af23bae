"""The stand-in's own account read over HTTP with the real SDK: every booking once, whatever is asked or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select

import config
from core.errors import ProviderUnavailable
from domain import database
from models.reconciliation import ProviderBooking, ProviderPayout
from providers import registry
from tests.domain import booking
from tests.domain import world as worlds
from tests.domain.booking import balance, entries
from tests.reliability.bookkeeping import Shop, cleared
from tests.rig import product
from tests.rig.process import Running


@pytest.fixture
def shop(engine: Engine, environ: dict[str, str], start_stripe: Callable[..., Running]) -> Shop:
    del engine
    standin = start_stripe()
    settings = config.load(environ | product.stripe_settings(standin.url))
    made = worlds.build(settings)
    registry.configure(settings)
    return Shop(made, standin.url)


def test_clearing_is_what_the_provider_holds_whatever_was_paid_in_which_currency(
    shop: Shop,
) -> None:
    for currency, minor in (("EUR", 2_500), ("USD", 9_900), ("GBP", 4_000), ("JPY", 8_800)):
        shop.pay(minor, currency)
    dinars, back = shop.pay(12_340, "KWD"), shop.pay(7_000, "JPY")
    shop.refund(back, 2_000)
    shop.refund(dinars, 12_340)
    shop.control("book", type="stripe_fee", amount=-150, currency="eur")
    shop.read()
    assert cleared() != shop.held()
    shop.hear()
    assert cleared() == shop.held()
    known = len(entries())
    shop.read()
    shop.hear()
    assert len(entries()) == known
    assert {entry.details["rate"] for entry in entries("exchange")} == {"1.27", "0.0067", "3.25"}
    assert balance("fx:stripe:fees", "USD/2") > 0
    assert booking.problems() == []


def test_rate_that_changes_between_a_charge_and_its_refund_stays_in_the_position(
    shop: Shop,
) -> None:
    payment = shop.pay(10_000, "GBP")
    shop.control("rates", gbp="1.30")
    shop.refund(payment, 10_000)
    shop.hear()
    shop.read()
    assert balance(booking.POSITION, "GBP/2") == 0
    assert balance(booking.POSITION, "USD/2") == 13_000 - 12_700
    assert cleared() == shop.held() == Counter()
    assert balance(booking.CLEARING, "USD/2") < 0
    assert booking.problems() == []


def test_payouts_are_followed_to_the_bank_and_back(shop: Shop) -> None:
    shop.pay(2_500)
    shop.pay(9_900, "USD")
    shop.hear()
    [euros, dollars] = shop.control("pay_out", pending=True)["data"]
    shop.read()
    assert shop.held() == cleared() == Counter()
    assert balance(booking.TRANSIT) == 2_500 - 103
    shop.control("fail_payout", payout=dollars)
    shop.read()
    assert cleared() == shop.held() == Counter({"USD/2": 9_900 - 317})
    [again] = shop.control("pay_out", pending=True)["data"]
    _settle(shop, again)
    shop.read()
    with database.reading() as session:
        rows = session.scalars(select(ProviderPayout).order_by(ProviderPayout.created_at)).all()
        paid_out = dict(
            session.execute(
                select(ProviderBooking.word, ProviderBooking.payout_reference).where(
                    ProviderBooking.asset == "USD/2"
                )
            ).all()
        )
    found = {row.provider_reference: row for row in rows}
    assert (found[dollars].status, found[dollars].failure) == ("failed", "account_closed")
    assert {found[euros].status, found[again].status} == {"paid"}
    assert paid_out["payout_failure"] == again
    assert [kind for kind, _ in booking.cases()] == ["PAYOUT_FAILED"]
    assert booking.problems() == []


def _settle(shop: Shop, payout: str) -> None:
    """Let the stand-in's clock run until a payout is at the bank."""
    for _ in range(50):
        shop.control("clock", advance_seconds=10)
        if shop.ask(f"payouts/{payout}")["status"] == "paid":
            return
    raise AssertionError("the payout never arrived")


def test_answers_that_are_lost_leave_nothing_half_read(shop: Shop) -> None:
    for _ in range(3):
        shop.pay(2_500)
    shop.hear()
    for kind in ("5xx_before", "timeout_after_effect", "429"):
        shop.control("faults", op="balance_transactions.list", kind=kind, times=1)
        with pytest.raises(ProviderUnavailable):
            shop.read()
    shop.read()
    assert cleared() == shop.held()
    assert len(entries("fee")) == 3
    assert booking.problems() == []
