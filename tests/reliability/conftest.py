"""The stages of these tests: one per database and module, raised when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reliability import stage as stages
from tests.reliability.stage import Stage
from tests.rig.run import Run

ENGINES = ("sqlite", "postgresql")


class Raised:
    """The stages of one module; tests in random order must not tear each other's down."""

    def __init__(self, run: Run, home: Path) -> None:
        self.run, self.home = run, home
        self.held: dict[str, Stage] = {}
        self.ended = ExitStack()

    def on(self, engine: str) -> Stage:
        """Give the stage on this engine."""
        if engine not in self.held:
            home = self.home / engine
            self.held[engine] = self.ended.enter_context(
                stages.raised(self.run, home, engine=engine)
            )
        return self.held[engine]


@pytest.fixture(scope="module")
def raised(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raised]:
    """The stages of this module."""
    made = Raised(run, tmp_path_factory.mktemp("stages"))
    with made.ended:
        yield made


@pytest.fixture(params=ENGINES)
def stage(request: pytest.FixtureRequest, raised: Raised) -> Iterator[Stage]:
    """The product on a database that this module's tests share; the test runs once on each engine."""
    lent = raised.on(request.param)
    lent.bind()
    yield lent
    lent.end_workers()
    if not lent.web.is_alive():
        lent.web.restart()
