"""Whatever the order in which a bank payment's events come, and how often: one end, in states, books and effects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from domain import database
from providers import registry
from providers.seam import Rail
from tests.domain import bank_lives, gocardless_lives
from tests.domain.lives import Life, apply, stands
from tests.domain.world import World
from tests.providers.gocardless import desk as gocardless_desk
from tests.providers.truelayer import desk as truelayer_desk

TOLD = {each.PROVIDER: each for each in (bank_lives, gocardless_lives)}
DESKS = {"truelayer": truelayer_desk.open_desk, "gocardless": gocardless_desk.open_desk}
ALL = [(provider, name) for provider, told in TOLD.items() for name in told.LIVES]
WHOLE = [(provider, name) for provider, told in TOLD.items() for name in told.WHOLE]


@pytest.fixture
def bank(world: World, provider: str) -> Iterator[Rail]:
    """A bank's rail beside the others, speaking to a desk of its own."""
    del world
    with DESKS[provider]() as (_, rail):
        registry._built[provider] = rail
        yield rail


def end_of(life: Life, events: list[bytes], *, asks_at_end: bool = False) -> dict[str, object]:
    with database.rehearsal() as session:
        apply(session, life, events, asks_at_end=asks_at_end)
        return stands(session, life)
    raise AssertionError("a rehearsal gives what its block gave")


@pytest.mark.parametrize(("provider", "name"), ALL)
def test_every_order_and_every_repetition_ends_the_same(
    world: World, bank: Rail, provider: str, name: str
) -> None:
    life = TOLD[provider].live(world, bank, name)
    expected = end_of(life, life.events)
    for number, order in enumerate(itertools.permutations(life.events)):
        again = order[number % len(order)]
        assert end_of(life, [*order, again]) == expected, order
    assert end_of(life, [*life.events, *reversed(life.events)]) == expected


@pytest.mark.parametrize(("provider", "name"), WHOLE)
def test_what_was_never_delivered_is_asked_for(
    world: World, bank: Rail, provider: str, name: str
) -> None:
    life = TOLD[provider].live(world, bank, name)
    expected = end_of(life, life.events)
    for left_out in range(len(life.events)):
        rest = [body for place, body in enumerate(life.events) if place != left_out]
        for order in (rest, rest[::-1]):
            assert end_of(life, order, asks_at_end=True) == expected, left_out


@pytest.mark.parametrize(("provider", "name"), ALL)
def test_each_life_ends_where_its_money_is(
    world: World, bank: Rail, provider: str, name: str
) -> None:
    life = TOLD[provider].live(world, bank, name)
    found = end_of(life, life.events)
    status, received, order, paid = TOLD[provider].ENDS[name]
    assert found["payment"][0] == status, found  # type: ignore[index]
    assert found["amounts"][0] == received, found  # type: ignore[index]
    if order is not None:
        assert found["order"][0] == order, found  # type: ignore[index]
    if paid is not None:
        assert found["order"][1] == paid, found  # type: ignore[index]
