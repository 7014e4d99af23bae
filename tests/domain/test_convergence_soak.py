"""The long version: a million sequences of facts through the fold, and twenty thousand of events through the books."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from core.fold import RANK, VALIDATED, Fact, standing
from domain import database
from tests.domain.lives import LIVES, apply, live, stands
from tests.domain.world import World

pytestmark = pytest.mark.soak

FOLDED, APPLIED = 1_000_000, 20_000
LONGEST = 7
AT = datetime(2026, 11, 21, tzinfo=UTC)
KINDS = sorted(set(RANK) - {VALIDATED})


def test_a_million_sequences_of_facts_fold_to_one_standing_each() -> None:
    chance = random.Random(11)
    for _ in range(FOLDED // 4):
        life = [
            Fact(
                chance.choice(KINDS),
                AT + timedelta(seconds=chance.randrange(60)),
                amount_minor=chance.choice((None, 2_500, 2_600)),
            )
            for _ in range(chance.randint(1, LONGEST))
        ]
        expected = standing(life)
        for _ in range(4):
            told = [*life, *chance.choices(life, k=2)]
            chance.shuffle(told)
            assert standing(told) == expected, life


def test_twenty_thousand_sequences_of_events_leave_the_same_books(world: World) -> None:
    chance = random.Random(13)
    lives = [live(world, name) for name in LIVES]
    expected = []
    for life in lives:
        with database.rehearsal() as session:
            apply(session, life, life.events, asks_at_end=False)
            expected.append(stands(session, life))
    for _ in range(APPLIED // len(lives)):
        for life, end in zip(lives, expected, strict=True):
            told = [*life.events, *chance.choices(life.events, k=2)]
            chance.shuffle(told)
            with database.rehearsal() as session:
                apply(session, life, told, asks_at_end=False)
                assert stands(session, life) == end, told
