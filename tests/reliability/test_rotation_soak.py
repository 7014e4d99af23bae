"""Ten rotations of each kind of secret, each under twenty thousand requests; `make soak`."""

from __future__ import annotations

import time

import pytest

from bench import report
from tests.reliability.rotating import Cockpit
from tests.reliability.stage import Stage
from tests.reliability.test_rotation import ROTATIONS

WEB_PROCESSES = 2
TIMES, REQUESTS = 10, 20_000

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("kind", ROTATIONS)
def test_ten_rotations_each_under_twenty_thousand_requests(stage: Stage, kind: str) -> None:
    began = time.monotonic()
    for _ in range(TIMES):
        # Each rotation is an act of its own: it asks for a fresh proof.
        ROTATIONS[kind](Cockpit.enter(stage), REQUESTS)
    report.note_soak(
        f"rotations, {kind}",
        stage.engine.dialect.name,
        count=TIMES,
        seconds=time.monotonic() - began,
        held=f"{TIMES} rotations of {kind} under {REQUESTS:,} requests each, none refused",
    )
