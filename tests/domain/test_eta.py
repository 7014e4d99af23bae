"""When money is final: what a notice says, else what ours took lately, else what is normal; never a moment past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from core import clock, rail_times
from domain import database
from domain.delays import eta
from domain.delays.eta import Eta
from domain.payments import support
from models.delays import DelayNotice
from models.payments import Payment, StateChange
from tests.domain.delaying import TEXT, hence, late, over
from tests.domain.world import World

EUR, GBP = "EUR/2", "GBP/2"


def said(rail: str = "card", unit: str = EUR, at: datetime | None = None, **more: str) -> Eta:
    with database.reading() as session:
        found = eta.of(session, rail, unit, at, **more)
    assert found is not None
    return found


def took(world: World, seconds: list[int]) -> None:
    """Have payments of ours take so long."""
    for each in seconds:
        payment = world.payment()
        world.deliver_and_apply(world.paid(payment))
        with database.transaction() as session:
            row = session.get_one(Payment, payment.id)
            done = (StateChange.object_id == row.id, StateChange.new == "completed")
            ended = session.scalars(select(StateChange.at).where(*done)).one()
            row.created_at = ended - timedelta(seconds=each)


def test_what_is_normal_is_said_per_rail_and_currency(world: World) -> None:
    del world
    now = clock.now()
    assert said("card", at=now).at == now + timedelta(minutes=5)
    assert said("bank", GBP, now).at == now + timedelta(hours=2)
    assert "instant" in said("bank", EUR, now).text
    assert said("bank", "USD/2", now).text == rail_times.NORMAL["bank", ""].text
    with database.reading() as session:
        assert eta.of(session, "pigeon", EUR, now) is None
        assert eta.of_rail(session, "pigeon") is None


def test_a_rail_as_such_is_told_currency_by_currency(world: World) -> None:
    pound = "GBP: usually within minutes, at most two hours."
    euro = (
        "EUR: within seconds as an instant transfer, otherwise by the end of the next working day."
    )
    rest = "Otherwise: bank transfers take one to three working days."
    for codes, told in (
        ({"GBP"}, pound),
        ({"GBP", "EUR"}, f"{pound} {euro}"),
        ({"GBP", "SEK"}, f"{pound} {rest}"),
        ({"SEK"}, rail_times.NORMAL["bank", ""].text),
        (None, f"{pound} {euro} {rest}"),
    ):
        with database.reading() as session:
            found = eta.of_rail(session, "bank", codes=codes)
        assert found is not None and found.text == told


@pytest.mark.parametrize(
    ("sent", "there"),
    [
        # A Tuesday, a Friday and a Saturday, each by the end of the next working day.
        (datetime(2099, 3, 3, 9, tzinfo=UTC), datetime(2099, 3, 5, tzinfo=UTC)),
        (datetime(2099, 3, 6, 9, tzinfo=UTC), datetime(2099, 3, 10, tzinfo=UTC)),
        (datetime(2099, 3, 7, 9, tzinfo=UTC), datetime(2099, 3, 10, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_credit_transfer_does_not_arrive_at_a_weekend(
    world: World, sent: datetime, there: datetime
) -> None:
    del world
    assert said("bank", EUR, sent).at == there


def test_moment_that_has_passed_is_never_named(world: World) -> None:
    del world
    found = said("bank", GBP, clock.now() - timedelta(hours=3))
    assert found.at is None
    assert found.text.endswith("takes longer than usual.")
    assert said("bank", GBP).at is None


def test_open_notice_goes_before_what_is_normal(world: World) -> None:
    usual = said()
    notice = late(world.fin, eta_at=hence(5))
    assert said() == Eta(TEXT, notice.eta_at, is_notice=True)
    # Another rail and another provider are not late.
    assert said("bank", GBP).is_notice is False
    with database.transaction() as session:
        session.get_one(DelayNotice, notice.id).eta_at = clock.now() - timedelta(minutes=1)
    assert said() == Eta(TEXT, None, is_notice=True)
    over(notice, world.fin)
    assert said() == usual


def test_notice_of_one_provider_is_not_said_of_another(world: World) -> None:
    late(world.fin, provider="stripe")
    assert said(provider="stripe").is_notice
    assert not said(provider="other").is_notice


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_ours_took_lately_is_said_once_there_are_enough(world: World) -> None:
    now = clock.now()
    took(world, [30] * 10 + [600] * (eta.FEWEST - 11))
    assert said(at=now).text == rail_times.NORMAL["card", ""].text
    took(world, [7200])
    found = said(at=now)
    assert found.text == (
        "Half of the latest payments like this were confirmed within 30 seconds of being started,"
        " nine of ten within 10 minutes."
    )
    assert found.at == now + timedelta(seconds=600)
    # Of another currency nothing is known.
    assert said(unit=GBP, at=now).text == rail_times.NORMAL["card", ""].text
    # What is long ago says nothing about today.
    with database.transaction() as session:
        session.execute(update(Payment).values(created_at=now - timedelta(days=eta.DAYS + 1)))
    assert said(at=now).text == rail_times.NORMAL["card", ""].text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a second"),
        (2, "2 seconds"),
        (45, "45 seconds"),
        (46, "a minute"),
        (90, "a minute"),
        (91, "2 minutes"),
        (2700, "45 minutes"),
        (2701, "an hour"),
        (5401, "2 hours"),
        (64_800, "18 hours"),
        (64_801, "a day"),
        (200_000, "3 days"),
    ],
)
def test_spans_are_said_in_the_largest_unit_that_fits(seconds: int, words: str) -> None:
    assert eta.span(seconds) == words


def test_payment_has_an_eta_while_it_is_open(world: World) -> None:
    payment = world.payment()

    def of() -> Eta | None:
        with database.reading() as session:
            return eta.of_payment(session, session.get_one(Payment, payment.id))

    waiting = of()
    assert waiting is not None and waiting.at is None
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    going = of()
    assert going is not None and going.at is not None
    world.deliver_and_apply(world.paid(payment))
    assert of() is None


def test_support_tells_a_customer_whose_money_is_on_its_way_what_is_said_of_the_rail(
    world: World,
) -> None:
    payment = world.payment()

    def told() -> str:
        with database.reading() as session:
            row = session.get_one(Payment, payment.id)
            return support.support_block(session, row).advice.tell_customer

    notice = late(world.fin, eta_at=hence(5))
    # Whoever has not paid yet is told of it on the page where they pay.
    assert TEXT not in told()
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    at = notice.eta_at
    assert told().endswith(f"{TEXT} We expect it by {at:%-d %b %Y, %H:%M} UTC.")
    over(notice, world.fin)
    assert TEXT not in told()
