"""Two thousand answers lost after the effect, of each act on a card; `make soak`."""

from __future__ import annotations

import time

import pytest

from bench import report
from tests.reliability.stage import Stage
from tests.reliability.test_lost_answers import ACTS

TIMES = 2_000

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("act", ACTS)
def test_two_thousand_timeouts_make_nothing_twice_and_leave_nothing_open(
    stage: Stage, act: str
) -> None:
    began = time.monotonic()
    ACTS[act](stage, "timeout_after_effect", TIMES)
    report.note_soak(
        f"lost answers, {act}",
        stage.engine.dialect.name,
        count=TIMES,
        seconds=time.monotonic() - began,
        held=f"{TIMES:,} answers of {act} lost, none twice",
    )
