"""The stages of these tests: one per database and module, raised when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reliability import stage as stages
from tests.reliability.stage import Stage
from tests.rig import fixtures
from tests.rig.run import Run

ENGINES = ("sqlite", "postgresql")


class Raised:
    """The stages of one module; tests in random order must not tear each other's down."""

    def __init__(self, run: Run, home: Path, processes: int) -> None:
        self.run, self.home, self.processes = run, home, processes
        self.held: dict[str, Stage] = {}
        self.ended = ExitStack()

    def on(self, engine: str) -> Stage:
        """Give the stage on this engine."""
        if engine not in self.held:
            home = self.home / engine
            raising = stages.raised(self.run, home, engine=engine, processes=self.processes)
            self.held[engine] = self.ended.enter_context(raising)
        return self.held[engine]


@pytest.fixture(scope="module")
def raised(
    request: pytest.FixtureRequest, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Raised]:
    """The stages of this module; its WEB_PROCESSES says how many processes the web has."""
    processes = getattr(request.module, "WEB_PROCESSES", 1)
    made = Raised(run, tmp_path_factory.mktemp("stages"), processes)
    with made.ended:
        yield made


@pytest.fixture(params=ENGINES)
def stage(request: pytest.FixtureRequest, raised: Raised) -> Iterator[Stage]:
    """The product on a database that this module's tests share; the test runs once on each engine."""
    lent = raised.on(request.param)
    lent.bind()
    # What the processes printed is shown when the test fails.
    request.node.stash[fixtures.STARTED] = lent.processes
    yield lent
    lent.end_workers()
    lent.retire()
    if not lent.web.is_alive():
        lent.web.restart()
