"""A thousand rows tampered with by the database's owner, one at a time: a thousand found and named."""

from __future__ import annotations

import random
import time

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bench import report
from core import clock
from tests.domain import forgeable
from tests.domain.tampering import any_tampering, found_in, unseen
from tests.domain.world import World

pytestmark = pytest.mark.soak
TIMES = 1000


def test_a_thousand_tamperings_are_a_thousand_found(world: World, engine: Engine) -> None:
    forgeable.fill(world)
    seed, began = clock.unix(), time.monotonic()
    chance = random.Random(seed)
    with Session(engine) as session:
        missed = [
            said
            for _ in range(TIMES)
            if (said := unseen(session, any_tampering(session, chance))) is not None
        ]
        assert found_in(session) == []
    assert missed == [], f"seed {seed}"
    report.note_soak(
        "tampering",
        engine.dialect.name,
        count=TIMES,
        seconds=time.monotonic() - began,
        held=f"{TIMES:,} tamperings, all found",
    )
