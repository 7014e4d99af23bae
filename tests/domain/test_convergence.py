"""Whatever the order in which a card payment's events come, and how often: one end, in states, books and effects."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from domain import database
from tests.domain.lives import LIVES, Life, apply, live, stands
from tests.domain.world import World

# Every order of up to this many events is tried; on the slower engine a sample of the longer ones.
WHOLE = {"sqlite": 6, "postgresql": 5}
SAMPLE = 120


def end_of(life: Life, events: list[bytes], *, asks_at_end: bool = False) -> dict[str, object]:
    with database.rehearsal() as session:
        apply(session, life, events, asks_at_end=asks_at_end)
        return stands(session, life)
    raise AssertionError("a rehearsal gives what its block gave")


def orders(life: Life) -> Iterator[list[bytes]]:
    found = [list(order) for order in itertools.permutations(life.events)]
    if len(life.events) <= WHOLE[database.engine().dialect.name]:
        yield from found
    else:
        yield from random.Random(7).sample(found, SAMPLE)


@pytest.mark.parametrize("name", LIVES)
def test_every_order_and_every_repetition_ends_the_same(world: World, name: str) -> None:
    life = live(world, name)
    expected = end_of(life, life.events)
    for number, order in enumerate(orders(life)):
        again = order[number % len(order)]
        assert end_of(life, [*order, again]) == expected, order
    assert end_of(life, [*life.events, *reversed(life.events)]) == expected


@pytest.mark.parametrize("name", LIVES)
def test_what_was_never_delivered_is_asked_for(world: World, name: str) -> None:
    life = live(world, name)
    expected = end_of(life, life.events)
    for left_out in range(len(life.events)):
        rest = [body for place, body in enumerate(life.events) if place != left_out]
        for order in (rest, rest[::-1]):
            assert end_of(life, order, asks_at_end=True) == expected, left_out
