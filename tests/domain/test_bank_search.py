"""A payment that was not found is looked for by what was typed, however it was typed, and wider when nothing is near."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import clock
from core.errors import InvalidInput, ProviderUnavailable, RailNotConfigured
from domain import calendar, database
from domain.actors import Actor
from domain.bank import asking_banks, search
from domain.bank.search import Asked, Result
from models.payments import Payment
from providers import registry
from tests.domain import banking, booking
from tests.domain.banking import Row, bring, camt
from tests.domain.test_bank_matching import referenced
from tests.domain.world import FakeRail, World

OWN = "PD0123456789ABCD"


def look(actor: Actor, **asked: object) -> Result:
    with database.reading() as session:
        return search.search(session, Asked(**asked), actor=actor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "typed",
    [OWN, OWN.lower(), "PD 0123 4567 89AB CD", "pd-O1234-56789-abcd", "O123456789AB", "34567"],
)
def test_a_reference_is_found_however_it_was_typed(world: World, fin: Actor, typed: str) -> None:
    payment = referenced(world, OWN)
    referenced(world, "PDZZZZZZZZZZZZZZ")
    found = look(fin, reference=typed)
    assert [each.payment_id for each in found.items] == [payment.id]
    assert (found.widened, found.days, found.items[0].source) == (False, 7, "ours")


def test_an_order_and_a_provider_name_a_payment_too(world: World, fin: Actor) -> None:
    payment = referenced(world, OWN)
    for name in (payment.id, payment.order_id, payment.provider_reference):
        assert [each.payment_id for each in look(fin, reference=name).items] == [payment.id]


def test_the_window_is_widened_until_something_is_found(world: World, fin: Actor) -> None:
    payment = referenced(world, OWN)
    with database.transaction() as session:
        row = session.get_one(Payment, payment.id)
        row.created_at = clock.now() - timedelta(days=25)
    found = look(fin, reference=OWN)
    assert ([each.payment_id for each in found.items], found.widened, found.days) == (
        [payment.id],
        True,
        30,
    )
    with database.transaction() as session:
        row = session.get_one(Payment, payment.id)
        row.created_at = clock.now() - timedelta(days=95)
    assert look(fin, reference=OWN) == Result([], 90, widened=True)
    about = calendar.today() - timedelta(days=100)
    near = look(fin, reference=OWN, since=about, until=about)
    assert (len(near.items), near.widened) == (1, False)


def test_reference_and_amount_count_together(world: World, fin: Actor) -> None:
    named, alike = referenced(world, OWN, 5_000), booking.paid(world)
    both = look(fin, reference=OWN, amount="25.00", currency="EUR")
    scored = {each.payment_id: (each.score, each.why) for each in both.items}
    assert scored[named.id] == (70, "the same reference, another amount")
    assert scored[alike.id] == (30, "another reference, the same amount")
    exact = look(fin, reference=OWN, amount="50.00")
    assert (exact.items[0].payment_id, exact.items[0].score) == (named.id, 100)
    assert look(fin, amount="25.00", currency="USD").items == []


def test_lines_of_statements_are_found(world: World, fin: Actor) -> None:
    today = calendar.today()
    bring(fin, camt(Row(4_711, "Order 12, thanks", bank="B1", on=today)))
    line = banking.only()
    for asked in ({"reference": "order l2"}, {"amount": "47.11"}, {"reference": "B1-thanks"}):
        found = look(fin, **asked).items
        assert [each.line_id for each in found] == ([] if "B1-" in str(asked) else [line.id])
    assert look(fin, amount="47.11", sources=["ours"]).items == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"reference": "ab"},
        {"reference": "----"},
        {"amount": "much"},
        {"amount": "1.234", "currency": "EUR"},
        {"amount": "1", "currency": "XXX"},
        {"amount": "1", "window_days": 0},
        {"amount": "1", "window_days": 91},
    ],
)
def test_what_cannot_be_looked_for_is_refused(
    world: World, fin: Actor, asked: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        look(fin, **asked)


class OpenBank(FakeRail):
    """A bank that answers like the fake of cards."""

    name, rail, label = "openbank", "bank", "Open bank"


@pytest.fixture
def bank(world: World) -> FakeRail:
    """A provider of bank payments beside the one of cards, with nothing of ours at it."""
    del world
    rail = OpenBank()
    registry._built["openbank"] = rail  # type: ignore[assignment]
    return rail


def test_a_provider_is_asked_for_what_we_do_not_know(
    world: World, fin: Actor, bank: FakeRail
) -> None:
    payment = world.payment(total=2_500, deposit=None)
    record = world.rail.intents[str(payment.provider_reference)] | {"id": "tl_77", "metadata": {}}
    bank.intents["tl_77"] = record | {"status": "succeeded", "amount_received": 2_500}
    asked = Asked(reference="TL-77")
    found, unasked = asking_banks.widen(asked, look(fin, reference="TL-77"))
    assert [(each.source, each.provider_reference) for each in found.items] == [
        ("provider", "tl_77")
    ]
    assert unasked == []


def test_a_provider_that_fails_is_named_and_only_stops_who_asked_for_it(
    world: World, fin: Actor, bank: FakeRail
) -> None:
    payment = referenced(world, OWN)
    bank.script += [ProviderUnavailable("it is down"), ProviderUnavailable("it is down")]
    found, unasked = asking_banks.widen(Asked(reference=OWN), look(fin, reference=OWN))
    assert [each.payment_id for each in found.items] == [payment.id]
    assert [(each.provider, each.why) for each in unasked] == [("openbank", "it is down")]
    with pytest.raises(ProviderUnavailable):
        asking_banks.widen(Asked(reference=OWN, sources=["provider"]), found)


def test_without_a_bank_nobody_is_asked(world: World, fin: Actor) -> None:
    nothing = Result([], 90, widened=True)
    assert asking_banks.widen(Asked(reference=OWN), nothing) == (nothing, [])
    assert world.rail.asked == []
    with pytest.raises(RailNotConfigured):
        asking_banks.widen(Asked(reference=OWN, sources=["provider"]), nothing)
